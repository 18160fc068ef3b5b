# SPDX-License-Identifier: Apache-2.0
"""The order and attributes of events."""
import time

from . import add, scenario


def _seen(e, since, **filters):
    until = repr(time.time())
    out = []
    for x in e.events(since, until, **filters):
        for k in ("time", "timeNano"):
            x[k] = "<t>"
        x["Actor"]["Attributes"].pop("execID", None) and x["Actor"]["Attributes"].update(execID="<id>")
        out.append(x)
    for i in range(1, len(out)):  # moby's die and stop come from two goroutines
        if (out[i - 1]["Action"], out[i]["Action"]) == ("stop", "die"):
            out[i - 1], out[i] = out[i], out[i - 1]
    e.note("events", {"events": out})


def watched(name, **filters):
    def wrap(fn):
        def run(e):
            since = repr(time.time())
            fn(e)
            _seen(e, since, **filters)
        add("events: " + name, run)
        return fn
    return wrap


@watched("create, start, exit, remove", type=["container"])
def _(e):
    e.run("bm-one", Cmd=["sh", "-c", "exit 3"])
    e.wait()
    e.ask("DELETE", "/containers/bm-one")


@watched("kill", type=["container"])
def _(e):
    e.run()
    e.ask("POST", "/containers/bm-one/kill?signal=USR1")
    e.ask("POST", "/containers/bm-one/kill")
    e.wait()


@watched("stop", type=["container"])
def _(e):
    e.run()
    e.ask("POST", "/containers/bm-one/stop?t=1")
    e.wait()


@watched("restart", type=["container"])
def _(e):
    e.run()
    e.ask("POST", "/containers/bm-one/restart?t=0")


@watched("pause", type=["container"])
def _(e):
    e.run()
    e.ask("POST", "/containers/bm-one/pause")
    e.ask("POST", "/containers/bm-one/unpause")


@watched("rename, update, resize", type=["container"])
def _(e):
    e.run("bm-one", Tty=True)
    e.ask("POST", "/containers/bm-one/rename?name=bm-two")
    e.ask("POST", "/containers/bm-two/update", {"RestartPolicy": {"Name": "no"}})
    e.ask("POST", "/containers/bm-two/resize?h=3&w=4")


@watched("exec", type=["container"])
def _(e):
    e.run()
    x = e.ask("POST", "/containers/bm-one/exec", {"Cmd": ["sh", "-c", "exit 2"], "AttachStdout": True}).json()["Id"]
    e.record, keep = [], e.record
    e.stream("POST", f"/exec/{x}/start", {})
    e.record = keep
    time.sleep(0.3)


@watched("export, archive, commit", type=["container"])
def _(e):
    e.run("bm-one", Cmd=["sleep", "1000"])
    e.ask("GET", "/containers/bm-one/export")
    e.ask("GET", "/containers/bm-one/archive?path=/data")
    e.ask("PUT", "/containers/bm-one/archive?path=/tmp", raw=b"\0" * 1024, headers={"Content-Type": "application/x-tar"})
    e.ask("POST", "/commit?container=bm-one&repo=bm-committed")


@watched("auto-remove", type=["container"])
def _(e):
    e.create("bm-one", Cmd=["true"], HostConfig={"AutoRemove": True})
    e.ask("POST", "/containers/bm-one/start")
    e.ask("POST", "/containers/bm-one/wait?condition=removed")
    time.sleep(0.5)


@watched("a container that can't start", type=["container"])
def _(e):
    e.create("bm-one", Cmd=["nope"])
    e.ask("POST", "/containers/bm-one/start")


@scenario("events: health")
def _(e):
    since = repr(time.time())
    e.run("bm-one", Healthcheck={"Test": ["CMD", "true"], "Interval": 200000000, "Retries": 1}, Cmd=["sleep", "2"])
    e.wait()
    seen = []
    for x in e.events(since, repr(time.time()), type=["container"]):
        if x["Action"] not in seen:  # how many probes fit in is a matter of luck
            seen.append(x["Action"])
    e.note("events", {"actions": sorted(seen)})


def _volume(e):
    since = repr(time.time())
    e.ask("POST", "/volumes/create", {"Name": "bm-v", "Labels": {"bm": "1"}})
    e.run("bm-one", Cmd=["true"], HostConfig={"Binds": ["bm-v:/x"]})
    e.wait()
    e.ask("DELETE", "/containers/bm-one")
    e.ask("DELETE", "/volumes/bm-v")
    _seen(e, since, labelled=False, volume=["bm-v"])


add("events: volumes", _volume)


def _network(e):
    since = repr(time.time())
    e.ask("POST", "/networks/create", {"Name": "bm-n"})
    e.run("bm-one", HostConfig={"NetworkMode": "bm-n"})
    e.create("bm-two")
    e.ask("POST", "/networks/bm-n/connect", {"Container": "bm-two"})
    e.ask("DELETE", "/containers/bm-one?force=1")
    e.ask("DELETE", "/containers/bm-two?force=1")
    e.ask("DELETE", "/networks/bm-n")
    _seen(e, since, labelled=False, network=["bm-n"])


add("events: networks", _network)


def _life(e):
    """All types, all attributes, in order: a container with a volume and a network of its own, from its creation to the end."""
    since = repr(time.time())
    e.ask("POST", "/networks/create", {"Name": "bm-n", "Labels": {"n": "1"}})
    e.ask("POST", "/volumes/create", {"Name": "bm-v", "Labels": {"v": "1"}})
    e.run("bm-one", Labels={"bm": "1", "two": "words and more"}, Env=["A=1"], StopSignal="SIGKILL", Cmd=["cat"], OpenStdin=True, ExposedPorts={"80/tcp": {}},
          HostConfig={"NetworkMode": "bm-n", "Binds": ["bm-v:/v:ro", "/tmp:/t"], "PortBindings": {"80/tcp": [{"HostPort": "18080"}]}})
    e.ask("POST", "/containers/bm-one/pause")
    e.ask("POST", "/containers/bm-one/unpause")
    x = e.ask("POST", "/containers/bm-one/exec", {"Cmd": ["sh", "-c", "exit 2"], "Privileged": True}).json()["Id"]
    e.ask("POST", f"/exec/{x}/start", {"Detach": True})
    while e.ask("GET", f"/exec/{x}/json").json()["Running"]:
        time.sleep(0.05)
    e.ask("POST", "/networks/bridge/connect", {"Container": "bm-one"})
    e.ask("POST", "/networks/bridge/disconnect", {"Container": "bm-one"})
    e.ask("POST", "/containers/bm-one/rename?name=bm-two")
    e.ask("POST", "/containers/bm-two/update", {"RestartPolicy": {"Name": "unless-stopped"}})
    e.ask("POST", "/commit?container=bm-two&repo=bm-c&comment=words&author=me")
    e.ask("POST", "/containers/bm-two/kill?signal=URG")
    e.ask("POST", "/containers/bm-two/restart?t=1")
    e.ask("POST", "/containers/bm-two/stop?t=1")
    e.ask("POST", "/containers/bm-two/start")
    e.ask("DELETE", "/containers/bm-two?force=1&v=1")
    e.ask("DELETE", "/images/bm-c")
    e.ask("DELETE", "/volumes/bm-v")
    e.ask("DELETE", "/networks/bm-n")
    time.sleep(0.3)
    _seen(e, since, labelled=False)


add("events: a whole life, all types", _life)


def _image(e):
    since = repr(time.time())
    e.ask("POST", "/images/bm-box/tag?repo=bm-tag&tag=1")
    e.ask("DELETE", "/images/bm-tag:1")
    _seen(e, since, labelled=False, type=["image"])


add("events: images", _image)


@scenario("events: images that are made")
def _(e):
    e.create("bm-one")
    since = repr(time.time())
    e.ask("POST", "/commit?container=bm-one&repo=bm-c&changes=LABEL%20a=b")
    two = e.ask("POST", "/commit?container=bm-one").json()["Id"]
    archive = e.call("export", "bm-one").stdout
    e.call("import", "-", "bm-imported", input=archive)
    bare = e.call("import", "-", input=archive).stdout.decode().strip()
    saved = e.call("save", "bm-c").stdout
    e.call("load", input=saved)
    e.call("rmi", "bm-c")
    e.call("load", input=saved)
    for image in (two, bare, "bm-imported", "bm-c"):
        e.ask("DELETE", "/images/" + image)
    _seen(e, since, labelled=False, type=["image"])


@scenario("events: bad questions")
def _(e):
    for q in ("filters=x", "since=x", "until=x", "since=1&until=2&filters=%7B%22nope%22%3A%5B%22x%22%5D%7D", "since=5&until=3"):
        e.http("GET", "/events?" + q)
