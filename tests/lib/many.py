#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many at once, through the API's socket; for 80-growth. Ends with 0, or says what went wrong.

  many.py SOCKET lives N          N containers: made, started, all running, killed, removed; 16 at a time
  many.py SOCKET churn N          N containers made and removed, 8 at a time
  many.py SOCKET execs N          N exec sessions in one container, 8 at a time
  many.py SOCKET watch N          N clients of `logs -f` and N attached ones, of one container that says a line to all of them, and ends
  many.py SOCKET list N           N containers, and how many lists of them a second there are (on stdout)
"""
import http.client, json, queue, select, socket, sys, threading, time

API = "/v1.51"


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(300)
        self.sock.connect(sys.argv[1])


local = threading.local()


def ask(method, path, body=None):
    data = raw(method, path, body)
    return json.loads(data) if data[:1] in (b"{", b"[") else data


def raw(method, path, body=None):
    if not hasattr(local, "c"):
        local.c = Unix("d")
    local.c.request(method, API + path, None if body is None else json.dumps(body),
                    {"Content-Type": "application/json"} if body is not None else {})
    r = local.c.getresponse()
    data = r.read()
    if r.status not in (200, 201, 204):
        raise RuntimeError("%s %s: %d %s" % (method, path, r.status, data[:300]))
    return data


def each(n, width, f):
    """f(i) for i < n in so many threads; the first error ends it."""
    todo, errors = queue.SimpleQueue(), []
    for i in range(n):
        todo.put(i)

    def work():
        while not errors:
            try:
                f(todo.get_nowait())
            except queue.Empty:
                return
            except Exception as e:
                errors.append(e)

    threads = [threading.Thread(target=work) for _ in range(min(n, width))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def make(cmd, **more):
    return ask("POST", "/containers/create", dict(more, Image="busybox", Cmd=cmd, Labels={"many": "1"}))["Id"]


def remove(cid):
    ask("DELETE", "/containers/%s?force=1&v=1" % cid)


def lives(n):
    ids = [None] * n

    def start(i):
        ids[i] = make(["sleep", "100000"])
        ask("POST", "/containers/%s/start" % ids[i])

    each(n, 16, start)
    running = len(ask("GET", '/containers/json?filters={"label":["many"]}'))
    if running != n:
        raise RuntimeError("%d of %d run" % (running, n))
    each(n, 16, lambda i: ask("POST", "/containers/%s/kill" % ids[i]))
    each(n, 16, lambda i: ask("POST", "/containers/%s/wait" % ids[i]))
    each(n, 16, lambda i: remove(ids[i]))


def churn(n):
    each(n, 8, lambda i: remove(make(["true"])))


def execs(n):
    cid = make(["sleep", "100000"])
    ask("POST", "/containers/%s/start" % cid)

    def one(i):
        e = ask("POST", "/containers/%s/exec" % cid, {"AttachStdout": True, "Cmd": ["echo", str(i)]})["Id"]
        out = ask("POST", "/exec/%s/start" % e, {})
        if out[8:] != b"%d\n" % i:
            raise RuntimeError("exec %d said %r" % (i, out))

    each(n, 8, one)
    remove(cid)


class Client:
    """One connection whose reply goes on."""

    def __init__(self, method, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(sys.argv[1])
        self.s.sendall(("%s %s%s HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n" % (method, API, path)).encode())
        self.seen, self.ended = b"", False


def until(clients, done):
    """Read all of them until done(client) for each."""
    poll, by_fd = select.poll(), {c.s.fileno(): c for c in clients if not done(c)}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while by_fd:
        ready = poll.poll(120000)
        if not ready:
            raise RuntimeError("%d of %d clients wait in vain; one has %r"
                               % (len(by_fd), len(clients), next(iter(by_fd.values())).seen[-200:]))
        for fd, _ in ready:
            c = by_fd[fd]
            data = c.s.recv(65536)
            c.seen += data
            c.ended = not data
            if done(c):
                poll.unregister(fd)
                del by_fd[fd]
            elif c.ended:
                raise RuntimeError("a client's stream ended early: %r" % c.seen[-200:])


def watch(n):
    cid = make(["cat"], OpenStdin=True)
    ask("POST", "/containers/%s/start" % cid)
    clients = [Client("GET", "/containers/%s/logs?follow=1&stdout=1" % cid) for _ in range(n)]
    clients += [Client("POST", "/containers/%s/attach?stream=1&stdout=1" % cid) for _ in range(n)]
    until(clients, lambda c: b"\r\n\r\n" in c.seen)
    speaker = Client("POST", "/containers/%s/attach?stream=1&stdin=1" % cid)
    until([speaker], lambda c: b"\r\n\r\n" in c.seen)
    for i in range(20):
        speaker.s.sendall(b"line %d to all\n" % i)
        until(clients, lambda c: b"line %d to all\n" % i in c.seen)
    ask("POST", "/containers/%s/kill" % cid)
    until(clients, lambda c: c.ended or c.seen.endswith(b"0\r\n\r\n"))
    for c in clients + [speaker]:
        c.s.close()
    remove(cid)


def lists(n):
    ids = [None] * n

    def one(i):
        ids[i] = make(["true"])

    each(n, 8, one)
    begin, rounds = time.monotonic(), 0
    while rounds < 5 or time.monotonic() - begin < 2:
        if raw("GET", "/containers/json?all=1").count(b'"ImageID":') < n:  # taking it apart would be our time, not the daemon's
            raise RuntimeError("the list is not whole")
        rounds += 1
    print("%.0f" % (rounds / (time.monotonic() - begin)))
    each(n, 8, lambda i: remove(ids[i]))


if __name__ == "__main__":
    {"lives": lives, "churn": churn, "execs": execs, "watch": watch, "list": lists}[sys.argv[2]](int(sys.argv[3]))
