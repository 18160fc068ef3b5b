# SPDX-License-Identifier: Apache-2.0
"""What is about the engine itself, and calls of what it has not."""
from . import add, scenario


@scenario("system: ping")
def _(e):
    for m in ("GET", "HEAD"):
        r = e.ask(m, "/_ping")
        e.note(m, {"status": r.status, "body": r.body.decode(), "headers": sorted(k for k in r.headers), "api": r.headers.get("api-version", "")[:3], "swarm": r.headers.get("swarm"), "cache": r.headers.get("cache-control")})
    e.http("POST", "/_ping")


@scenario("system: paths and versions")
def _(e):
    for m, p in (("GET", "/nothing"), ("GET", "/v1.51/nothing"), ("GET", "/v1.12/info"), ("GET", "/v1.99/info"), ("GET", "/v2.0/info"), ("GET", "/vx/info"), ("DELETE", "/info"), ("GET", "/containers/create"), ("PATCH", "/containers/json"),
                 ("GET", "//info"), ("GET", "/containers//json"), ("GET", "/containers/a%2fb/json"), ("GET", "/containers/%zz/json"), ("OPTIONS", "/info")):
        e.http(m, p, only=["message"])


BODIES = ["", "{", "[]", "null", "7", "\"x\"", "{} {}", "{}x", "{\"a\":1,}", "\ufeff{}", " \n{}\n ", "{\"Image\":\"bm-box\",\"image\":\"x\"}", "{\"IMAGE\":\"bm-nope\"}"]
for _b in BODIES:
    def _fn(e, b=_b):
        e.http("POST", "/containers/create", b.encode(), only=["message"])
        e.http("POST", "/networks/create", b.encode(), only=["message"])
        e.http("POST", "/volumes/create", b.encode(), only=["message"])
    add("system: body " + repr(_b), _fn)

for _t in ("text/plain", "application/json; charset=utf-8", "application/x-tar", "", "APPLICATION/JSON", "nonsense"):
    def _fn(e, t=_t):
        e.http("POST", "/containers/create", "{\"Image\":\"bm-nope\"}", headers={"Content-Type": t})
        e.http("POST", "/containers/create", "", headers={"Content-Type": t})
    add("system: content type " + repr(_t), _fn)


@scenario("system: swarm, plugins, secrets")
def _(e):
    for m, p, b in (("GET", "/swarm", None), ("POST", "/swarm/init", {"ListenAddr": "127.0.0.1"}), ("POST", "/swarm/leave", None), ("GET", "/nodes", None), ("GET", "/services", None), ("GET", "/tasks", None), ("GET", "/secrets", None),
                    ("GET", "/configs", None), ("POST", "/services/create", {}), ("GET", "/plugins", None), ("GET", "/plugins/nope/json", None), ("POST", "/plugins/nope/enable", None), ("GET", "/services/x/logs?stdout=1", None)):
        if m == "POST" and p == "/swarm/init":
            continue
        e.http(m, p, b)


@scenario("system: info")
def _(e):
    same = ["Containers", "CpuCfsPeriod", "CPUShares", "IPv4Forwarding", "CgroupDriver", "CgroupVersion", "OSType", "Architecture", "NCPU", "MemTotal", "IndexServerAddress", "RegistryConfig", "HttpProxy", "NoProxy", "Labels", "ExperimentalBuild",
            "DefaultRuntime", "Swarm", "LiveRestoreEnabled", "Isolation", "SecurityOptions", "MemoryLimit", "SwapLimit", "PidsLimit", "CPUSet", "OomKillDisable", "LoggingDriver", "NEventsListener", "KernelVersion", "Name", "SystemStatus", "DockerRootDir"]
    r = e.ask("GET", "/info").json()
    e.note("members", {"names": [k for k in r if k != "Containerd"]})  # there is none
    e.note("values", {k: r.get(k, "<absent>") for k in same if k not in ("Containers", "Labels", "NEventsListener")})


@scenario("system: version")
def _(e):
    r = e.ask("GET", "/version").json()
    e.note("members", {"names": list(r), "Os": r["Os"], "Arch": r["Arch"], "MinAPIVersion": r["MinAPIVersion"], "ApiVersion": r["ApiVersion"][:3], "components": [c["Name"] for c in r["Components"]], "engine": sorted(r["Components"][0]["Details"])})


@scenario("system: df")
def _(e):
    e.create("bm-one", HostConfig={"Binds": ["bm-v:/x"]})
    r = e.ask("GET", "/system/df").json()
    e.note("members", {"names": list(r)})
    for kind in ("Images", "Containers", "Volumes", "BuildCache"):
        e.note(kind, {"members": sorted((r[kind] or [{}])[0])})
    for t in ("container", "volume", "nope"):
        r = e.ask("GET", "/system/df?type=" + t)
        e.note(t, {"status": r.status, "body": sorted(r.json())})


@scenario("system: no swarm, no managed plugin")
def _(e):
    for kind in ("nodes", "services", "secrets", "configs"):
        e.http("GET", f"/{kind}")
        e.http("GET", f"/{kind}/x")
        e.http("DELETE", f"/{kind}/x")
        e.http("POST", f"/{kind}/x/update?version=1", {})
    for kind in ("services", "secrets", "configs"):
        e.http("POST", f"/{kind}/create", {})
    for m, p in (("GET", "/swarm"), ("POST", "/swarm/leave"), ("GET", "/swarm/unlockkey"), ("GET", "/tasks"), ("GET", "/tasks/x"), ("GET", "/tasks/x/logs?stdout=1"),
                 ("GET", "/services/x/logs?stdout=1"), ("GET", "/plugins"), ("GET", "/plugins/x/json"), ("POST", "/plugins/x/disable"), ("POST", "/plugins/x/push"),
                 ("DELETE", "/plugins/x")):
        e.http(m, p)
    e.http("POST", "/plugins/x/set", [])
    e.http("POST", "/plugins/x/enable?timeout=1")


@scenario("system: auth, build, session")
def _(e):
    e.http("POST", "/auth", {})
    e.http("POST", "/auth", "x")
    e.http("POST", "/build/prune", None, only=["message"])
    e.http("GET", "/images/search")
    e.http("GET", "/distribution/UPPER/json")
