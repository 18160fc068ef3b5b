# SPDX-License-Identifier: Apache-2.0
"""What differs by nature (ids, times, places) becomes a word; what may differ by choice is listed with its reason."""
import re

WORDS = [
    (re.compile(r"\b([0-9a-f]{64}|[0-9A-F]{64})\b"), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b"), "<shortid>"),
    (re.compile(r"(?!0001-01-01T00:00:00Z)\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \w+"), "<time>"),
    (re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b"), "<mac>"),
    (re.compile(r"\b(172|10|192)\.\d+\.\d+\.\d+\b"), "<ip>"),
    (re.compile(r"\b(About a|Less than a|\d+) (second|minute|hour)s?\b( ago)?"), "<ago>"),
    (re.compile(r"/v1\.\d\d/"), "/v<api>/"),
]

# member path (as a regular expression on "a.b.0.c") -> why the values may differ
MEMBERS = {
    r"(.*\.)?(Pid|ProcessIdentifier)": "a number of the kernel's",
    r"(.*\.)?(SandboxID|SandboxKey)": "libnetwork's own",
    r"(.*\.)?GraphDriver(\..*)?": "moby may run on another storage driver",
    r"(.*\.)?(Driver|Platform)(\..*)?": None,
}


def text(s, engine):
    for path, word in engine.roots:
        s = s.replace(path, word)
    for pattern, word in WORDS:
        s = pattern.sub(word, s)
    return s


def value(v, engine, path=""):
    if isinstance(v, str):
        return text(v, engine)
    if isinstance(v, list):
        return [value(x, engine, f"{path}.{i}".lstrip(".")) for i, x in enumerate(v)]
    if isinstance(v, dict):
        out = {}
        for k, x in v.items():
            where = f"{path}.{k}".lstrip(".")
            why = next((w for p, w in MEMBERS.items() if w and re.fullmatch(p, where)), None)
            out[text(k, engine)] = "<differs: %s>" % why if why and x else value(x, engine, where)
        return out
    return v


def compare(a, b, path=""):
    """Yields (path, ours, theirs) for everything that differs; the order of members counts."""
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            missing, more = [k for k in b if k not in a], [k for k in a if k not in b]
            if missing or more:
                yield path + " members", "more: " + " ".join(map(str, more)), "missing: " + " ".join(map(str, missing))
            else:
                yield path + " order", " ".join(a), " ".join(b)
        for k in a:
            if k in b:
                yield from compare(a[k], b[k], f"{path}.{k}".lstrip("."))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from compare(x, y, f"{path}.{i}".lstrip("."))
    elif a != b or type(a) is not type(b):
        yield path, a, b
