# SPDX-License-Identifier: Apache-2.0
"""docker run and its family: what a user sees."""
from . import add, scenario

RUN = """
echo hello
sh -c|exit 9
-e A=1 -e B bm-box env
--env-file /tmp/bm-env bm-box env
-w /tmp bm-box pwd
-u www bm-box id
-u 7:8 bm-box id
--group-add 44 bm-box id
--hostname h1 bm-box hostname
--hostname h1 --domainname d bm-box hostname -f
--read-only bm-box touch /x
--read-only --tmpfs /t bm-box touch /t/x
--tmpfs /t:size=1m,mode=700 bm-box sh -c|grep ' /t ' /proc/mounts; stat -c %a /t
-v /tmp:/x:ro bm-box touch /x/bm
--cap-drop ALL bm-box grep Cap /proc/self/status
--cap-add NET_ADMIN bm-box grep Cap /proc/self/status
--cap-drop ALL --cap-add CHOWN -u www bm-box grep Cap /proc/self/status
--security-opt no-new-privileges bm-box grep -E NoNewPrivs|Seccomp: /proc/self/status
--security-opt seccomp=unconfined bm-box grep Seccomp: /proc/self/status
--privileged bm-box sh -c|grep -E 'Seccomp:|NoNew' /proc/self/status; test -w /sys/kernel && echo w
--ulimit nofile=100:200 bm-box sh -c|ulimit -n; ulimit -Hn
--shm-size 1m bm-box sh -c|df -k /dev/shm | tail -1 | sed 's/  */ /g' | cut -d' ' -f2
--sysctl net.ipv4.ip_forward=1 bm-box cat /proc/sys/net/ipv4/ip_forward
--sysctl kernel.shmmax=12345 bm-box cat /proc/sys/kernel/shmmax
--add-host x:1.2.3.4 bm-box cat /etc/hosts
--dns 9.9.9.9 --dns-search a.b --dns-option ndots:3 bm-box grep -v ^# /etc/resolv.conf
--device /dev/null:/dev/xn bm-box ls /dev
--device /dev/nope bm-box true
--init bm-box sh -c|cat /proc/1/comm
--pid host bm-box sh -c|test $$ -gt 100 && echo far
--entrypoint echo bm-box x y
--entrypoint nope bm-box x
--ipc none bm-box sh -c|grep -c shm /proc/mounts
--ipc host bm-box true
--uts host bm-box true
--cgroupns private bm-box sh -c|cut -d: -f3 /proc/self/cgroup | sort -u
-m 64m bm-box sh -c|cat /sys/fs/cgroup/memory/memory.limit_in_bytes
--cpus 0.5 bm-box sh -c|cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
--pids-limit 20 bm-box sh -c|cat /sys/fs/cgroup/pids/pids.max
--oom-score-adj 300 bm-box cat /proc/self/oom_score_adj
--stop-signal INT bm-box true
--restart always --rm bm-box true
--network nope bm-box true
--network container:nope bm-box true
--volumes-from nope bm-box true
--volume a:b bm-box true
--memory 1k bm-box true
--cpus 1000 bm-box true
--log-driver nope bm-box true
--log-opt nope=1 bm-box true
--runtime nope bm-box true
--platform linux/s390x bm-box true
--health-cmd true --no-healthcheck bm-box true
--name bm-x --name bm-y bm-box echo named
--link nope:x bm-box true
--mount type=bind,src=/tmp/bm-nope,dst=/x bm-box true
--mount type=tmpfs,dst=/x,tmpfs-size=1m bm-box sh -c|grep -o ' /x tmpfs.*size=[0-9k]*' /proc/mounts
--mount type=volume,dst=/x,volume-nocopy bm-box ls -A /x
--mount type=bind,src=/tmp,dst=/x,readonly bm-box touch /x/y
bm-full
bm-full one two
--entrypoint env bm-full
nope-not-here true
bm-box nope
bm-box /etc/passwd
bm-box sh -c|ls -ld /dev/fd /dev/stdin /dev/ptmx /dev/core 2>&1 | sed 's/.* \\(.dev.*\\)/\\1/'
bm-box sh -c|ls /dev | sort
bm-box sh -c|cut -d' ' -f2,3 /proc/mounts | grep -v cgroup | sort
bm-box sh -c|grep -E ' /(proc|sys|dev)' /proc/mounts | grep -v cgroup | cut -d' ' -f2,3,4 | sed 's/,seclabel//;s/size=[0-9]*k/size=x/;s/tmpfs ro,.*/tmpfs ro/' | sort
bm-box sh -c|ulimit -a
bm-box sh -c|cat /proc/sys/kernel/hostname | wc -c
bm-box sh -c|ls -la /proc/self/fd | wc -l
bm-box sh -c|stat -c '%a %u %g %n' / /dev /etc/hosts /etc/hostname /etc/resolv.conf /dev/shm /proc/kcore /sys/firmware
bm-box sh -c|cat /proc/kcore 2>&1 | wc -c; cat /proc/timer_list 2>&1 | wc -c; echo x > /proc/sysrq-trigger
bm-box sh -c|env | sed 's/HOSTNAME=.*/HOSTNAME/' | sort
bm-box sh -c|umask; pwd; id; echo $0
bm-box sh -c|kill -SEGV $$
bm-box unshare -r true
bm-box mount -t tmpfs x /tmp
bm-box sh -c|cat /proc/1/oom_score_adj /proc/1/loginuid
"""


def _split(line):
    if "|" in line and "sh -c|" in line:
        head, _, tail = line.partition("sh -c|")
        args = head.split() + ["sh", "-c", tail]
    else:
        args = line.split()
    known = ("bm-box", "bm-full", "nope-not-here")
    if not any(a in known for a in args):
        args = ["bm-box"] + args
    return args


def _run(args):
    def fn(e):
        open("/tmp/bm-env", "w").write("X=1\n# no\nPATH\nY=a b\n")
        net = [] if any(a in ("--network", "--link", "--add-host", "--dns", "--sysctl") for a in args) else ["--network", "none"]
        e.cli("run", "--rm", "--label", "bm=1", *net, *args)
    return fn


for _line in RUN.strip().splitlines():
    add("docker run " + _line, _run(_split(_line)))

for _line, _in in (("-i bm-box cat", b"hello\n"), ("-i bm-box cat", b""), ("-i bm-box sh", b"echo from stdin; exit 4\n"), ("-i bm-box head -c 3", b"abcdefgh" * 10000), ("bm-box cat", b"unread"),
                   ("-i -a stdout bm-box cat", b"x"), ("-a stdin -a stdout -i bm-box cat", b"y"), ("-i --entrypoint sh bm-full -s", b"pwd; id -un\n")):
    def _fn(e, line=_line, data=_in):
        e.cli("run", "--rm", "--label", "bm=1", "--network", "none", *line.split(), input=data)
    add(f"docker run {_line} <{_in[:10]!r}", _fn)

FAMILY = """
ps -a --filter label=bm --format {{.Names}}|{{.Image}}|{{.Command}}|{{.State}}|{{.Status}}|{{.Ports}}|{{.Mounts}}|{{.Networks}}
port bm-one
top bm-one
inspect -f {{.State.Status}} bm-one
inspect nope
logs bm-one
logs nope
rename bm-one bm-two
pause nope
stop -t 0 bm-one
kill -s NOPE bm-one
restart -t 0 bm-one
exec bm-one sh -c exit\\ 3
exec nope true
exec -u www -w /tmp -e A=1 bm-one env
rm bm-one
rm -f bm-one nope
wait nope
update --memory 64m bm-one
update --restart always bm-one
update --cpus 0.5 bm-one
diff bm-one
commit bm-one bm-committed
tag bm-box bm-tagged:x
rmi bm-none
rmi bm-box
images bm-box --format {{.Repository}}:{{.Tag}}
history bm-full --no-trunc --format {{.CreatedBy}}
image inspect bm-full -f {{json .Config}}
volume create bm-v
volume ls -f name=bm-one
volume inspect nope
volume rm nope
network inspect nope
network rm bridge
network create --driver nope bm-n
network connect nope bm-one
network disconnect bridge bm-one
container prune -f --filter label=bm-none
create --name bm-one bm-box
start nope
attach nope
unpause bm-one
stats --no-stream --format {{.Name}} bm-one
events --since 1 --until 2
version --format {{.Server.Os}}
info --format {{.OSType}}
search --limit 500 x
login -u x -p y 127.0.0.1:1
swarm init
node ls
service ls
stack ls
plugin ls
secret ls
context ls --format {{.Name}}
system df --format {{.Type}}
builder prune -f
manifest inspect 127.0.0.1:1/x
""".strip().splitlines()
for _line in FAMILY:
    if _line.startswith(("swarm init", "builder")):
        continue

    def _fn(e, line=_line):
        e.run("bm-one", Cmd=["sh", "-c", "echo line; exec sleep 1000"], HostConfig={"NetworkMode": "bridge"})
        e.cli(*[a.replace("\\ ", " ") for a in __import__("re").split(r"(?<!\\) ", line)])
    add("docker " + _line, _fn)
