# SPDX-License-Identifier: Apache-2.0
"""GET /containers/X/logs."""
import time

from . import add, scenario

QUERIES = ["stdout=1&stderr=1", "stdout=1", "stderr=1", "stdout=1&tail=1", "stdout=1&tail=0", "stdout=1&tail=all", "stdout=1&tail=x", "stdout=1&tail=-5", "stdout=1&timestamps=1",
           "stdout=1&details=1", "stdout=1&since=1", "stdout=1&since=9999999999", "stdout=1&until=1", "stdout=1&since=x", "stdout=1&until=x", "stdout=1&follow=1", "follow=1",
           "", "stdout=0&stderr=0", "stdout=true&stderr=false", "stdout=1&since=2020-01-01T00:00:00Z", "stdout=1&since=1h", "stdout=1&since=1.5", "stdout=1&follow=x"]


def _query(q, tty):
    def fn(e):
        e.run("bm-one", Tty=tty, Cmd=["sh", "-c", "echo one; echo two >&2; echo three; printf nonewline"])
        e.wait()
        e.stream("GET", "/containers/bm-one/logs?" + q)
    return fn


for _q in QUERIES:
    add("logs: " + (_q or "nothing"), _query(_q, False))
for _q in ("stdout=1&stderr=1", "stdout=1&timestamps=1&tail=2", "stderr=1"):
    add("logs of a terminal: " + _q, _query(_q, True))


@scenario("logs: long lines")
def _(e):
    e.run("bm-one", Cmd=["sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo; echo end"])
    e.wait()
    e.stream("GET", "/containers/bm-one/logs?stdout=1")
    e.stream("GET", "/containers/bm-one/logs?stdout=1&tail=1")


@scenario("logs: drivers")
def _(e):
    e.create("bm-one", HostConfig={"LogConfig": {"Type": "none"}})
    e.http("GET", "/containers/bm-one/logs?stdout=1")
    e.ask("POST", "/containers/bm-one/start")
    e.http("GET", "/containers/bm-one/logs?stdout=1")
    e.http("GET", "/containers/nope/logs?stdout=1")


@scenario("logs: labels, env and tag")
def _(e):
    e.run("bm-one", Labels={"l": "1"}, Env=["E=2"], Cmd=["echo", "hi"], HostConfig={"LogConfig": {"Type": "json-file", "Config": {"labels": "l", "env": "E", "tag": "{{.Name}}/{{.ImageName}}"}}})
    e.wait()
    e.stream("GET", "/containers/bm-one/logs?stdout=1&details=1")


@scenario("logs: rotation")
def _(e):
    e.run("bm-one", Cmd=["sh", "-c", "for i in $(seq 300); do echo line $i of some length to fill files with; done"],
          HostConfig={"LogConfig": {"Type": "json-file", "Config": {"max-size": "10k", "max-file": "2"}}})
    e.wait()
    e.stream("GET", "/containers/bm-one/logs?stdout=1")


@scenario("logs: local")
def _(e):
    e.run("bm-one", Cmd=["sh", "-c", "echo one; echo two >&2"], HostConfig={"LogConfig": {"Type": "local"}})
    e.wait()
    e.stream("GET", "/containers/bm-one/logs?stdout=1&stderr=1")
    e.http("GET", "/containers/bm-one/json", only=["HostConfig.LogConfig", "LogPath"])


@scenario("logs: follow to the end")
def _(e):
    e.run("bm-one", Cmd=["sh", "-c", "echo a; sleep 1; echo b"])
    e.stream("GET", "/containers/bm-one/logs?stdout=1&follow=1")
