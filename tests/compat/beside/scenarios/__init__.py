# SPDX-License-Identifier: Apache-2.0
"""All scenarios: ALL is a list of (name, function of an engine). Names of what they make begin with bm-."""
import io
import os
import subprocess
import tarfile

from engine import IMAGE

ALL = []


def add(name, fn):
    ALL.append((name, fn))


def scenario(name):
    def wrap(fn):
        add(name, fn)
        return fn
    return wrap


def _layer():
    out = io.BytesIO()
    tar = tarfile.open(fileobj=out, mode="w")

    def put(name, **kw):
        t = tarfile.TarInfo(name)
        t.mtime = 1000000000
        data = kw.pop("data", b"")
        t.size = len(data)
        for k, v in kw.items():
            setattr(t, k, v)
        tar.addfile(t, io.BytesIO(data))

    for d in ("bin", "etc", "root", "tmp", "data", "proc", "sys", "dev"):
        put(d, type=tarfile.DIRTYPE, mode=0o755)
    box = open("/bin/busybox", "rb").read()
    put("bin/busybox", data=box, mode=0o755)
    for applet in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            put("bin/" + applet, type=tarfile.SYMTYPE, linkname="busybox")
    put("etc/passwd", data=b"root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/:/bin/sh\n", mode=0o644)
    put("etc/group", data=b"root:x:0:\nwww:x:33:\nextra:x:44:www\n", mode=0o644)
    put("data/file", data=b"content\n", mode=0o640, uid=5, gid=6)
    put("data/link", type=tarfile.SYMTYPE, linkname="file")
    tar.close()
    return out.getvalue()


_archive = None


def prepare(engine):
    """The same image (the same id) on both engines: ours makes it, both load it."""
    global _archive
    if _archive is None:
        engine.ask("DELETE", "/containers/bm-src?force=1")
        r = engine.call("import", "-", "bm-raw", input=_layer())
        assert r.returncode == 0, r.stderr
        cid = engine.ask("POST", "/containers/create?name=bm-src", {"Image": "bm-raw", "Cmd": ["sh"]}).json()["Id"]
        for tag, changes in ((IMAGE, ["CMD [\"sh\"]"]),
                             ("bm-full", ["CMD [\"cmd\"]", "ENTRYPOINT [\"echo\", \"entry\"]", "ENV A=1", "ENV B=\"two words\"", "EXPOSE 80 53/udp", "VOLUME /data",
                                          "LABEL one=1 two=2", "USER www", "WORKDIR /tmp", "STOPSIGNAL SIGINT",
                                          "HEALTHCHECK --interval=1h CMD true"])):
            q = "".join("&changes=" + __import__("urllib.parse").parse.quote(c) for c in changes)
            r = engine.ask("POST", f"/commit?container={cid}&repo={tag}{q}")
            assert r.status == 201, r.body
        engine.ask("DELETE", "/containers/bm-src?force=1")
        _archive = engine.call("save", IMAGE, "bm-full").stdout
        engine.call("rmi", "-f", IMAGE, "bm-full", "bm-raw")
    p = engine.call("load", input=_archive)
    assert p.returncode == 0, p.stderr
    engine.clean()


from . import archive, attach, cli, create, events, execs, images, life, lists, logs, networks, plugins, stats, system, versions, volumes  # noqa: E402,F401
