#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Containers on cgroup v2: limits in the kernel's files, the device filter, the freezer, out of memory, the cgroup namespace; and the
# plain life of a container on a distribution's stock kernel. Needs a systemd machine with the unified hierarchy at /sys/fs/cgroup.
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
[ -e /sys/fs/cgroup/cgroup.controllers ] || skip_all "no cgroup v2 at /sys/fs/cgroup"
install_tree
modprobe -a overlay bridge veth br_netfilter 2>/dev/null

dockerd >"$work/dockerd.log" 2>&1 &
daemon=$!
trap 'kill $daemon 2>/dev/null; wait $daemon; [ $failures = 0 ] || sed "s/^/# /" "$work/dockerd.log" | tail -60' EXIT
# The socket is bound early and clients wait in its queue: the log says when it is there.
tail -n +1 -F --pid=$daemon "$work/dockerd.log" 2>/dev/null | grep -m1 -q 'API listen' || { note "the daemon did not start"; exit 1; }
check "an image is imported" import_busybox

note "--- docker info"
docker info >"$work/info" 2>"$work/warnings"
sed 's/^/# /' "$work/info" "$work/warnings"
same "info: cgroup version" "$(docker info -f '{{.CgroupVersion}}')" 2
matches "info: private cgroup namespaces" "$(docker info -f '{{.SecurityOptions}}')" '*name=cgroupns*'
same "info: limits" "$(docker info -f '{{.MemoryLimit}} {{.SwapLimit}} {{.CPUCfsQuota}} {{.CPUShares}} {{.CPUSet}} {{.PidsLimit}}')" \
	"true true true true true true"
same "info: no warning" "$(grep -c WARNING "$work/warnings" "$work/info" | tr '\n' ' ')" "$work/warnings:0 $work/info:0 "

note "--- life"
same "run prints" "$(docker run --rm busybox echo hello)" hello
docker run --rm busybox sh -c 'exit 42'
same "exit code" $? 42
id=$(docker create --name life busybox sh -c 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 1000 & wait $!; done')
check "start" docker start life
wait_line life up
same "running" "$(inspect life '{{.State.Status}}')" running
same "exec" "$(docker exec life sh -c 'echo in; exit 5'; echo $?)" $'in\n5'
check "pause" docker pause life
same "frozen" "$(grep frozen "$(cgroup_dir life)/cgroup.events")" "frozen 1"
same "status paused" "$(inspect life '{{.State.Status}}')" paused
check "unpause" docker unpause life
same "thawed" "$(grep frozen "$(cgroup_dir life)/cgroup.events")" "frozen 0"
check "stop" docker stop life
same "exit code of its handler" "$(inspect life '{{.State.ExitCode}}')" 3
same "logs" "$(docker logs life)" $'up\nbye'
check "rm" docker rm life
docker run -d --name frozen busybox sleep 1000 >/dev/null
docker pause frozen >/dev/null
check "a paused container is removed by force" docker rm -f frozen

note "--- limits"
docker run -d --name limits -m 64m --memory-reservation 32m --memory-swap 96m --cpus 1.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 33 \
	--oom-score-adj 100 busybox sleep 1000 >/dev/null
same "memory.max" "$(cgroup_file limits memory.max)" $((64 << 20))
same "memory.swap.max" "$(cgroup_file limits memory.swap.max)" $((32 << 20))
same "memory.low" "$(cgroup_file limits memory.low)" $((32 << 20))
same "cpu.max" "$(cgroup_file limits cpu.max)" "150000 100000"
same "cpu.weight" "$(cgroup_file limits cpu.weight)" 20
same "cpuset.cpus" "$(cgroup_file limits cpuset.cpus)" 0
same "pids.max" "$(cgroup_file limits pids.max)" 33
same "oom_score_adj" "$(cat "/proc/$(inspect limits '{{.State.Pid}}')/oom_score_adj")" 100
if said=$(docker update -m 80m --memory-swap -1 --cpus 0.5 --pids-limit 44 limits 2>&1); then
	same "updated memory.max" "$(cgroup_file limits memory.max)" $((80 << 20))
	same "updated memory.swap.max" "$(cgroup_file limits memory.swap.max)" max
	same "updated cpu.max" "$(cgroup_file limits cpu.max)" "50000 100000"
	same "updated pids.max" "$(cgroup_file limits pids.max)" 44
elif [[ $said == *"not supported yet"* ]]; then
	skip 4 "update: $said"
else
	check "update: $said" false
fi
matches "the number of processes is limited" "$(docker exec limits sh -c 'for i in $(seq 60); do sleep 100 & done' 2>&1)" '*fork*'
docker rm -f limits >/dev/null
docker run -d --name st busybox sleep 1000 >/dev/null
said=$(docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' st 2>&1)
if [[ $said == *"not supported yet"* ]]; then skip 1 "stats: $said"; else matches "stats" "$said" '*iB / *iB 1'; fi
docker rm -f st >/dev/null

note "--- devices"
docker run -d --name dev busybox sleep 1000 >/dev/null
same "null, zero and the terminal work" "$(docker exec -t dev sh -c 'echo x >/dev/null && head -c 4 /dev/zero | od -An -tx1 && test -t 0 && echo tty' | tr -d '\r')" \
	$' 00 00 00 00\ntty'
matches "the node of a disallowed device can be made, not opened" \
	"$(docker exec dev sh -c 'mknod /tmp/m c 1 1 && cat /tmp/m' 2>&1)" "*can't open*Operation not permitted*"
docker rm -f dev >/dev/null
matches "a device cgroup rule is taken" \
	"$(docker run --rm --device-cgroup-rule 'a *:* rwm' busybox sh -c 'mknod /tmp/m b 7 99 && echo made' 2>&1)" made
disk=$(find /dev -maxdepth 1 -type b -name 'vd?' -o -maxdepth 1 -type b -name 'sd?' | sort | head -1)
if [ -n "$disk" ]; then
	numbers=$(printf '%d %d' "0x$(stat -c %t "$disk")" "0x$(stat -c %T "$disk")")
	matches "a disk can't be read" "$(docker run --rm busybox sh -c "mknod /tmp/d b $numbers; dd if=/tmp/d of=/dev/null count=1" 2>&1)" "*Operation not permitted*"
	matches "--device ...:r: reading" "$(docker run --rm --device "$disk:/dev/d:r" busybox sh -c 'dd if=/dev/d of=/dev/null count=1' 2>&1)" "*1+0 records in*"
	matches "--device ...:r: no writing" "$(docker run --rm --device "$disk:/dev/d:r" busybox sh -c ': >>/dev/d' 2>&1)" "*Operation not permitted*"
fi
check "privileged: everything" docker run --rm --privileged busybox sh -c 'mknod /tmp/m c 1 1 && head -c 1 /tmp/m >/dev/null'

note "--- out of memory"
docker run --name oom -m 16m --memory-swap 16m busybox tail /dev/zero
same "exit code" $? 137
same "inspect" "$(inspect oom '{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}')" "true 137 exited"
docker rm oom >/dev/null
docker run -d --name oomchild -m 24m --memory-swap 24m busybox sh -c 'tail /dev/zero; echo child ended; sleep 1000' >/dev/null
wait_line oomchild 'child ended'
same "a child is killed, the container goes on" "$(inspect oomchild '{{.State.Running}}')" true
docker rm -f oomchild >/dev/null
docker run --name fine -m 64m busybox true
same "no OOMKilled without it" "$(inspect fine '{{.State.OOMKilled}}')" false
docker rm fine >/dev/null

note "--- cgroup namespace"
same "private by default" "$(docker run --rm busybox cat /proc/self/cgroup)" 0::/
check "own limits are seen in /sys/fs/cgroup" docker run --rm -m 64m busybox grep -qx $((64 << 20)) /sys/fs/cgroup/memory.max
matches "read-only" "$(docker run --rm busybox sh -c 'echo 1 >/sys/fs/cgroup/cgroup.freeze' 2>&1)" "*Read-only file system*"
matches "host: the whole path" "$(docker run --rm --cgroupns host busybox cat /proc/self/cgroup)" "0::/docker/*"

note "--- network"
docker run -d --name web -p 127.0.0.1:18080:80 busybox sh -c 'echo page >/tmp/index.html; echo up; exec httpd -f -p 80 -h /tmp' >/dev/null
wait_line web up
# httpd listens a moment after its line: curl tries again while the connection is refused
same "published port from the host" "$(curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:18080/)" page
address=$(inspect web '{{.NetworkSettings.IPAddress}}')
matches "address on the bridge" "$address" '172.17.*'
same "container to container" "$(docker run --rm busybox wget -qO- "http://$address/")" page
if said=$(docker network create inner 2>&1); then
	check "connect" docker network connect inner web
	same "by name on a network of one's own" "$(docker run --rm --network inner busybox wget -qO- http://web/)" page
	docker rm -f web >/dev/null
	check "network rm" docker network rm inner
elif [[ $said == *"not supported yet"* ]]; then
	skip 3 "network create: $said"
	docker rm -f web >/dev/null
else
	check "network create: $said" false
fi
matches "port is free again" "$(curl -s --max-time 5 http://127.0.0.1:18080/ || echo refused)" refused

note "--- end"
docker run -d --name last busybox sleep 1000 >/dev/null
kill $daemon
wait $daemon
same "the daemon's exit code" $? 0
same "nothing is left" "$(leftovers)" ""
trap '[ $failures = 0 ] || sed "s/^/# /" "$work/dockerd.log" | tail -60' EXIT
done_testing
