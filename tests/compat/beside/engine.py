# SPDX-License-Identifier: Apache-2.0
"""One engine behind its socket: requests, CLI calls, and the record of what it answered."""
import http.client
import json
import os
import re
import socket
import subprocess
import time
import urllib.parse

VERSION = "/v1.51"
IMAGE = "bm-box"


class _Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body or b"null")


class Engine:
    """Steps of a scenario; what is recorded is compared with the other engine's record, in order."""

    def __init__(self, name, sock, docker, roots):
        self.name, self.sock, self.docker = name, sock, docker
        self.roots = roots  # [(path, word)]: places that are each engine's own
        self.record = []
        self.names = {}

    # ---- unrecorded

    def ask(self, method, path, body=None, headers=None, raw=None):
        if not re.match(r"/(v\d|_ping|nothing)", path):
            path = VERSION + path
        send = dict(headers or {})
        data = raw
        if body is not None:
            data = body if isinstance(body, (bytes, str)) else json.dumps(body)
            send.setdefault("Content-Type", "application/json")
        conn = _Unix(self.sock)
        try:
            conn.request(method, path, data, send)
            r = conn.getresponse()
            return Reply(r.status, dict((k.lower(), v) for k, v in r.getheaders()), r.read())
        finally:
            conn.close()

    def call(self, *args, input=None, env=None):
        p = subprocess.run([self.docker, "-H", "unix://" + self.sock, *args], input=input, capture_output=True, timeout=90,
                           env=dict(os.environ, **(env or {})), stdin=None if input is not None else subprocess.DEVNULL)
        return p

    def create(self, name="bm-one", **config):
        config.setdefault("Image", IMAGE)
        config.setdefault("Cmd", ["sleep", "1000"])
        config.setdefault("Labels", {})["bm"] = "1"
        if "HostConfig" not in config:
            config["HostConfig"] = {}
        config["HostConfig"].setdefault("NetworkMode", "none")
        r = self.ask("POST", "/containers/create?name=" + name, config)
        if r.status != 201:
            raise RuntimeError(f"{self.name}: create {name}: {r.status} {r.body!r}")
        return r.json()["Id"]

    def run(self, name="bm-one", **config):
        cid = self.create(name, **config)
        r = self.ask("POST", f"/containers/{name}/start")
        if r.status != 204:
            raise RuntimeError(f"{self.name}: start {name}: {r.status} {r.body!r}")
        return cid

    def wait(self, name="bm-one"):
        code = self.ask("POST", f"/containers/{name}/wait").json().get("StatusCode")
        for _ in range(100):  # moby tells waiters before lists know
            r = self.ask("GET", f"/containers/json?all=1&filters=%7B%22name%22%3A%5B%22%5E%2F{name}%24%22%5D%2C%22status%22%3A%5B%22running%22%5D%7D").json()
            if not r:
                break
            time.sleep(0.05)
        return code

    def clean(self):
        for c in self.ask("GET", "/containers/json?all=1").json():
            if any(n.startswith("/bm-") for n in c["Names"]) or c["Labels"].get("bm"):
                self.ask("DELETE", f"/containers/{c['Id']}?force=1&v=1")
        for v in self.ask("GET", "/volumes").json()["Volumes"] or []:
            if v["Name"].startswith("bm-"):
                self.ask("DELETE", "/volumes/" + v["Name"])
        for n in self.ask("GET", "/networks").json():
            if n["Name"].startswith("bm-"):
                self.ask("DELETE", "/networks/" + n["Id"])
        for i in self.ask("GET", "/images/json").json():
            for tag in i["RepoTags"] or []:
                if tag.startswith("bm-") and not tag.startswith(IMAGE + ":") and not tag.startswith("bm-full:"):
                    self.ask("DELETE", "/images/" + tag + "?force=1")

    # ---- recorded

    def http(self, method, path, body=None, headers=None, raw=None, only=None):
        """only: a list of member names of the reply's object, or a function of the parsed reply."""
        r = self.ask(method, path, body, headers, raw)
        text = r.body.decode("utf-8", "replace")
        shown = text
        if r.headers.get("content-type", "").startswith("application/json") or text[:1] in "{[":
            try:
                shown = json.loads(text)
            except ValueError:
                pass
        if callable(only) and not isinstance(shown, str):
            shown = only(shown)
        elif only and isinstance(shown, dict) and "message" not in shown:
            shown = {k: dig(shown, k) for k in only}
        self.note(f"{method} {path}", {"status": r.status, "type": r.headers.get("content-type", ""), "body": shown})
        return r

    def cli(self, *args, input=None, env=None, sort=False):
        p = self.call(*args, input=input, env=env)
        out, err = p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")
        if sort:
            out = "\n".join(sorted(out.splitlines()))
        self.note("docker " + " ".join(args), {"exit": p.returncode, "out": out, "err": err})
        return p

    def stream(self, method, path, body=None, until=None, input=b"", headers=None):
        """A raw exchange: everything that comes until the peer closes, or until the pattern was seen."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(30)
        s.connect(self.sock)
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {VERSION}{path} HTTP/1.1\r\nHost: d\r\n"
        for k, v in (headers or {"Connection": "close"}).items():
            head += f"{k}: {v}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n"
        elif method == "POST":
            head += "Content-Length: 0\r\n"
        s.sendall(head.encode() + b"\r\n" + data)
        got = b""
        try:
            if input:  # when the switch was answered: moby loses what comes with the request
                while b"\r\n\r\n" not in got:
                    got += s.recv(65536) or b"\r\n\r\n"
                s.sendall(input)
                s.shutdown(socket.SHUT_WR)
            while not (until and re.search(until, got)):
                b = s.recv(65536)
                if not b:
                    break
                got += b
        except socket.timeout:
            got += b"<timeout>"
        s.close()
        head, _, rest = got.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if re.search(rb"(?i)\ntransfer-encoding: chunked", head):
            rest = unchunk(rest)
        heads = sorted(l for l in lines[1:] if not re.match(r"(?i)(date|server|content-length|transfer-encoding|ostype|api-version|docker-experimental|connection):", l))
        self.note(f"{method} {path}", {"line": lines[0], "head": heads, "body": split_streams(rest).decode("latin-1")})
        return rest

    def note(self, label, value):
        self.record.append((label, value))

    def events(self, since, until, **filters):
        q = urllib.parse.quote(json.dumps({"label": ["bm=1"], **filters})) if filters.pop("labelled", True) else urllib.parse.quote(json.dumps(filters))
        r = self.ask("GET", f"/events?since={since}&until={until}&filters={q}")
        return [json.loads(l) for l in r.body.decode().splitlines()]


def unchunk(data):
    """Where a chunk ends says nothing."""
    out = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        n = int(size or b"0", 16)
        if not n:
            return out
        out, data = out + data[:n], data[n + 2:]


def split_streams(data):
    """Which of two pipes is read first says nothing: all frames of one, then all of the other."""
    frames, left = {}, data
    while len(left) >= 8 and left[0] in (1, 2) and left[1:4] == b"\0\0\0":
        n = 8 + int.from_bytes(left[4:8], "big")
        frames[left[0]] = frames.get(left[0], b"") + left[:n]
        left = left[n:]
    return data if left else b"".join(frames[k] for k in sorted(frames))


def dig(value, path):
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if int(key) < len(value) else "<absent>"
        elif isinstance(value, dict):
            value = value.get(key, "<absent>")
        else:
            return "<absent>"
    return value
