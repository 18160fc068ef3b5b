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
