# SPDX-License-Identifier: Apache-2.0
"""Start to end: states, conflicts, what inspect says on the way."""
from . import add, scenario

STATE = ["State", "RestartCount", "Name"]


def _state(e):
    e.http("GET", "/containers/bm-one/json", only=STATE)


def _with(how, then):
    def fn(e):
        {"created": e.create, "running": e.run}.get(how, e.run)()
        if how == "exited":
            e.ask("POST", "/containers/bm-one/kill")
            e.wait()
        if how == "paused":
            e.ask("POST", "/containers/bm-one/pause")
        if how == "removed":
            e.ask("DELETE", "/containers/bm-one?force=1")
        method, path, body = then
        e.http(method, path, body)
        if how == "paused":
            e.ask("POST", "/containers/bm-one/unpause")
        _state(e)
    return fn


ACTIONS = {
    "start": ("POST", "/containers/bm-one/start", None),
    "stop": ("POST", "/containers/bm-one/stop?t=0", None),
    "kill": ("POST", "/containers/bm-one/kill", None),
    "kill with a bad signal": ("POST", "/containers/bm-one/kill?signal=NOPE", None),
    "kill HUP": ("POST", "/containers/bm-one/kill?signal=SIGURG", None),
    "pause": ("POST", "/containers/bm-one/pause", None),
    "unpause": ("POST", "/containers/bm-one/unpause", None),
    "restart": ("POST", "/containers/bm-one/restart?t=0", None),
    "rename": ("POST", "/containers/bm-one/rename?name=bm-two", None),
    "rename to itself": ("POST", "/containers/bm-one/rename?name=bm-one", None),
    "rename without name": ("POST", "/containers/bm-one/rename", None),
    "rename to a bad name": ("POST", "/containers/bm-one/rename?name=%2f%2f", None),
    "resize": ("POST", "/containers/bm-one/resize?h=10&w=20", None),
    "resize without size": ("POST", "/containers/bm-one/resize", None),
    "resize badly": ("POST", "/containers/bm-one/resize?h=x&w=20", None),
    "remove": ("DELETE", "/containers/bm-one", None),
    "remove a link": ("DELETE", "/containers/bm-one?link=1", None),
    "top": ("GET", "/containers/bm-one/top", None),
    "top with bad arguments": ("GET", "/containers/bm-one/top?ps_args=--nope", None),
    "stats once": ("GET", "/containers/bm-one/stats?stream=0&one-shot=1", None),
    "changes": ("GET", "/containers/bm-one/changes", None),
    "update nothing": ("POST", "/containers/bm-one/update", {}),
    "update restart": ("POST", "/containers/bm-one/update", {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}),
    "update badly": ("POST", "/containers/bm-one/update", {"Memory": 1}),
    "update kernel memory": ("POST", "/containers/bm-one/update", {"KernelMemory": 67108864}),
    "wait not running": ("POST", "/containers/bm-one/wait?condition=not-running", None) ,
    "wait bad condition": ("POST", "/containers/bm-one/wait?condition=nope", None),
    "checkpoints": ("GET", "/containers/bm-one/checkpoints", None),
    "remove a checkpoint": ("DELETE", "/containers/bm-one/checkpoints/x", None),
    "checkpoint": ("POST", "/containers/bm-one/checkpoints", {"CheckpointID": "x"}),
    "attach": ("POST", "/containers/bm-one/attach?logs=1&stdout=1", None),
    "exec": ("POST", "/containers/bm-one/exec", {"Cmd": ["true"]}),
    "logs without streams": ("GET", "/containers/bm-one/logs", None),
    "archive of nothing": ("HEAD", "/containers/bm-one/archive?path=/nope", None),
}
for _how in ("created", "running", "paused", "exited", "removed"):
    for _what, _then in ACTIONS.items():
        if _how in ("running", "paused") and _what in ("wait not running",):
            continue
        if _what.startswith(("stats", "top", "changes", "attach")) and _how in ("running", "paused"):
            continue  # numbers, or without end: elsewhere
        add(f"life: {_what} when {_how}", _with(_how, _then))


@scenario("life: exit codes")
def _(e):
    for cmd in (["true"], ["false"], ["sh", "-c", "exit 42"], ["sh", "-c", "kill -9 $$"], ["sh", "-c", "kill -TERM $$; sleep 9"]):
        e.run("bm-one", Cmd=cmd)
        e.http("POST", "/containers/bm-one/wait")
        _state(e)
        e.ask("DELETE", "/containers/bm-one?force=1")


@scenario("life: programs that can't be started")
def _(e):
    for cmd in (["nope"], ["/nope"], ["/etc/passwd"], ["/data"], ["./x"], [""], ["/bin/busybox/x"]):
        e.http("POST", "/containers/create?name=bm-one", {"Image": "bm-box", "Cmd": cmd, "HostConfig": {"NetworkMode": "none"}}, only=["Warnings"])
        e.http("POST", "/containers/bm-one/start")
        e.http("GET", "/containers/bm-one/json", only=["State.Status", "State.ExitCode", "State.Error"])
        e.ask("DELETE", "/containers/bm-one?force=1")


@scenario("life: users that are not there")
def _(e):
    for user in ("nope", "0:nope", "99999999999", "www:extra", "33", ":44", "-1"):
        e.http("POST", "/containers/create?name=bm-one", {"Image": "bm-box", "Cmd": ["id"], "User": user, "HostConfig": {"NetworkMode": "none"}}, only=["Warnings"])
        if e.http("POST", "/containers/bm-one/start").status == 204:
            e.wait()
        e.http("GET", "/containers/bm-one/json", only=["State.Status", "State.ExitCode", "State.Error"])
        e.stream("GET", "/containers/bm-one/logs?stdout=1&stderr=1")
        e.ask("DELETE", "/containers/bm-one?force=1")


@scenario("life: working directories")
def _(e):
    for d in ("/nope/made", "/data/link/x", "/tmp/../root"):
        e.cli("run", "--rm", "--network", "none", "-w", d, "bm-box", "sh", "-c", "pwd; stat -c '%a %u' .")


@scenario("life: auto-remove")
def _(e):
    e.run("bm-one", Cmd=["sleep", "1000"], HostConfig={"AutoRemove": True})
    e.http("POST", "/containers/bm-one/kill")
    e.ask("POST", "/containers/bm-one/wait?condition=removed")
    e.http("GET", "/containers/bm-one/json")


@scenario("life: restart on failure")
def _(e):
    e.run("bm-one", Cmd=["false"], HostConfig={"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}})
    e.ask("POST", "/containers/bm-one/wait?condition=not-running")
    import time
    for _ in range(100):
        s = e.ask("GET", "/containers/bm-one/json").json()
        if s["State"]["Status"] == "exited" and s["RestartCount"] == 2:
            break
        time.sleep(0.1)
    _state(e)


@scenario("life: name in use")
def _(e):
    e.create()
    e.http("POST", "/containers/create?name=bm-one", {"Image": "bm-box"})
    e.create("bm-two")
    e.http("POST", "/containers/bm-two/rename?name=bm-one")


@scenario("life: names")
def _(e):
    for name in ("a", "-ab", "a b", "a/b", "bm-x" + "y" * 300, "bm_.-ok", "/bm-slash", "%C3%A4%C3%B6"):
        e.http("POST", "/containers/create?name=" + name.replace(" ", "%20"), {"Image": "bm-box", "Labels": {"bm": "1"}}, only=["Warnings"])


@scenario("life: removal")
def _(e):
    e.run()
    e.http("DELETE", "/containers/bm-one")
    e.http("DELETE", "/containers/bm-one?v=1&force=1")
    e.http("DELETE", "/containers/bm-one?force=1")
    e.http("DELETE", "/containers/bm-one?force=x")


@scenario("life: wait conditions")
def _(e):
    e.run("bm-one", Cmd=["sh", "-c", "exit 3"])
    e.http("POST", "/containers/bm-one/wait?condition=not-running")
    e.http("POST", "/containers/bm-one/wait?condition=")
    e.http("POST", "/containers/nope/wait")


@scenario("life: health")
def _(e):
    e.run("bm-one", Healthcheck={"Test": ["CMD-SHELL", "echo fine; exit 0"], "Interval": 100000000})
    import time
    for _ in range(100):
        if e.ask("GET", "/containers/bm-one/json").json()["State"]["Health"]["Status"] == "healthy":
            break
        time.sleep(0.1)
    e.http("GET", "/containers/bm-one/json", only=["State.Health.Status", "State.Health.FailingStreak", "State.Health.Log.0"])


@scenario("life: prune")
def _(e):
    e.create("bm-one", Labels={"bmprune": "1"})
    e.http("POST", "/containers/prune?filters=%7B%22label%22%3A%5B%22bmprune%22%5D%7D")
    e.http("POST", "/containers/prune?filters=%7B%22nope%22%3A%5B%22x%22%5D%7D")
    e.http("POST", "/containers/prune?filters=%7B%22until%22%3A%5B%22x%22%5D%7D")


@scenario("life: top")
def _(e):
    e.run("bm-one", Cmd=["sleep", "1000"])
    e.http("GET", "/containers/bm-one/top?ps_args=-o%20comm,args")
    e.http("GET", "/containers/bm-one/top?ps_args=-o%20comm")


@scenario("life: changes")
def _(e):
    e.run("bm-one", Cmd=["sh", "-c", "echo x > /new; rm /data/link; echo y >> /data/file; mkdir /root/d"])
    e.wait()
    e.http("GET", "/containers/bm-one/changes", only=lambda v: sorted(v, key=lambda c: c["Path"]))
