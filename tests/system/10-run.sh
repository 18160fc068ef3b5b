# SPDX-License-Identifier: Apache-2.0
# docker run: each flag by its effect inside the container.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

run_is "a container's output" hello busybox echo hello
works "run -d prints the id" docker run -d --name d1 busybox sleep 1000
like "64 digits of it" '^[0-9a-f]{64}$' "$out"
status "a name is taken once" 125 docker run --name d1 busybox true
like "with moby's words" 'Conflict. The container name "/d1" is already in use by container' "$out"
is "run -i reads stdin" "from stdin" "$(echo from stdin | docker run --rm -i busybox cat)"
like "run -t has a terminal" '^/dev/(pts/0|console)' "$(docker run --rm -t busybox tty)"
run_is "-e" "a=1 b=2" -e a=1 -e b=2 busybox sh -c 'echo a=$a b=$b'
printf '# comment\nX=from file\nY=2\n' >"$R/env"
run_is "--env-file" "from file 2" --env-file "$R/env" busybox sh -c 'echo $X $Y'
run_is "the image's environment" 1 busybox sh -c 'echo $FROM_IMAGE'
run_is "-w" /a/b -w /a/b busybox pwd
run_is "-u by number" "uid=5 gid=6" -u 5:6 busybox sh -c 'id | sed "s/ groups.*//"'
run_is "-u by name with its groups" "uid=33(www) gid=33(www) groups=33(www),44(extra)" -u www busybox id
status "-u of nobody known" 125 docker run --rm -u nobodyhere busybox true
like "says which" 'unable to find user nobodyhere: no matching entries in passwd file' "$out"
run_is "--group-add" 1 --group-add 77 busybox sh -c 'id | grep -c 77'

# volumes
mkdir "$R/v"
echo in volume >"$R/v/f"
run_is "-v of a directory" "in volume" -v "$R/v:/v" busybox cat /v/f
docker run --rm -v "$R/v:/v" busybox sh -c 'echo written >/v/g'
is "is written through" written "$(cat "$R/v/g")"
status "-v :ro" 1 docker run --rm -v "$R/v:/v:ro" busybox touch /v/x
like "is read-only" 'Read-only file system' "$out"
docker run --rm -v named:/n busybox sh -c 'echo kept >/n/f'
run_is "a named volume keeps its files" kept -v named:/n busybox cat /n/f
run_is "--mount type=bind" "in volume" --mount "type=bind,source=$R/v,target=/m,readonly" busybox cat /m/f
status "--mount of nothing" 125 docker run --rm --mount "type=bind,source=$R/nothing,target=/m" busybox true
like "says so" 'bind source path does not exist' "$out"
docker run -d --name vf -v /anon busybox sh -c 'echo shared >/anon/f; exec sleep 1000' >/dev/null
docker exec vf sh -c 'until [ -s /anon/f ]; do :; done'
run_is "--volumes-from" shared --volumes-from vf busybox cat /anon/f
run_like "--tmpfs with size" '^tmpfs +2048 ' --tmpfs /t:size=2m busybox sh -c 'df -k /t | tail -1'
status "--read-only" 1 docker run --rm --read-only busybox touch /x
like "is read-only" 'Read-only file system' "$out"
run_is "--read-only with --tmpfs" ok --read-only --tmpfs /t busybox sh -c 'echo ok >/t/x; cat /t/x'
run_like "--shm-size" '^shm +8192 ' --shm-size 8m busybox sh -c 'df -k /dev/shm | tail -1'

# limits, seen in the container's cgroup
cg() { cat "$(find /sys/fs/cgroup -path "*$1/$2" 2>/dev/null | head -1)"; }
id=$(docker run -d -m 64m --cpus 0.5 --pids-limit 50 --cpu-shares 512 busybox sleep 1000)
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	is "-m" $((64 * 1024 * 1024)) "$(cg "$id" memory.max)"
	is "--cpus" "50000 100000" "$(cg "$id" cpu.max)"
else
	is "-m" $((64 * 1024 * 1024)) "$(cg "$id" memory.limit_in_bytes)"
	is "--cpus" 50000 "$(cg "$id" cpu.cfs_quota_us)"
	is "--cpu-shares" 512 "$(cg "$id" cpu.shares)"
fi
is "--pids-limit" 50 "$(cg "$id" pids.max)"
status "too many processes" 2 docker run --rm --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; exit 0'
status "out of memory is 137" 137 docker run --name oom -m 16m --memory-swap 16m busybox sh -c 'head -c 64m /dev/zero | tail >/dev/null; exit $?'
is "and inspect says so" true "$(docker inspect -f '{{.State.OOMKilled}}' oom)"
run_is "--cpuset-cpus" 0 --cpuset-cpus 0 busybox sh -c 'sed -n "s/Cpus_allowed_list:[^0-9]*//p" /proc/self/status'
run_is "--ulimit" "100 200" --ulimit nofile=100:200 busybox sh -c 'echo $(ulimit -n) $(ulimit -Hn)'
run_is "--oom-score-adj" 500 --oom-score-adj 500 busybox cat /proc/self/oom_score_adj
run_is "--sysctl" 1 --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward

# rights
caps() { docker run --rm "$@" busybox sed -n 's/CapEff:.//p' /proc/self/status; }
is "capabilities by default" 00000000a80425fb "$(caps)"
is "--cap-drop ALL --cap-add" 0000000000000400 "$(caps --cap-drop ALL --cap-add NET_BIND_SERVICE)"
is "--cap-add" 00000000a80435fb "$(caps --cap-add NET_ADMIN)"
is "--privileged has all" "$(sed -n 's/CapBnd:.//p' /proc/self/status)" "$(caps --privileged)"
status "an unknown capability" 125 docker run --rm --cap-add NOPE busybox true
like "is refused" 'invalid CapAdd: unknown capability: "CAP_NOPE"' "$out"
run_is "no_new_privs" 1 --security-opt no-new-privileges busybox sed -n 's/NoNewPrivs:.//p' /proc/self/status
run_is "seccomp by default" 2 busybox sed -n 's/Seccomp:.//p' /proc/self/status
run_is "seccomp=unconfined" 0 --security-opt seccomp=unconfined busybox sed -n 's/Seccomp:.//p' /proc/self/status
status "unshare is denied" 1 docker run --rm busybox unshare -U true
run_is "the mode of the root, which the init layers of one image share" 755 busybox stat -c %a /
run_is "--device" c --device /dev/zero:/dev/other busybox sh -c 'head -c 1 /dev/other | od -An -tx1 | grep -q 00 && stat -c %F /dev/other | cut -c1'
status "another device is denied" 1 docker run --rm busybox sh -c 'mknod /dev/k c 1 11; head -c 0 </dev/k && exit 0; exit 1'
run_is "masked paths" 0 busybox sh -c 'cat /proc/keys | wc -c; [ ! -e /proc/acpi ] || ls /proc/acpi'
status "/proc/sys is read-only" 1 docker run --rm busybox sh -c 'echo 1 >/proc/sys/kernel/dmesg_restrict'
run_is "nothing of the host's descriptors" "" busybox sh -c 'for f in /proc/$$/fd/*; do case $f in */[012]) ;; *) readlink $f ;; esac; done'

# names
run_is "--hostname" "box box" --hostname box busybox sh -c 'echo $(hostname) $(tail -1 /etc/hosts | cut -f2)'
run_is "--domainname" dom.example --hostname box --domainname dom.example busybox cat /proc/sys/kernel/domainname
run_like "--add-host" '^10.9.8.7	other$' --add-host other:10.9.8.7 busybox cat /etc/hosts
run_like "--dns" '^nameserver 10.1.2.3$' --dns 10.1.2.3 busybox cat /etc/resolv.conf
run_like "--dns-search" '^search example.org$' --dns-search example.org busybox cat /etc/resolv.conf
run_like "--dns-option" '^options ndots:3' --dns-option ndots:3 busybox cat /etc/resolv.conf
run_is "--entrypoint" "x y" --entrypoint echo busybox x y
run_is "--init is process 1" docker-init --init busybox cat /proc/1/comm
run_is "without: the program is" cat busybox cat /proc/1/comm
run_is "--init reaps orphans" 0 --init busybox sh -c '(sleep 0 &) ; (sleep 0 &); usleep 1; while ps -o stat,comm | grep -q "^Z"; do :; done; echo 0'
works "--label" docker run -d --name lab --label a=b --label c busybox sleep 1000
is "is kept" "b " "$(docker inspect -f '{{.Config.Labels.a}} {{.Config.Labels.c}}' lab)"
works "--stop-signal" docker run -d --name ss --stop-signal USR1 busybox sh -c 'trap "exit 9" USR1; touch /ready; while :; do sleep 1000 & wait; done'
docker exec ss sh -c 'until [ -e /ready ]; do :; done'
works "stop sends it" docker stop -t 30 ss
is "and the program ended by it" 9 "$(docker inspect -f '{{.State.ExitCode}}' ss)"
run_is "--pid container:" sleep --pid container:d1 busybox cat /proc/1/comm
docker run -d --name tracer --cap-add SYS_PTRACE busybox sleep 1000 >/dev/null
run_is "also of one that may trace" sleep --pid container:tracer busybox cat /proc/1/comm
run_is "--ipc host" "$(readlink /proc/self/ns/ipc)" --ipc host busybox readlink /proc/self/ns/ipc
run_is "--uts host" "$(hostname)" --uts host busybox hostname
run_is "--cidfile" "" --cidfile "$R/cid" busybox true
like "has the id" '^[0-9a-f]{64}$' "$(cat "$R/cid")"

# exit codes
status "the program's own code" 42 docker run --rm busybox sh -c 'exit 42'
status "125: the daemon refuses" 125 docker run --rm --memory 1k busybox true
like "with moby's words" 'Minimum memory limit allowed is 6MB' "$out"
status "126: can't be executed" 126 docker run --rm busybox /etc
like "says why" 'permission denied' "$out"
status "127: not found" 127 docker run --rm busybox /nope
like "says which" 'exec: "/nope": stat /nope: no such file or directory|"/nope": .*no such file or directory' "$out"
status "127: not in PATH" 127 docker run --rm busybox nope
like "says so" 'executable file not found in \$PATH' "$out"
status "137: a killed child's code goes on" 137 docker run --rm busybox sh -c 'sh -c "kill -9 \$\$"; exit $?'
status "143: terminated" 143 docker run --rm --init busybox sh -c 'kill -TERM $$'
docker run --rm --name gone busybox true
status "--rm removed it" 1 docker inspect gone

# images that are not here
status "an unknown image" 125 docker run --rm nosuchimage true
like "is not found locally" "Unable to find image 'nosuchimage:latest' locally" "$out"
works "--tmpfs where the image has nothing is everybody's" docker run --rm -u 1000 --tmpfs /run/fresh busybox touch /run/fresh/file
is "  where it has something, as that is" 755 "$(docker run --rm --tmpfs /root:size=1m busybox stat -c %a /root)"
is "a working directory in a mount is made" "/fresh/a/b 755" "$(docker run --rm --tmpfs /fresh -w /fresh/a/b busybox sh -c 'echo $(pwd) $(stat -c %a .)')"
mkdir "$R/shared" && mount -t tmpfs shared "$R/shared" && mount --make-shared "$R/shared"
like "a shared mount" ' /x .* shared:' "$(docker run --rm -v "$R/shared:/x:rshared" busybox cat /proc/self/mountinfo)"
umount "$R/shared"
if [ -e /dev/net/tun ]; then
	works "/dev/net/tun" docker run --rm --cap-add NET_ADMIN busybox sh -c 'mkdir -p /dev/net && mknod /dev/net/tun c 10 200 && exec 3<>/dev/net/tun'
fi
is "filters=null are none" 200 "$(api GET '/v1.51/containers/json?filters=null' -o /dev/null -w '%{http_code}')"
EXPECTED_ERRORS='nosuchimage|oci runtime|OCI runtime' finish
