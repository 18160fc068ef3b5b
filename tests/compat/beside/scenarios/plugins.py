# SPDX-License-Identifier: Apache-2.0
"""Volumes of socket plugins. An engine never forgets a plugin that it has met and asks it for ever, so this is played only where DOCKERD_PEER_PLUGINS names
the directory in which the peer looks for sockets: a moby that nobody else needs."""
import os
import re
import subprocess

from . import add

PEER = os.environ.get("DOCKERD_PEER_PLUGINS")
OURS = os.environ.get("DOCKERD_PLUGIN_PATH", "").split(":")[0]
PROGRAM = os.path.join(os.environ.get("BUILD", "."), "tests/lib/plugin")
_running = {}


def _plugin(e):
    """One plugin for each engine, in a place of its own, of the same name."""
    if e.name not in _running:
        place = OURS if e.name == "ours" else PEER
        root = "/tmp/bm-plugin-" + e.name
        os.makedirs(place, exist_ok=True)
        subprocess.run(["rm", "-rf", root], check=True)
        pid = subprocess.run([PROGRAM, place + "/bm-plug.sock", root, "VolumeDriver"], capture_output=True, text=True, check=True).stdout
        _running[e.name] = (int(pid), root)
        e.roots.append((place, "<sockets>"))
        e.roots.append((root, "<plugin>"))
    return _running[e.name][1]


def _log(e, root):
    """What the plugin was asked since the last look: what changes something, in no order, for an engine may ask for what there is as it likes."""
    lines = open(root + "/log").read().splitlines()
    open(root + "/log", "w").close()
    e.note("asked", sorted(re.sub(r"[0-9a-f]{64}", "<id>", x.split(',"ID"')[0]) for x in lines if x.split(" ")[0] in ("/VolumeDriver.Create", "/VolumeDriver.Remove", "/VolumeDriver.Mount", "/VolumeDriver.Unmount")))


def _scenario(name):
    def wrap(fn):
        def play(e):
            root = _plugin(e)
            fn(e, root)
            _log(e, root)
        if PEER and OURS:
            add("plugins: " + name, play)
        return fn
    return wrap


def _mine(v):
    v["Volumes"] = sorted((x for x in v["Volumes"] or [] if x["Name"].startswith("bm-")), key=lambda x: x["Name"])
    return v


@_scenario("create, inspect, list, remove")
def _(e, root):
    e.http("POST", "/volumes/create", {"Name": "bm-p", "Driver": "bm-plug", "DriverOpts": {"b": "1", "a": "2"}, "Labels": {"l": "m"}})
    e.http("POST", "/volumes/create", {"Name": "bm-p"})
    e.http("POST", "/volumes/create", {"Name": "bm-p", "Driver": "bm-plug"})
    e.http("POST", "/volumes/create", {"Name": "bm-p", "Driver": "local"})
    e.http("POST", "/volumes/create", {"Name": "bm-l"})
    e.http("POST", "/volumes/create", {"Name": "bm-l", "Driver": "bm-plug"})
    e.http("GET", "/volumes/bm-p")
    e.http("GET", "/volumes", only=_mine)
    for f in ('{"driver":["bm-plug"]}', '{"driver":["local"]}', '{"label":["l=m"]}', '{"dangling":["true"]}', '{"name":["p$"]}'):
        e.http("GET", "/volumes?filters=" + __import__("urllib.parse").parse.quote(f), only=_mine)
    e.http("DELETE", "/volumes/bm-p")
    e.http("DELETE", "/volumes/bm-p")
    e.http("DELETE", "/volumes/bm-p?force=1")
    e.http("GET", "/volumes/bm-p")


@_scenario("errors")
def _(e, root):
    for name in ("bad", "worse", "plain"):
        e.http("POST", "/volumes/create", {"Name": name + "-bm", "Driver": "bm-plug"})
    e.http("POST", "/volumes/create", {"Name": "keep-bm", "Driver": "bm-plug", "Labels": {"a": "b"}})
    e.http("DELETE", "/volumes/keep-bm")
    e.http("DELETE", "/volumes/keep-bm?force=1")
    e.http("GET", "/volumes/keep-bm")


@_scenario("made behind the engine's back")
def _(e, root):
    os.makedirs(root + "/volumes/bm-back", exist_ok=True)
    e.http("GET", "/volumes/bm-back")
    e.http("POST", "/volumes/create", {"Name": "bm-back", "Labels": {"not": "taken"}})
    e.http("GET", "/volumes", only=_mine)
    os.rmdir(root + "/volumes/bm-back")
    e.http("GET", "/volumes/bm-back")


@_scenario("containers")
def _(e, root):
    def mounts(v):
        return sorted(v["Mounts"], key=lambda m: m["Destination"])
    e.create("bm-one", HostConfig={"Binds": ["bm-p:/x", "bm-q:/y:ro"], "VolumeDriver": "bm-plug"})
    e.http("GET", "/containers/bm-one/json", only=mounts)
    e.http("POST", "/containers/bm-one/start")
    e.http("GET", "/containers/bm-one/json", only=mounts)
    e.http("GET", "/volumes/bm-p")
    e.http("DELETE", "/volumes/bm-p")
    e.http("POST", "/containers/bm-one/stop?t=0")
    e.http("DELETE", "/containers/bm-one?v=1")
    e.create("bm-two", HostConfig={"Mounts": [{"Type": "volume", "Source": "bm-p", "Target": "/x"}, {"Type": "volume", "Target": "/anon", "VolumeOptions": {"DriverConfig": {"Name": "bm-plug", "Options": {"o": "1"}}}}]})
    e.http("GET", "/containers/bm-two/json", only=lambda v: [{k: x for k, x in m.items() if k != "Name"} for m in mounts(v)])
    e.ask("DELETE", "/containers/bm-two?v=1")
    e.http("POST", "/volumes/prune?filters=%7B%22all%22%3A%5B%22true%22%5D%7D", only=lambda v: [x for x in v["VolumesDeleted"] or [] if x.startswith("bm-")])
    e.http("DELETE", "/volumes/bm-p")
    e.http("DELETE", "/volumes/bm-q")


@_scenario("a volume that can't be mounted")
def _(e, root):
    e.create("bm-one", HostConfig={"Binds": ["unm-bm:/x"], "VolumeDriver": "bm-plug"})
    e.http("POST", "/containers/bm-one/start")
    e.http("GET", "/containers/bm-one/json", only=["State.Error", "State.ExitCode", "State.Status"])
    e.ask("DELETE", "/containers/bm-one?v=1")
    e.http("DELETE", "/volumes/unm-bm")


@_scenario("where the mountpoint is told")
def _(e, root):
    open(root + "/mountpoint", "w").close()
    e.http("POST", "/volumes/create", {"Name": "bm-p", "Driver": "bm-plug"})
    e.http("GET", "/volumes/bm-p")
    e.run("bm-one", HostConfig={"Binds": ["bm-p:/x"]})
    e.http("GET", "/containers/bm-one/json", only=["Mounts"])
    e.ask("DELETE", "/containers/bm-one?force=1")
    e.http("DELETE", "/volumes/bm-p")
    os.unlink(root + "/mountpoint")


@_scenario("gone")
def _(e, root):
    e.ask("POST", "/volumes/create", {"Name": "bm-p", "Driver": "bm-plug"})
    os.kill(_running[e.name][0], 9)
    e.http("GET", "/volumes/bm-p")
    e.http("GET", "/volumes", only=_mine)
    e.http("POST", "/volumes/create", {"Name": "bm-p", "Driver": "local"})
    del _running[e.name]
    pid = subprocess.run([PROGRAM, (OURS if e.name == "ours" else PEER) + "/bm-plug.sock", root, "VolumeDriver"], capture_output=True, text=True, check=True).stdout
    _running[e.name] = (int(pid), root)
    e.http("GET", "/volumes/bm-p", only=["Name"])
    e.http("DELETE", "/volumes/bm-p")
