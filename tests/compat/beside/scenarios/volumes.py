# SPDX-License-Identifier: Apache-2.0
"""/volumes."""
import json
import urllib.parse

from . import add, scenario

CREATE = {
    "named": {"Name": "bm-v"},
    "labels": {"Name": "bm-v", "Labels": {"a": "b"}},
    "driver": {"Name": "bm-v", "Driver": "local"},
    "options": {"Name": "bm-v", "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}},
    "bad option": {"Name": "bm-v", "DriverOpts": {"nope": "1"}},
    "option without device": {"Name": "bm-v", "DriverOpts": {"type": "tmpfs"}},
    "only device": {"Name": "bm-v", "DriverOpts": {"device": "/tmp"}},
    "bind": {"Name": "bm-v", "DriverOpts": {"type": "none", "device": "/tmp", "o": "bind"}},
    "bind of nothing": {"Name": "bm-v", "DriverOpts": {"type": "none", "device": "/tmp/bm-nope", "o": "bind"}},
    "size": {"Name": "bm-v", "DriverOpts": {"size": "1m"}},
    "bad size": {"Name": "bm-v", "DriverOpts": {"size": "x"}},
    "unknown driver": {"Name": "bm-v", "Driver": "bm-nope"},
    "bad name": {"Name": "a b"},
    "name of one letter": {"Name": "a"},
    "name with a slash": {"Name": "a/b"},
    "cluster volume": {"Name": "bm-v", "ClusterVolumeSpec": {}},
    "no body": "",
    "null": "null",
}


def _create(body):
    def fn(e):
        r = e.http("POST", "/volumes/create", body)
        if r.status == 201:
            e.http("GET", "/volumes/bm-v")
            e.http("POST", "/containers/create?name=bm-one", {"Image": "bm-box", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none", "Binds": ["bm-v:/x"]}}, only=["Warnings"])
            e.http("POST", "/containers/bm-one/start")
            e.wait()
            e.http("DELETE", "/volumes/bm-v")
    return fn


for _n, _b in CREATE.items():
    add("volume create: " + _n, _create(_b))


def _mine(v):
    if isinstance(v, dict) and isinstance(v.get("Volumes"), list):
        v["Volumes"] = sorted((x for x in v["Volumes"] if x["Name"].startswith("bm-")), key=lambda x: x["Name"])
    return v


def _filter(f):
    def fn(e):
        e.ask("POST", "/volumes/create", {"Name": "bm-a", "Labels": {"x": "1"}})
        e.ask("POST", "/volumes/create", {"Name": "bm-b"})
        e.create("bm-one", HostConfig={"Binds": ["bm-b:/x"]})
        e.http("GET", "/volumes?filters=" + urllib.parse.quote(json.dumps(f)), only=_mine)
    return fn


for _f in ({}, {"name": ["bm-a"]}, {"name": ["bm"]}, {"label": ["x"]}, {"label": ["x=2"]}, {"dangling": ["true"]}, {"dangling": ["false"]}, {"dangling": ["x"]}, {"driver": ["local"]}, {"driver": ["nope"]}, {"nope": ["x"]}):
    add("volume list: " + json.dumps(_f), _filter(_f))


@scenario("volume: twice, in use, gone")
def _(e):
    e.http("POST", "/volumes/create", {"Name": "bm-v", "Labels": {"a": "1"}})
    e.http("POST", "/volumes/create", {"Name": "bm-v", "Labels": {"a": "2"}})
    e.http("POST", "/volumes/create", {"Name": "bm-v", "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}})
    e.create("bm-one", HostConfig={"Binds": ["bm-v:/x"]})
    e.http("DELETE", "/volumes/bm-v")
    e.http("DELETE", "/volumes/bm-v?force=1")
    e.http("DELETE", "/volumes/nope")
    e.http("DELETE", "/volumes/nope?force=1")
    e.http("GET", "/volumes/nope")
    e.http("PUT", "/volumes/bm-v?version=1", {"Spec": {}})


@scenario("volume prune")
def _(e):
    e.ask("POST", "/volumes/create", {"Name": "bm-a", "Labels": {"bmprune": "1"}})
    q = urllib.parse.quote(json.dumps({"label": ["bmprune"], "all": ["1"]}))
    e.http("POST", "/volumes/prune?filters=" + urllib.parse.quote(json.dumps({"label": ["bmprune"]})))
    e.http("POST", "/volumes/prune?filters=" + q)
    e.http("POST", "/volumes/prune?filters=" + urllib.parse.quote(json.dumps({"nope": ["x"]})))


@scenario("volumes in a container")
def _(e):
    e.create("bm-src", Image="bm-full", Cmd=["x"])
    e.run("bm-one", Image="bm-box", HostConfig={"VolumesFrom": ["bm-src"], "Binds": ["bm-v:/v", "/tmp:/t:ro"], "Tmpfs": {"/m": ""}})
    e.http("GET", "/containers/bm-one/json", only=lambda v: sorted(v["Mounts"], key=lambda m: m["Destination"]))
    e.cli("exec", "bm-one", "sh", "-c", "grep -E ' (/v|/t|/m|/data) ' /proc/mounts | cut -d' ' -f2,4 | sed 's/,.*//' | sort; cat /data/file")


@scenario("volume copy-up")
def _(e):
    e.cli("run", "--rm", "--network", "none", "-v", "bm-v:/data", "bm-box", "ls", "-ln", "/data")
    e.cli("run", "--rm", "--network", "none", "-v", "bm-w:/data:nocopy", "bm-box", "ls", "-ln", "/data")
