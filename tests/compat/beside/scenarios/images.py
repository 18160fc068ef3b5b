# SPDX-License-Identifier: Apache-2.0
"""/images and what belongs to them."""
import json
import urllib.parse

from . import add, scenario


def _mine(v):
    if isinstance(v, list):
        v = [i for i in v if any(t.startswith("bm-") for t in i.get("RepoTags") or [])]
        v.sort(key=lambda i: sorted(i["RepoTags"]))
    return v


def _filter(f):
    def fn(e):
        e.ask("POST", "/images/bm-box/tag?repo=bm-tag&tag=1")
        e.http("GET", "/images/json?filters=" + urllib.parse.quote(json.dumps(f)), only=lambda v: sorted(t for i in _mine(v) for t in i["RepoTags"] if t != "bm-raw:latest") if isinstance(v, list) else v)
    return fn


for _f in ({}, {"reference": ["bm-box"]}, {"reference": ["bm-*"]}, {"reference": ["bm-tag:1"]}, {"reference": ["["]}, {"label": ["one"]}, {"label": ["one=2"]}, {"dangling": ["true"]}, {"dangling": ["x"]}, {"before": ["bm-full"]},
           {"since": ["bm-box"]}, {"before": ["nope"]}, {"until": ["1h"]}, {"until": ["x"]}, {"nope": ["x"]}):
    add("image list: " + json.dumps(_f), _filter(_f))


@scenario("image list: fields")
def _(e):
    for q in ("", "?shared-size=1", "?digests=1", "?all=1", "?manifests=1"):
        e.http("GET", "/images/json" + q, only=lambda v: [i for i in _mine(v) if "bm-raw:latest" not in i["RepoTags"]])


@scenario("image inspect and history")
def _(e):
    for name in ("bm-full", "bm-box:latest", "docker.io/library/bm-box", "nope", "bm-box:nope", "UPPER", "bm-box@sha256:" + "0" * 64):
        e.http("GET", f"/images/{name}/json")
        e.http("GET", f"/images/{name}/history")


TAGS = ["repo=bm-tag&tag=1", "repo=bm-tag", "repo=BM&tag=1", "repo=bm-tag&tag=-bad", "repo=", "repo=localhost:5000/bm-x&tag=y", "repo=bm-tag@sha256:" + "0" * 64, "repo=bm-tag:2", "repo=a//b", "repo=" + "a" * 300]
for _t in TAGS:
    def _fn(e, t=_t):
        e.http("POST", "/images/bm-box/tag?" + t)
    add("image tag: " + _t[:60], _fn)


@scenario("image tag: of nothing")
def _(e):
    e.http("POST", "/images/nope/tag?repo=bm-tag")


@scenario("image delete")
def _(e):
    e.ask("POST", "/images/bm-box/tag?repo=bm-tag&tag=1")
    e.http("DELETE", "/images/bm-tag:1")
    e.http("DELETE", "/images/bm-tag:1")
    e.ask("POST", "/commit?container=" + e.create("bm-src") + "&repo=bm-derived")
    e.create("bm-one", Image="bm-derived")
    e.http("DELETE", "/images/bm-derived")
    e.http("DELETE", "/images/bm-derived?force=1&noprune=1")
    e.ask("POST", "/commit?container=bm-src&repo=bm-d2")
    i = e.ask("GET", "/images/bm-d2/json").json()["Id"]
    e.ask("POST", "/images/bm-d2/tag?repo=bm-d3")
    e.http("DELETE", "/images/" + i)
    e.run("bm-two", Image="bm-d2")
    e.http("DELETE", "/images/" + i + "?force=1")
    e.http("DELETE", "/images/bm-d2")
    e.http("DELETE", "/images/bm-d3?force=1")
    e.http("DELETE", "/images/bm-box@sha256:" + "0" * 64)


@scenario("image prune")
def _(e):
    for f in ({"nope": ["x"]}, {"dangling": ["x"]}, {"until": ["x"]}, {"label": ["bm-none"]}):
        e.http("POST", "/images/prune?filters=" + urllib.parse.quote(json.dumps(f)))


@scenario("image load and import: odd input")
def _(e):
    e.stream("POST", "/images/load?quiet=1", {})
    e.http("POST", "/images/load", raw=b"garbage" * 200, headers={"Content-Type": "application/x-tar"})
    e.http("POST", "/images/load?platform=x", raw=b"", headers={"Content-Type": "application/x-tar"})
    e.http("POST", "/images/create?fromSrc=-&repo=BAD", raw=b"")
    e.http("POST", "/images/create?fromSrc=-&repo=bm-imp&tag=-x", raw=b"")
    e.http("POST", "/images/create?fromSrc=-&repo=bm-imp", raw=b"garbage" * 200)
    e.http("POST", "/images/create?fromSrc=-&repo=bm-imp&changes=NOPE+x", raw=b"\0" * 1024)
    e.http("POST", "/images/create")
    e.http("POST", "/images/create?fromImage=UPPER")
    e.http("POST", "/images/create?fromImage=x&platform=bad/platform/x/y")


@scenario("image get: odd names")
def _(e):
    e.http("GET", "/images/nope/get")
    e.http("GET", "/images/get?names=nope")
    r = e.ask("GET", "/images/get")
    e.note("no names", {"status": r.status, "type": r.headers.get("content-type")})


COMMITS = ["repo=bm-c&tag=1", "repo=BAD", "repo=bm-c&changes=ENV+X%3D1%0ALABEL+l%3D2", "repo=bm-c&changes=RUN+x", "repo=bm-c&changes=NOPE", "repo=bm-c&author=me&comment=why", "repo=bm-c&pause=x", "repo=bm-c&changes=EXPOSE+x",
           "repo=bm-c&changes=CMD+a+b&changes=ENTRYPOINT+%5B%22x%22%5D", "repo=bm-c&changes=VOLUME+%2Fv&changes=USER+www&changes=WORKDIR+%2Fq&changes=STOPSIGNAL+9&changes=ONBUILD+RUN+x&changes=HEALTHCHECK+NONE"]
for _c in COMMITS:
    def _fn(e, c=_c):
        e.create("bm-one", Env=["A=1"])
        r = e.http("POST", "/commit?container=bm-one&" + c, {"Env": ["B=2"]} if "author" in c else None, only=["message"] )
        if r.status == 201:
            e.http("GET", "/images/bm-c" + (":1" if "tag=1" in c else "") + "/json", only=["Config", "Author", "Comment"])
            e.http("GET", "/images/bm-c" + (":1" if "tag=1" in c else "") + "/history", only=lambda v: [{k: x[k] for k in ("CreatedBy", "Comment")} for x in v])
    add("commit: " + _c[:70], _fn)


@scenario("commit: of nothing")
def _(e):
    e.http("POST", "/commit?container=nope&repo=bm-c")
    e.http("POST", "/commit?repo=bm-c")
