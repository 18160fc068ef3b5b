# SPDX-License-Identifier: Apache-2.0
# A syslog server for tests: syslog-receiver.py udp|tcp|unix|unixgram WHERE COUNT. It says "ready" once it listens, prints each message on a line of its
# own with \n and the like escaped, and ends after COUNT of them. WHERE: a port of 127.0.0.1, or a path.
import socket, sys

kind, where, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
stream = kind in ("tcp", "unix")
s = socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
if family == socket.AF_INET:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(where if family == socket.AF_UNIX else ("127.0.0.1", int(where)))
if stream:
    s.listen(8)
print("ready", flush=True)
lines = s.accept()[0].makefile("rb") if stream else None
for _ in range(count):
    message = lines.readline() if stream else s.recv(1 << 17)
    print(message.decode("utf-8", "backslashreplace").encode("unicode_escape").decode(), flush=True)
