#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""on-terminal.py [STEP...] -- COMMAND...: runs the command on a terminal of its own and shows what it prints.
Steps, in order: expect=REGEX waits until the output since the last match matches; send=TEXT types (\\xNN, \\r, \\n are understood);
size=ROWSxCOLUMNS resizes; eof waits for the end. Ends with the command's status; 124 if its output ended before a match."""
import fcntl, os, pty, re, struct, sys, termios

split = sys.argv.index("--")
steps, command = sys.argv[1:split], sys.argv[split + 1:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
seen = ""


def more():
    global seen
    try:
        data = os.read(fd, 65536)
    except OSError:
        data = b""
    text = data.decode("utf-8", "replace")
    sys.stdout.write(text)
    sys.stdout.flush()
    seen += text
    return bool(data)


for step in steps:
    word, _, arg = step.partition("=")
    if word == "expect":
        while not (m := re.search(arg, seen)):
            if not more():
                os.waitpid(pid, 0)
                sys.exit(124)
        seen = seen[m.end():]
    elif word == "send":
        os.write(fd, arg.encode().decode("unicode_escape").encode("latin-1"))
    elif word == "size":
        rows, columns = map(int, arg.split("x"))
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
while more():
    pass
status = os.waitpid(pid, 0)[1]
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
