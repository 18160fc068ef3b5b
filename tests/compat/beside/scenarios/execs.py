# SPDX-License-Identifier: Apache-2.0
"""exec: create, start, inspect, resize."""
import time

from . import add, scenario

CREATE = {
    "plain": {"Cmd": ["true"], "AttachStdout": True},
    "everything": {"Cmd": ["sh", "-c", "id; pwd; echo $A"], "User": "www", "WorkingDir": "/tmp", "Env": ["A=b"], "Tty": True, "Privileged": True, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, "DetachKeys": "ctrl-a"},
    "no command": {},
    "empty command": {"Cmd": []},
    "command as string": {"Cmd": "true"},
    "bad detach keys": {"Cmd": ["true"], "DetachKeys": "nope-nope"},
    "bad json": "{",
    "console size": {"Cmd": ["true"], "ConsoleSize": [3, 4], "Tty": True},
    "unknown field": {"Cmd": ["true"], "Nope": 1},
    "env without name": {"Cmd": ["true"], "Env": ["=x"]},
}


def _create(body):
    def fn(e):
        e.run()
        r = e.http("POST", "/containers/bm-one/exec", body)
        if r.status == 201:
            e.http("GET", f"/exec/{r.json()['Id']}/json")
    return fn


for _n, _b in CREATE.items():
    add("exec create: " + _n, _create(_b))

START = {
    "output and code": {"Cmd": ["sh", "-c", "echo out; echo err >&2; exit 5"]},
    "missing program": {"Cmd": ["nope"]},
    "missing path": {"Cmd": ["/nope"]},
    "no permission": {"Cmd": ["/etc/passwd"]},
    "a directory": {"Cmd": ["/data"]},
    "user": {"Cmd": ["id"], "User": "www"},
    "user by numbers": {"Cmd": ["id"], "User": "7:8"},
    "missing user": {"Cmd": ["id"], "User": "nope"},
    "missing group": {"Cmd": ["id"], "User": "0:nope"},
    "working dir": {"Cmd": ["pwd"], "WorkingDir": "/data"},
    "missing working dir": {"Cmd": ["pwd"], "WorkingDir": "/nope"},
    "environment": {"Cmd": ["sh", "-c", "env | grep -v HOSTNAME | sort"], "Env": ["A=1", "HOME=/x"]},
    "capabilities": {"Cmd": ["grep", "Cap", "/proc/self/status"]},
    "capabilities of a user": {"Cmd": ["grep", "Cap", "/proc/self/status"], "User": "www"},
    "capabilities, privileged": {"Cmd": ["sh", "-c", "grep Cap /proc/self/status | sed 's/0000.*/x/'"], "Privileged": True},
    "limits": {"Cmd": ["sh", "-c", "ulimit -a | sort"]},
    "seccomp": {"Cmd": ["grep", "-E", "Seccomp:|NoNewPrivs", "/proc/self/status"]},
    "killed": {"Cmd": ["sh", "-c", "kill -9 $$"]},
    "binary": {"Cmd": ["printf", "\\000\\377\\001"]},
}


def _start(body):
    def fn(e):
        e.run()
        body.update(AttachStdout=True, AttachStderr=True)
        r = e.http("POST", "/containers/bm-one/exec", body)
        if r.status != 201:
            return
        x = r.json()["Id"]
        e.stream("POST", f"/exec/{x}/start", {"Detach": False})
        e.http("GET", f"/exec/{x}/json")
    return fn


for _n, _b in START.items():
    add("exec: " + _n, _start(_b))


@scenario("exec: upgrade")
def _(e):
    e.run()
    x = e.ask("POST", "/containers/bm-one/exec", {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True}).json()["Id"]
    e.stream("POST", f"/exec/{x}/start", {}, input=b"hello\n", headers={"Connection": "Upgrade", "Upgrade": "tcp"})
    e.http("GET", f"/exec/{x}/json", only=["ExitCode", "Running", "OpenStdin"])


@scenario("exec: terminal")
def _(e):
    e.run()
    x = e.ask("POST", "/containers/bm-one/exec", {"Cmd": ["sh", "-c", "stty size; tty"], "AttachStdout": True, "Tty": True, "ConsoleSize": [11, 22]}).json()["Id"]
    e.stream("POST", f"/exec/{x}/start", {"Tty": True, "ConsoleSize": [11, 22]})
    time.sleep(0.5)  # moby has other words while it buries the process
    e.http("POST", f"/exec/{x}/resize?h=1&w=2")


@scenario("exec: detached")
def _(e):
    e.run()
    x = e.ask("POST", "/containers/bm-one/exec", {"Cmd": ["sleep", "1000"]}).json()["Id"]
    e.http("POST", f"/exec/{x}/start", {"Detach": True})
    e.http("GET", f"/exec/{x}/json", only=["ExitCode", "Running"])
    e.http("POST", f"/exec/{x}/start", {"Detach": True})


@scenario("exec: what is not there")
def _(e):
    e.http("POST", "/containers/nope/exec", {"Cmd": ["true"]})
    e.http("POST", "/exec/nope/start", {})
    e.http("GET", "/exec/nope/json")
    e.http("POST", "/exec/nope/resize?h=1&w=1")
    e.run()
    x = e.ask("POST", "/containers/bm-one/exec", {"Cmd": ["true"]}).json()["Id"]
    e.http("POST", f"/exec/{x}/resize?h=1&w=1")
    e.http("POST", f"/exec/{x}/resize?h=x&w=1")
    e.ask("POST", "/containers/bm-one/pause")
    e.http("POST", f"/exec/{x}/start", {})
    e.http("POST", "/containers/bm-one/exec", {"Cmd": ["true"]})
    e.ask("POST", "/containers/bm-one/unpause")
    e.ask("POST", "/containers/bm-one/kill")
    e.wait()
    e.http("POST", f"/exec/{x}/start", {})


@scenario("exec: twice")
def _(e):
    e.run()
    x = e.ask("POST", "/containers/bm-one/exec", {"Cmd": ["true"], "AttachStdout": True}).json()["Id"]
    e.stream("POST", f"/exec/{x}/start", {})
    e.http("POST", f"/exec/{x}/start", {})
    e.http("GET", "/containers/bm-one/json", only=["ExecIDs"])
