# SPDX-License-Identifier: Apache-2.0
"""attach in its framings."""
from . import add, scenario

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}


def _attach(tty, query, headers, input=b"", cmd=None):
    def fn(e):
        e.create("bm-one", Tty=tty, OpenStdin=bool(input), AttachStdin=bool(input), Cmd=cmd or ["sh", "-c", "echo out; echo err >&2; sleep 1"])
        e.ask("POST", "/containers/bm-one/start") if not input else None
        if input:
            e.ask("POST", "/containers/bm-one/start")
        e.stream("POST", "/containers/bm-one/attach?" + query, headers=headers, input=input)
        e.wait()
        e.http("GET", "/containers/bm-one/json", only=["State.Status", "State.ExitCode"])
    return fn


for _tty in (False, True):
    for _h in ({}, UPGRADE):
        _name = f"attach{', terminal' if _tty else ''}{', upgrade' if _h else ''}: "
        add(_name + "logs and stream", _attach(_tty, "logs=1&stream=1&stdout=1&stderr=1", _h))
        add(_name + "logs alone", _attach(_tty, "logs=1&stdout=1&stderr=1", _h))
        add(_name + "nothing", _attach(_tty, "", _h))
add("attach: bad detach keys", _attach(False, "stream=1&stdout=1&detachKeys=nope-", {}))
add("attach: detach keys", _attach(True, "stream=1&stdin=1&stdout=1&detachKeys=a,b", UPGRADE, b"xab", ["sleep", "3"]))


@scenario("attach: what is not there")
def _(e):
    e.http("POST", "/containers/nope/attach?stream=1")
    e.http("GET", "/containers/nope/attach/ws?stream=1", headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==", "Origin": "http://x"})
    e.run()
    e.http("GET", "/containers/bm-one/attach/ws?stream=1")
    e.ask("POST", "/containers/bm-one/pause")
    e.http("POST", "/containers/bm-one/attach?stream=1")
    e.ask("POST", "/containers/bm-one/unpause")
