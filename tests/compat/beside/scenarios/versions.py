# SPDX-License-Identifier: Apache-2.0
"""Every version of the API: what each leaves out, adds and takes, 1.24 to 1.51."""
import json

from . import add

ALL_VERSIONS = range(24, 52)


def _shape(v):
    """Members and their types: values are compared elsewhere."""
    if isinstance(v, dict):
        return {k: _shape(x) for k, x in v.items()}
    if isinstance(v, list):
        return [_shape(x) for x in v[:1]]
    return v if v is None or isinstance(v, bool) else type(v).__name__


def _ours(x):
    return x.get("Name") == "bm-v" or "/bm-one" in x.get("Names", []) or "bm-box:latest" in (x.get("RepoTags") or [])


def _mine(v):
    return [_shape(x) for x in v if isinstance(x, dict) and (x.get("Labels") or {}).get("bm")][:1] if isinstance(v, list) else v


def _info(v):
    """Which members there are depends on the machine for these."""
    for k in ("RegistryConfig", "Warnings", "DriverStatus", "Containerd", "CDISpecDirs", "Labels", "SecurityOptions", "Runtimes", "DiscoveredDevices"):
        if k in v:
            v[k] = "<there>"
    v.pop("Containerd", None)  # there is none
    for k in ("ContainerdCommit", "RuncCommit", "InitCommit"):
        v[k].pop("Expected", None)  # nothing is
    return _sorted(_shape(v))


def _sorted(v):
    """Older versions are printed by way of a map: the order says nothing."""
    return {k: _sorted(x) for k, x in sorted(v.items())} if isinstance(v, dict) else v


def _gets(n):
    def fn(e):
        v = f"/v1.{n}"
        e.run("bm-one", ExposedPorts={"80/tcp": {}}, HostConfig={"Binds": ["bm-v:/v"]}, Healthcheck={"Test": ["NONE"]}, MacAddress="02:42:ac:11:00:09" if n < 44 else "")
        e.ask("POST", "/networks/create", {"Name": "bm-n"})
        e.http("GET", v + "/_ping")
        e.http("GET", v + "/version", only=_shape)
        e.http("GET", v + "/info", only=_info)
        e.http("GET", v + "/containers/json?size=1", only=_mine)
        e.http("GET", v + "/containers/bm-one/json?size=1", only=_shape)
        e.http("GET", v + "/containers/bm-one/stats?stream=0&one-shot=1", only=lambda s: sorted(s) if "message" not in s else s)
        e.http("GET", v + "/containers/bm-one/changes", only=_shape)
        e.http("GET", v + "/images/json?all=1", only=lambda l: _shape([x for x in l if x["RepoTags"] == ["bm-box:latest"]]))
        e.http("GET", v + "/images/json?filter=bm-box", only=lambda l: sorted(t for x in l for t in x["RepoTags"] if t in ("bm-box:latest", "bm-full:latest")))
        e.http("GET", v + "/images/json?shared-size=1", only=lambda l: sorted(l[0]))
        e.http("GET", v + "/images/bm-full/json", only=_shape)
        e.http("GET", v + "/images/bm-full/history", only=lambda l: _shape(l[:1]))
        e.http("GET", v + "/volumes", only=lambda s: {**_shape(s), "Volumes": _shape([x for x in s["Volumes"] if x["Name"] == "bm-v"])})
        e.http("GET", v + "/volumes/bm-v", only=_shape)
        e.http("GET", v + "/networks/bm-n", only=_shape)
        e.http("GET", v + "/networks?filters=%7B%22name%22%3A%5B%22bm-n%22%5D%7D", only=_shape)
        e.http("GET", v + "/system/df", only=lambda s: {k: _shape([y for y in x if _ours(y)]) if isinstance(x, list) else _shape(x) for k, x in s.items()})
        e.http("GET", v + "/plugins")
        e.http("GET", v + "/swarm")
        e.http("GET", v + "/nodes")
        e.http("GET", v + "/containers/bm-one/checkpoints")
        e.http("GET", v + "/events?since=1&until=2")
    return fn


def _posts(n):
    v = f"/v1.{n}"

    def create(e, name, body, query=""):
        body.setdefault("Image", "bm-box")
        body.setdefault("Labels", {"bm": "1"})
        body.setdefault("Cmd", ["sleep", "1000"])
        e.http("POST", f"{v}/containers/create?name={name}{query}", body, only=lambda r: {"Id": "<id>", **{k: x for k, x in r.items() if k != "Id"}} if "Id" in r else r)
        r = e.ask("GET", f"/containers/{name}/json")
        if r.status != 200:
            e.note("what came of it", {})
        else:
            j = r.json()
            e.note("what came of it", {"HostConfig": j["HostConfig"], "Config": {k: x for k, x in j["Config"].items() if k != "Hostname"}, "Mac": j["NetworkSettings"].get("MacAddress"),
                                       "Networks": {k: {m: y for m, y in x.items() if m in ("MacAddress", "DriverOpts", "Aliases", "IPAMConfig", "GwPriority")}
                                                    for k, x in j["NetworkSettings"]["Networks"].items()}})

    def fn(e):
        create(e, "bm-plain", {})
        create(e, "bm-host", {"HostConfig": {"CapAdd": ["NET_ADMIN"], "IpcMode": "", "CgroupnsMode": "private", "KernelMemoryTCP": 8388608, "KernelMemory": 8388608, "PidsLimit": 0,
                                             "OomKillDisable": False, "ConsoleSize": [30, 90], "Annotations": {"a": "b"}, "NetworkMode": "default"}})
        create(e, "bm-mac", {"MacAddress": "02:42:ac:11:00:0a", "HostConfig": {"NetworkMode": "bridge"}})
        create(e, "bm-mac2", {"MacAddress": "02:42:ac:11:00:0b", "HostConfig": {"NetworkMode": "bridge"},
                              "NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": "02:42:ac:11:00:0c"}}}})
        create(e, "bm-health", {"Healthcheck": {"Test": ["CMD", "true"], "StartInterval": 2000000000}})
        create(e, "bm-mount", {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/t", "ReadOnly": True,
                                                         "BindOptions": {"NonRecursive": True, "CreateMountpoint": False, "ReadOnlyNonRecursive": False}}]}})
        create(e, "bm-ro", {"HostConfig": {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/t", "ReadOnly": True, "BindOptions": {"ReadOnlyForceRecursive": True, "Propagation": "rprivate"}}]}})
        create(e, "bm-sub", {"HostConfig": {"Mounts": [{"Type": "volume", "Source": "bm-v", "Target": "/t", "VolumeOptions": {"Subpath": "x"}}]}})
        create(e, "bm-img", {"HostConfig": {"Mounts": [{"Type": "image", "Source": "bm-box", "Target": "/t"}]}})
        create(e, "bm-platform", {}, "&platform=linux/s390x")
        create(e, "bm-tmp", {"HostConfig": {"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": [["noexec"]]}}]}})
        e.http("POST", v + "/containers/bm-plain/start", {"Binds": ["/tmp:/x"]})
        e.http("POST", v + "/containers/bm-plain/start?")
        e.http("POST", v + "/containers/bm-plain/update", {"Memory": 67108864, "PidsLimit": 100, "KernelMemory": 67108864})
        e.http("POST", v + "/containers/bm-plain/exec", {"Cmd": ["true"], "ConsoleSize": [20, 40], "Env": ["A=1"], "WorkingDir": "/tmp", "Tty": True}, only=lambda r: sorted(r))
        e.http("POST", v + "/containers/bm-plain/resize?h=10&w=x")
        if n >= 30:  # before, it is not looked at
            e.http("POST", v + "/containers/bm-plain/wait?condition=nope")
        e.http("POST", v + "/containers/bm-plain/stop?signal=KILL&t=1")
        e.http("POST", v + "/containers/bm-plain/wait", only=lambda r: r)
        e.http("GET", v + "/containers/bm-plain/logs?stdout=1&until=1")
        e.http("POST", v + "/containers/bm-plain/copy", {"Resource": "/etc/passwd"})
        e.http("POST", v + "/commit?container=bm-plain&repo=bm-c", {}, only=lambda r: sorted(r))
        e.http("POST", v + "/build/prune", only=_shape)
        e.http("POST", v + "/volumes/create", {"Name": "bm-w"}, only=_shape)
        e.http("POST", v + "/volumes/prune?filters=%7B%22label%22%3A%5B%22nope%22%5D%7D")
        e.http("POST", v + "/networks/create", {"Name": "bm-m", "CheckDuplicate": True, "EnableIPv4": True}, only=lambda r: sorted(r))
        e.http("POST", v + "/networks/create", {"Name": "bm-m", "CheckDuplicate": False}, only=lambda r: sorted(r))
        e.http("POST", v + "/networks/create", {"Name": "bm-4", "EnableIPv4": False}, only=lambda r: sorted(r))
        e.http("POST", v + "/images/bm-box/tag?repo=bm-tagged&tag=x")
        e.http("DELETE", v + "/images/bm-tagged:x?platforms=[]", only=_shape)
        e.http("POST", v + "/images/prune?filters=%7B%22label%22%3A%5B%22nope%22%5D%7D")
        e.http("POST", v + "/containers/prune?filters=%7B%22label%22%3A%5B%22nope%22%5D%7D")
        e.http("POST", v + "/session")
        e.http("POST", v + "/images/load?platform=%7B%22os%22%3A1%7D", raw=b"x", headers={"Content-Type": "application/x-tar"})
    return fn


for _n in ALL_VERSIONS:
    add(f"version 1.{_n}: reading", _gets(_n))
    add(f"version 1.{_n}: making", _posts(_n))
