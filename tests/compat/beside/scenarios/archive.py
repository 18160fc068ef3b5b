# SPDX-License-Identifier: Apache-2.0
"""/containers/X/archive and export."""
import base64
import io
import json
import tarfile

from . import add, scenario


def _tar(*entries):
    out = io.BytesIO()
    t = tarfile.open(fileobj=out, mode="w")
    for name, kind, data in entries:
        i = tarfile.TarInfo(name)
        i.type, i.mtime = kind, 1000000000
        if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            i.linkname = data
            t.addfile(i)
        else:
            b = data.encode()
            i.size = len(b) if kind == tarfile.REGTYPE else 0
            i.mode, i.uid = (0o755 if kind == tarfile.DIRTYPE else 0o640), 7
            t.addfile(i, io.BytesIO(b))
    t.close()
    return out.getvalue()


def _listing(data):
    t = tarfile.open(fileobj=io.BytesIO(data))
    return [[i.name, str(i.type), i.mode, i.uid, i.gid, i.size, i.linkname] for i in t]


PATHS = ["/data", "/data/", "/data/.", "/data/file", "/data/link", "/data/link/", "/nope", "/data/file/x", "", "/", "data", "/data/../data/file", "/proc/self", "/data//file"]


def _path(p, running):
    def fn(e):
        (e.run if running else e.create)()
        q = p.replace("/", "%2F")
        r = e.ask("HEAD", f"/containers/bm-one/archive?path={q}")
        stat = r.headers.get("x-docker-container-path-stat")
        s = json.loads(base64.b64decode(stat)) if stat else None
        if s and s["name"] in ("/", "self"):
            s["size"] = s["linkTarget"] = "<differs>"
        e.note("HEAD " + p, {"status": r.status, "stat": s})
        if p not in ("/", "/proc/self"):
            r = e.ask("GET", f"/containers/bm-one/archive?path={q}")
            e.note("GET " + p, {"status": r.status, "type": r.headers.get("content-type"), "body": _listing(r.body) if r.status == 200 else r.body.decode()})
    return fn


for _p in PATHS:
    for _r in (False, True):
        add(f"archive of {_p or 'nothing'}{', running' if _r else ''}", _path(_p, _r))

D, R, S, L = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
PUTS = {
    "a file": ("/tmp", _tar(("f", R, "x"))),
    "a directory over a file": ("/data", _tar(("file", D, ""))),
    "a file over a directory": ("/", _tar(("data", R, "x"))),
    "into a file": ("/data/file", _tar(("f", R, "x"))),
    "into nothing": ("/nope", _tar(("f", R, "x"))),
    "through a link": ("/tmp", _tar(("l", S, "/etc"), ("l/passwd2", R, "x"))),
    "upwards": ("/tmp", _tar(("../up", R, "x"))),
    "absolute": ("/tmp", _tar(("/abs", R, "x"))),
    "a hard link": ("/tmp", _tar(("a", R, "x"), ("b", L, "a"))),
    "a hard link outwards": ("/tmp", _tar(("b", L, "../etc/passwd"))),
    "garbage": ("/tmp", b"not a tar at all" * 100),
    "nothing": ("/tmp", b""),
    "without a path": ("", _tar(("f", R, "x"))),
}


def _put(path, data, query=""):
    def fn(e):
        e.create()
        e.http("PUT", f"/containers/bm-one/archive?path={path}{query}", raw=data, headers={"Content-Type": "application/x-tar"})
        e.http("GET", "/containers/bm-one/changes", only=lambda v: sorted(v, key=lambda c: c["Path"]) if isinstance(v, list) else v)
    return fn


for _n, (_p, _d) in PUTS.items():
    add("archive put: " + _n, _put(_p, _d))
add("archive put: no overwriting a file by a directory", _put("/data", PUTS["a directory over a file"][1], "&noOverwriteDirNonDir=1"))
add("archive put: no overwriting a directory by a file", _put("/", PUTS["a file over a directory"][1], "&noOverwriteDirNonDir=1"))
add("archive put: copyUIDGID", _put("/tmp", PUTS["a file"][1], "&copyUIDGID=1"))


@scenario("archive put: read-only")
def _(e):
    e.create("bm-one", HostConfig={"ReadonlyRootfs": True, "Binds": ["bm-v:/v:ro", "bm-w:/w"]})
    for p in ("/tmp", "/v", "/w"):
        e.http("PUT", "/containers/bm-one/archive?path=" + p, raw=PUTS["a file"][1], headers={"Content-Type": "application/x-tar"})
        e.http("HEAD", f"/containers/bm-one/archive?path={p}/f")


@scenario("archive: of what is not there")
def _(e):
    e.http("GET", "/containers/nope/archive?path=/x")
    e.http("PUT", "/containers/nope/archive?path=/x", raw=b"")
    e.http("GET", "/containers/nope/export")
    e.http("GET", "/containers/nope/changes")


@scenario("export")
def _(e):
    e.create()
    r = e.ask("GET", "/containers/bm-one/export")
    e.note("export", {"status": r.status, "type": r.headers.get("content-type"), "names": [x for x in sorted(_listing(r.body)) if not x[0].startswith(("bin/", "dev", "proc", "sys"))]})


@scenario("docker cp")
def _(e):
    import os
    import shutil
    import tempfile
    d = tempfile.mkdtemp(dir="/tmp", prefix="bm-cp.")
    open(d + "/src", "w").write("text")
    e.create()
    try:
        for args in (["cp", d + "/src", "bm-one:/tmp/"], ["cp", d + "/src", "bm-one:/nope/x"], ["cp", d + "/src", "bm-one:/tmp/new"], ["cp", "bm-one:/data", d + "/out"], ["cp", "bm-one:/nope", d],
                     ["cp", "-L", "bm-one:/data/link", d + "/l"], ["cp", d + "/nope", "bm-one:/"], ["cp", d, "bm-one:/data/file"], ["cp", "bm-one:/data/file", "bm-one:/x"], ["cp", "nope:/x", d]):
            p = e.call(*args)
            err = "".join(l for l in p.stderr.decode().replace(d, "DIR").splitlines(True) if "level=error" not in l)  # of the CLI's own pipe
            e.note("docker " + " ".join(args).replace(d, "DIR"), {"exit": p.returncode, "err": err})
        e.note("what came", {"files": sorted(os.path.relpath(os.path.join(b, f), d) for b, _, fs in os.walk(d) for f in fs)})
    finally:
        shutil.rmtree(d)
