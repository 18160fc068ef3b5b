# SPDX-License-Identifier: Apache-2.0
"""POST /containers/create: what inspect says of each field, and what is refused in which words."""
from engine import IMAGE
from . import add

H = "HostConfig"
FIELDS = {
    "nothing": {},
    "tty and stdin": {"Tty": True, "OpenStdin": True, "StdinOnce": True, "AttachStdin": True},
    "hostname": {"Hostname": "h", "Domainname": "d.example"},
    "user": {"User": "www:extra"},
    "env": {"Env": ["A=1", "B=", "C", "A=2"]},
    "entrypoint": {"Entrypoint": ["sh", "-c"], "Cmd": ["exit 3"]},
    "entrypoint alone": {"Entrypoint": ["true"], "Cmd": None},
    "empty entrypoint": {"Entrypoint": [""], "Cmd": ["true"]},
    "cmd as string": {"Cmd": "sleep 5"},
    "working dir": {"WorkingDir": "/a/../b"},
    "volumes": {"Volumes": {"/v": {}}},
    "exposed ports": {"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "90": {}}},
    "labels": {"Labels": {"x": "1", "y": ""}},
    "stop": {"StopSignal": "SIGINT", "StopTimeout": 3},
    "stop timeout zero": {"StopTimeout": 0},
    "health": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000, "Timeout": 2000000000, "Retries": 4, "StartPeriod": 3000000000, "StartInterval": 1000000000}},
    "health none": {"Healthcheck": {"Test": ["NONE"]}},
    "network disabled": {"NetworkDisabled": True},
    "mac address": {"MacAddress": "02:42:ac:11:00:99"},
    "on build, shell": {"OnBuild": ["RUN x"], "Shell": ["sh"]},
    "unknown field": {"Nonsense": 1, H: {"Nonsense": 2}},
    "memory": {H: {"Memory": 67108864}},
    "memory and swap": {H: {"Memory": 67108864, "MemorySwap": 134217728}},
    "unlimited swap": {H: {"Memory": 67108864, "MemorySwap": -1}},
    "reservation": {H: {"MemoryReservation": 33554432, "Memory": 67108864}},
    "swappiness": {H: {"MemorySwappiness": 10}},
    "oom kill off": {H: {"OomKillDisable": True, "Memory": 67108864}},
    "oom score": {H: {"OomScoreAdj": 500}},
    "cpu shares": {H: {"CpuShares": 512}},
    "cpu quota": {H: {"CpuPeriod": 50000, "CpuQuota": 25000}},
    "nano cpus": {H: {"NanoCpus": 500000000}},
    "cpuset": {H: {"CpusetCpus": "0", "CpusetMems": "0"}},
    "pids": {H: {"PidsLimit": 50}},
    "pids zero": {H: {"PidsLimit": 0}},
    "pids minus one": {H: {"PidsLimit": -1}},
    "blkio weight": {H: {"BlkioWeight": 300}},
    "throttle": {H: {"BlkioDeviceReadBps": [{"Path": "/dev/null", "Rate": 1000}]}},
    "kernel memory": {H: {"KernelMemory": 67108864}},
    "shm size": {H: {"ShmSize": 1048576}},
    "binds": {H: {"Binds": ["/tmp:/x:ro", "bm-vol:/y"]}},
    "bind propagation": {H: {"Binds": ["/tmp:/x:rslave"]}},
    "mounts": {H: {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x", "ReadOnly": True}, {"Type": "volume", "Source": "bm-v2", "Target": "/y"},
                              {"Type": "tmpfs", "Target": "/z", "TmpfsOptions": {"SizeBytes": 1048576, "Mode": 448}}]}},
    "volume mount with options": {H: {"Mounts": [{"Type": "volume", "Target": "/y", "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}}}]}},
    "tmpfs": {H: {"Tmpfs": {"/t": "size=1m", "/u": ""}}},
    "volumes from": {H: {"VolumesFrom": ["bm-other:ro"]}},
    "ports": {"ExposedPorts": {"80/tcp": {}}, H: {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]}}},
    "publish all": {"ExposedPorts": {"80/tcp": {}}, H: {"NetworkMode": "bridge", "PublishAllPorts": True}},
    "network host": {H: {"NetworkMode": "host"}},
    "network bridge": {H: {"NetworkMode": "bridge"}},
    "network default": {H: {"NetworkMode": "default"}},
    "network of a container": {H: {"NetworkMode": "container:bm-other"}},
    "pid host": {H: {"PidMode": "host"}},
    "pid of a container": {H: {"PidMode": "container:bm-other"}},
    "ipc host": {H: {"IpcMode": "host"}},
    "ipc none": {H: {"IpcMode": "none"}},
    "ipc shareable": {H: {"IpcMode": "shareable"}},
    "uts host": {H: {"UTSMode": "host"}},
    "cgroupns private": {H: {"CgroupnsMode": "private"}},
    "cgroupns host": {H: {"CgroupnsMode": "host"}},
    "userns host": {H: {"UsernsMode": "host"}},
    "cap add": {H: {"CapAdd": ["net_admin", "CAP_SYS_TIME"]}},
    "cap drop": {H: {"CapDrop": ["ALL"]}},
    "cap add all": {H: {"CapAdd": ["ALL"]}},
    "privileged": {H: {"Privileged": True}},
    "read only": {H: {"ReadonlyRootfs": True}},
    "security opt": {H: {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]}},
    "security opt colon": {H: {"SecurityOpt": ["no-new-privileges:true"]}},
    "group add": {H: {"GroupAdd": ["44", "www"]}},
    "devices": {H: {"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/xnull", "CgroupPermissions": "rw"}]}},
    "device rules": {H: {"DeviceCgroupRules": ["c 1:3 rwm"]}},
    "ulimits": {H: {"Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}]}},
    "sysctls": {H: {"Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "bridge"}},
    "restart always": {H: {"RestartPolicy": {"Name": "always"}}},
    "restart on failure": {H: {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}},
    "restart unless stopped": {H: {"RestartPolicy": {"Name": "unless-stopped"}}},
    "auto remove": {H: {"AutoRemove": True}},
    "init": {H: {"Init": True}},
    "no init": {H: {"Init": False}},
    "dns": {H: {"Dns": ["8.8.8.8"], "DnsSearch": ["example.com"], "DnsOptions": ["ndots:2"]}},
    "extra hosts": {H: {"ExtraHosts": ["a:1.2.3.4", "b:host-gateway"]}},
    "log config": {H: {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}}},
    "log none": {H: {"LogConfig": {"Type": "none"}}},
    "masked paths": {H: {"MaskedPaths": ["/proc/kcore"], "ReadonlyPaths": []}},
    "annotations": {H: {"Annotations": {"a": "b"}}},
    "cgroup parent": {H: {"CgroupParent": "/bm-parent"}},
    "console size": {H: {"ConsoleSize": [10, 20]}},
    "runtime": {H: {"Runtime": "runc"}},
    "isolation": {H: {"Isolation": "default"}},
    "container id file": {H: {"ContainerIDFile": "/x"}},
    "endpoint settings": {H: {"NetworkMode": "bridge"}, "NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": "02:42:ac:11:00:98"}}}},
    "full image": {"Image": "bm-full", "Cmd": None},
    "full image changed": {"Image": "bm-full", "Cmd": ["x"], "Env": ["B=mine", "D=4"], "User": "0", "WorkingDir": "/", "Labels": {"two": "zwei"}, "ExposedPorts": {"81/tcp": {}}},
}

REFUSED = {
    "no image": {"Image": ""},
    "no command": {"Image": "bm-raw-none"},
    "bad image": {"Image": "UPPER"},
    "image id that is none": {"Image": "sha256:" + "0" * 64},
    "memory too small": {H: {"Memory": 1000}},
    "swap without memory": {H: {"MemorySwap": 134217728}},
    "swap below memory": {H: {"Memory": 134217728, "MemorySwap": 67108864}},
    "reservation above memory": {H: {"Memory": 67108864, "MemoryReservation": 134217728}},
    "reservation too small": {H: {"MemoryReservation": 1000}},
    "swappiness": {H: {"MemorySwappiness": 101}},
    "negative nano cpus": {H: {"NanoCpus": -1}},
    "too many cpus": {H: {"NanoCpus": 999000000000}},
    "cpus and quota": {H: {"NanoCpus": 1000000000, "CpuQuota": 10000}},
    "cpu period": {H: {"CpuPeriod": 10}},
    "cpu quota": {H: {"CpuQuota": 10}},
    "cpu shares negative": {H: {"CpuShares": -1}},
    "cpuset": {H: {"CpusetCpus": "99"}},
    "cpuset words": {H: {"CpusetCpus": "a-b"}},
    "blkio weight": {H: {"BlkioWeight": 5}},
    "oom score": {H: {"OomScoreAdj": 2000}},
    "shm negative": {H: {"ShmSize": -1}},
    "network unknown mode": {H: {"NetworkMode": "container:"}},
    "network of nobody": {H: {"NetworkMode": "container:bm-nobody"}},
    "pid mode": {H: {"PidMode": "nope"}},
    "pid of nobody": {H: {"PidMode": "container:bm-nobody"}},
    "ipc mode": {H: {"IpcMode": "nope"}},
    "ipc of nobody": {H: {"IpcMode": "container:bm-nobody"}},
    "uts mode": {H: {"UTSMode": "nope"}},
    "userns mode": {H: {"UsernsMode": "nope"}},
    "cgroupns mode": {H: {"CgroupnsMode": "nope"}},
    "cap": {H: {"CapAdd": ["NOPE"]}},
    "cap drop": {H: {"CapDrop": ["NOPE"]}},
    "security opt": {H: {"SecurityOpt": ["nope"]}},
    "seccomp profile": {H: {"SecurityOpt": ["seccomp={"]}},
    "restart name": {H: {"RestartPolicy": {"Name": "often"}}},
    "restart count": {H: {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}},
    "restart negative": {H: {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -3}}},
    "restart and remove": {H: {"RestartPolicy": {"Name": "always"}, "AutoRemove": True}},
    "bind without target": {H: {"Binds": ["/tmp"]}},
    "bind relative": {H: {"Binds": ["/tmp:x"]}},
    "bind to root": {H: {"Binds": ["/tmp:/"]}},
    "bind mode": {H: {"Binds": ["/tmp:/x:nope"]}},
    "bind of too many parts": {H: {"Binds": ["a:b:c:d"]}},
    "bind twice": {H: {"Binds": ["/tmp:/x", "/run:/x"]}},
    "bind of nothing": {H: {"Mounts": [{"Type": "bind", "Source": "/tmp/bm-nothing-here", "Target": "/x"}]}},
    "mount type": {H: {"Mounts": [{"Type": "nope", "Target": "/x"}]}},
    "mount without target": {H: {"Mounts": [{"Type": "bind", "Source": "/tmp"}]}},
    "mount relative": {H: {"Mounts": [{"Type": "volume", "Source": "bm-v", "Target": "x"}]}},
    "bind without source": {H: {"Mounts": [{"Type": "bind", "Target": "/x"}]}},
    "tmpfs with source": {H: {"Mounts": [{"Type": "tmpfs", "Source": "/x", "Target": "/x"}]}},
    "bind with volume options": {H: {"Mounts": [{"Type": "bind", "Source": "/tmp", "Target": "/x", "VolumeOptions": {}}]}},
    "volume name": {H: {"Mounts": [{"Type": "volume", "Source": "a b", "Target": "/x"}]}},
    "volume driver": {H: {"Mounts": [{"Type": "volume", "Source": "bm-vd", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Name": "bm-nope"}}}]}},
    "tmpfs relative": {H: {"Tmpfs": {"x": ""}}},
    "tmpfs option": {H: {"Tmpfs": {"/x": "nope"}}},
    "volumes from nobody": {H: {"VolumesFrom": ["bm-nobody"]}},
    "port": {"ExposedPorts": {"x/tcp": {}}},
    "port protocol": {"ExposedPorts": {"80/foo": {}}},
    "host port": {H: {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostPort": "x"}]}}},
    "host ip": {H: {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "x", "HostPort": "1"}]}}},
    "extra host": {H: {"ExtraHosts": ["nocolon"]}},
    "extra host address": {H: {"ExtraHosts": ["a:b"]}},
    "dns": {H: {"Dns": ["x"]}},
    "log driver": {H: {"LogConfig": {"Type": "nope"}}},
    "log option": {H: {"LogConfig": {"Type": "json-file", "Config": {"nope": "1"}}}},
    "log size": {H: {"LogConfig": {"Type": "json-file", "Config": {"max-size": "x"}}}},
    "runtime": {H: {"Runtime": "nope"}},
    "device": {H: {"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "q"}]}},
    "device rule": {H: {"DeviceCgroupRules": ["x 1:3 rwm"]}},
    "sysctl": {H: {"Sysctls": {"kernel.nope": "1"}}},
    "sysctl net with host": {H: {"Sysctls": {"net.ipv4.ip_forward": "1"}, "NetworkMode": "host"}},
    "env without name": {"Env": ["=x"]},
    "env empty": {"Env": [""]},
    "stop signal": {"StopSignal": "SIGNOPE"},
    "health interval": {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 100}},
    "health retries": {"Healthcheck": {"Test": ["CMD", "true"], "Retries": -1}},
    "health test": {"Healthcheck": {"Test": ["NOPE", "true"]}},
    "health without test": {"Healthcheck": {"Test": ["CMD"]}},
    "working dir": {"WorkingDir": "relative"},
    "mac": {"MacAddress": "zz"},
    "hostname and host network": {"Hostname": "x", H: {"NetworkMode": "host"}},
    "hostname and uts host": {"Hostname": "x", H: {"UTSMode": "host"}},
    "dns with container network": {H: {"NetworkMode": "container:bm-other", "Dns": ["1.1.1.1"]}},
    "ports with container network": {"ExposedPorts": {"80/tcp": {}}, H: {"NetworkMode": "container:bm-other", "PublishAllPorts": True}},
    "links with host network": {H: {"NetworkMode": "host", "Links": ["bm-other:x"]}},
    "link format": {H: {"NetworkMode": "bridge", "Links": ["a:b:c"]}},
    "two networks unknown": {"NetworkingConfig": {"EndpointsConfig": {"bm-nope": {}}}, H: {"NetworkMode": "bm-nope"}},
    "ip on default bridge": {H: {"NetworkMode": "bridge"}, "NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.9"}}}}},
    "init and host pid": {H: {"Init": True, "PidMode": "host"}},
    "annotation": {H: {"Annotations": {"": "x"}}},
    "string for number": {H: {"Memory": "1g"}},
    "number for string": {"Image": 7},
    "list for object": {H: []},
    "console size": {H: {"ConsoleSize": [1]}},
    "ulimit": {H: {"Ulimits": [{"Name": "nope", "Soft": 1, "Hard": 1}]}},
    "ulimit soft above hard": {H: {"Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 1}]}},
    "storage opt": {H: {"StorageOpt": {"nope": "1"}}},
    "storage opt size": {H: {"StorageOpt": {"size": "1G"}}},
    "storage opt empty size": {H: {"StorageOpt": {"size": ""}}},
    "storage opt no size": {H: {"StorageOpt": {"size": "x"}}},
}


def _merged(given):
    body = {"Image": IMAGE, "Cmd": ["sleep", "1000"]}
    body.update(given)
    body[H] = dict({"NetworkMode": "none"}, **given.get(H, {})) if isinstance(given.get(H, {}), dict) else given[H]
    if "Labels" not in body:
        body["Labels"] = {"bm": "1"}
    return body


def _sorted(v):
    if isinstance(v.get("Mounts"), list):
        v["Mounts"].sort(key=lambda m: m["Destination"])  # moby's are in the order of a Go map
    return v


def _field(given):
    def fn(e):
        e.create("bm-other", HostConfig={"Binds": ["bm-vo:/vo"], "NetworkMode": "bridge", "IpcMode": "shareable"})
        e.http("POST", "/containers/create?name=bm-one", _merged(given))
        e.http("GET", "/containers/bm-one/json", only=_sorted)
    return fn


def _refused(given):
    def fn(e):
        e.create("bm-other", HostConfig={"NetworkMode": "bridge"})
        r = e.http("POST", "/containers/create?name=bm-one", _merged(given))
        if r.status == 201:
            e.http("POST", "/containers/bm-one/start")
            e.http("GET", "/containers/bm-one/json", only=["State.Status", "State.ExitCode", "State.Error"])
    return fn


for _name, _given in FIELDS.items():
    add("create: " + _name, _field(_given))
for _name, _given in REFUSED.items():
    add("create, odd: " + _name, _refused(_given))
