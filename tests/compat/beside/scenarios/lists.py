# SPDX-License-Identifier: Apache-2.0
"""GET /containers/json: filters, fields, order."""
import json
import urllib.parse

from . import add, scenario

FILTERS = [{"name": ["bm-one"]}, {"name": ["one", "two"]}, {"name": ["^/bm-t"]}, {"name": ["["]}, {"label": ["x"]}, {"label": ["x=1"]}, {"label": ["x=1", "y"]}, {"label": ["nope"]},
           {"status": ["running"]}, {"status": ["created", "exited"]}, {"status": ["nope"]}, {"exited": ["3"]}, {"exited": ["x"]}, {"ancestor": ["bm-box"]}, {"ancestor": ["bm-box:latest"]},
           {"ancestor": ["nope"]}, {"before": ["bm-two"]}, {"since": ["bm-one"]}, {"before": ["nope"]}, {"volume": ["bm-v"]}, {"volume": ["/v"]}, {"network": ["none"]}, {"network": ["nope"]},
           {"publish": ["80"]}, {"expose": ["80/tcp"]}, {"expose": ["90-x"]}, {"health": ["none"]}, {"health": ["nope"]}, {"is-task": ["true"]}, {"is-task": ["x"]}, {"isolation": ["default"]},
           {"nope": ["x"]}, {"name": {"bm-one": True}}, {"label": "x"}, {"name": [1]}]


def _setup(e):
    e.create("bm-one", Labels={"x": "1"}, ExposedPorts={"80/tcp": {}})
    e.run("bm-two", Labels={"x": "2", "y": ""}, HostConfig={"Binds": ["bm-v:/v"]})
    e.run("bm-three", Cmd=["sh", "-c", "exit 3"])
    e.wait("bm-three")


def _mine(v):
    if not isinstance(v, list):
        return v
    return [c for c in v if c["Labels"].get("bm")]


def _blur(v):
    v = _mine(v)
    if isinstance(v, list):
        for c in v:
            c["Created"] = "<t>"
    return v


def _filter(f):
    def fn(e):
        _setup(e)
        q = urllib.parse.quote(json.dumps(f))
        e.http("GET", "/containers/json?all=1&filters=" + q, only=lambda v: [c["Names"][0] for c in _mine(v)] if isinstance(v, list) else v)
    return fn


for _f in FILTERS:
    add("list: " + json.dumps(_f), _filter(_f))


BY = {
    "publish": ["18090", "18090/tcp", "18090/udp", "18000-18100", "18000-18100/udp", "90", "0", "65536", "5-3", "5-3/udp", "x", "", "/tcp", "18090/", "18090/sctp", "18090/x", "18090-"],
    "expose": ["90", "90/tcp", "90/udp", "50-60/udp", "50-60", "8000/udp", "1-65535", "80-90/tcp", "-1", "90/TCP", "18090", "x/tcp"],
    "network": ["bm-n", "bridge", "none", "bm", "bm-n2", "host"],
    "volume": ["bm-v", "/v", "/v/", "/tmp", "/t", "/w", "bm", "v", ""],
    "health": ["none", "starting", "healthy", "unhealthy", "None", ""],
    "is-task": ["true", "false", "1", "0", "True", "t", "TRUE", "", "yes"],
    "isolation": ["default", "hyperv", "x"],
    "before": ["bm-one", "bm-two", "bm-four", "/bm-two", ""],
    "since": ["bm-one", "bm-two", "bm-four", "/bm-two", ""],
    "exited": ["0", "3", "-1", "03", "+3", " 3", ""],
    "status": ["restarting", "removing", "dead", "paused", "Running", ""],
    "id": ["", "nope"],
    "ancestor": ["bm-full", "bm-box:nope", "sha256:", ""],
}
TOGETHER = [{"publish": ["1", "18090"]}, {"expose": ["1", "90"]}, {"publish": ["1"], "expose": ["90"]}, {"network": ["bm-n", "bridge"]}, {"network": ["bm-n"], "volume": ["bm-v"]},
            {"volume": ["bm-v", "/tmp"]}, {"health": ["starting", "none"]}, {"is-task": ["true", "x"]}, {"is-task": ["false", "0", "x"]}, {"is-task": []}, {"before": ["bm-four"], "since": ["bm-one"]},
            {"since": ["bm-one", "nope"]}, {"exited": ["0", "3"]}, {"exited": ["3"], "status": ["running"]},
            {"label": ["bm=1", "bm"]}, {"label": ["bm=2"]}, {"label": ["bm="]}, {"ancestor": ["bm-full", "bm-box"]}, {}]


def _ask(e, f, more="all=1"):
    q = urllib.parse.quote(json.dumps(f))
    e.http("GET", f"/containers/json?{more}&filters={q}", only=lambda v: [c["Names"][0] for c in _mine(v)] if isinstance(v, list) else v)


def _joined(e):
    """One that was only made, one with ports on a network of its own, one with volumes, one that has ended."""
    e.ask("POST", "/networks/create", {"Name": "bm-n"})
    e.create("bm-one", ExposedPorts={"80/tcp": {}, "8000/udp": {}}, HostConfig={"NetworkMode": "bridge"})
    e.run("bm-two", ExposedPorts={"90/tcp": {}, "91/tcp": {}}, HostConfig={"NetworkMode": "bm-n", "PortBindings": {"90/tcp": [{"HostPort": "18090"}], "53/udp": [{"HostPort": "18053"}]}})
    e.run("bm-three", Healthcheck={"Test": ["CMD", "true"], "Interval": 3600000000000}, HostConfig={"NetworkMode": "bridge", "Binds": ["bm-v:/v", "/tmp:/t"], "Tmpfs": {"/w": ""}})
    e.run("bm-four", Image="bm-full", Cmd=["x"], Entrypoint=["sh", "-c", "exit 3"])
    e.wait("bm-four")


def _by(name):
    def fn(e):
        _joined(e)
        for v in BY[name]:
            _ask(e, {name: [v]})
            _ask(e, {name: [v]}, "limit=0")
    return fn


for _n in BY:
    add(f"list: every kind of value of the filter {_n}", _by(_n))


@scenario("list: filters together")
def _(e):
    _joined(e)
    for f in TOGETHER:
        for more in ("all=1", "all=0", "limit=1", "limit=2", "limit=-1", "size=1"):
            _ask(e, f, more)
    net = e.ask("GET", "/networks/bm-n").json()["Id"]
    two = e.ask("GET", "/containers/bm-two/json").json()
    for f in ({"network": [net]}, {"network": [net[:12]]}, {"id": [two["Id"]]}, {"id": [two["Id"][:3]]}, {"since": [two["Id"][:12]]}, {"before": [two["Id"]]},
              {"ancestor": [two["Image"]]}, {"ancestor": [two["Image"][7:19]]}, {"ancestor": [two["Image"][:20]]}):
        _ask(e, f)


@scenario("list: all fields")
def _(e):
    _setup(e)
    e.http("GET", "/containers/json?all=1", only=_blur)
    e.http("GET", "/containers/json", only=_blur)
    for q in ("limit=0", "limit=x", "all=x", "size=1&filters=%7B%22label%22%3A%5B%22x%3D1%22%5D%7D&all=1"):
        e.http("GET", "/containers/json?" + q, only=lambda v: [sorted(c) for c in _mine(v)] if isinstance(v, list) else v)


@scenario("list: older versions")
def _(e):
    _setup(e)
    for v in (24, 30, 40, 43, 44, 46, 48, 50):
        e.http("GET", f"/v1.{v}/containers/json?all=1", only=_blur)


@scenario("inspect: older versions")
def _(e):
    e.run("bm-one", HostConfig={"NetworkMode": "bridge"})
    for v in (24, 30, 40, 43, 44, 46, 48, 50):
        e.http("GET", f"/v1.{v}/containers/bm-one/json")


@scenario("inspect: what is not there, sizes")
def _(e):
    e.http("GET", "/containers/nope/json")
    e.create("bm-one")
    e.create("bm-two")
    e.http("GET", "/containers/bm-one/json?size=1", only=["SizeRw", "SizeRootFs"])
    e.http("GET", "/containers/bm-/json")


@scenario("inspect: by id and its beginning")
def _(e):
    i = e.create("bm-one")
    for n in (64, 12, 4):
        e.http("GET", f"/containers/{i[:n]}/json", only=["Name"])
    e.http("GET", f"/containers/{i.upper()}/json", only=["Name"])
