# SPDX-License-Identifier: Apache-2.0
"""GET /containers/X/stats: which members, of what kind; the numbers are the kernel's. Where control groups of both versions are mounted moby finds no
numbers at all and answers as if nothing ran, so both engines are held against what moby says on machines with one version."""
import time

from . import add

CPU = {"cpu_usage": {"total_usage": int, "usage_in_kernelmode": int, "usage_in_usermode": int, "?percpu_usage": [int]}, "system_cpu_usage": int, "online_cpus": int,
       "throttling_data": {"periods": int, "throttled_periods": int, "throttled_time": int}}
COUNTS = [{"major": int, "minor": int, "op": str, "value": int}]
NETWORK = {f"{way}_{what}": int for way in ("rx", "tx") for what in ("bytes", "packets", "errors", "dropped")}
WHOLE = {"?name": str, "?id": str, "read": str, "preread": str, "pids_stats": {"current": int, "?limit": int},
         "blkio_stats": {f"{k}_recursive": COUNTS for k in ("io_service_bytes", "io_serviced", "io_queue", "io_service_time", "io_wait_time", "io_merged", "io_time", "sectors")},
         "num_procs": int, "storage_stats": {}, "cpu_stats": CPU, "precpu_stats": CPU, "memory_stats": {"usage": int, "?max_usage": int, "stats": {"*": int}, "limit": int}, "?networks": {"*": NETWORK}}


def _strays(v, want, path=""):
    """What is missing, too much, or of another kind."""
    if isinstance(want, dict) and isinstance(v, dict):
        names = {k.lstrip("?"): w for k, w in want.items()}
        out = [f"{path}.{k} is missing" for k in want if k[0] not in "?*" and k not in v]
        for k, x in v.items():
            w = names.get(k, want.get("*"))
            out += [f"{path}.{k} is too much"] if w is None else _strays(x, w, f"{path}.{k}")
        return out
    if isinstance(want, list):
        return [] if v is None else [s for x in v for s in _strays(x, want[0], path)] if isinstance(v, list) else [path + " is no list"]
    return [] if isinstance(want, type) and type(v) is want else [f"{path} is a {type(v).__name__}"]


def _judge(e, label, v, first):
    if v.get("read", "0001")[:4] == "0001":
        e.note(label, {"strays": [], "numbers": []})
        return
    want = {**WHOLE, "precpu_stats": {"cpu_usage": CPU["cpu_usage"], "throttling_data": CPU["throttling_data"]}} if first else WHOLE
    pre, cpu = v["precpu_stats"], v["cpu_stats"]
    wrong = [name for name, bad in (("no time", cpu["cpu_usage"]["total_usage"] <= pre["cpu_usage"]["total_usage"]), ("no memory", v["memory_stats"]["usage"] <= 0),
                                    ("no time of the system", cpu["system_cpu_usage"] <= pre.get("system_cpu_usage", 0)), ("no process", v["pids_stats"]["current"] < 1)) if bad]
    e.note(label, {"strays": _strays(v, want), "numbers": wrong})


CASES = {
    "a network of its own": {"NetworkMode": "bridge", "Memory": 67108864, "PidsLimit": 50},
    "no network": {"NetworkMode": "none"},
    "the host's network": {"NetworkMode": "host"},
    "limited cpus": {"CpusetCpus": "0", "NanoCpus": 500000000},
}


def _case(host_config):
    def fn(e):
        e.run("bm-one", Cmd=["sh", "-c", "while :; do head -c 100000 /bin/busybox > /f; sleep 0.2; done"], HostConfig=dict(host_config))
        time.sleep(2)
        for v in ("/v1.51", "/v1.40"):
            for q in ("stream=0", "stream=0&one-shot=1"):
                r = e.ask("GET", f"{v}/containers/bm-one/stats?{q}")
                if r.status != 200 and b"no metrics received" in r.body:
                    _judge(e, v + q, {}, False)
                else:
                    _judge(e, v + q, r.json(), v == "/v1.51" and "one-shot" in q)  # 1.40 has no one-shot
        e.ask("POST", "/containers/bm-one/kill")
        e.wait()
        e.http("GET", "/containers/bm-one/stats?stream=0")
        e.http("GET", "/containers/bm-one/stats?stream=0&one-shot=1")
        e.http("GET", "/containers/bm-one/stats?stream=1&one-shot=1")
    return fn


for _name, _host in CASES.items():
    add("stats: " + _name, _case(_host))
