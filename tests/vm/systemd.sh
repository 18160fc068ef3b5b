#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The units in etc/systemd under a real systemd: activation by the socket, restart and stop of the service with and without live-restore.
# A container that writes a numbered line a second shows whether any is lost while the daemon is away.
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
[ -d /run/systemd/system ] || skip_all "systemd does not run here"
need systemctl
install_tree
modprobe -a overlay bridge veth br_netfilter 2>/dev/null
unit=docker.service
systemctl cat $unit >/dev/null 2>&1 || unit=dockerd.service
systemctl cat $unit >/dev/null 2>&1 || skip_all "no unit of the daemon is installed"
note "$unit"
getent group docker >/dev/null || groupadd -r docker
systemctl daemon-reload
trap '[ $failures = 0 ] || journalctl -u $unit --no-pager -o cat | tail -80 | sed "s/^/# /"; systemctl stop docker.socket $unit 2>/dev/null' EXIT

configure() { mkdir -p /etc/docker && echo "$1" >/etc/docker/daemon.json; }
pid() { systemctl show -P MainPID $unit; }
# numbers FROM: of lines on stdin; "N..M" if each follows the one before it, else the first gap.
numbers() { awk 'NR == 1 { first = last = $1; next } $1 != last + 1 { print "gap after " last ": " $1; bad = 1; exit } { last = $1 } END { if (!bad) print (last - first + 1 == NR ? "complete" : "short") }'; }
last_line() { docker logs --tail 1 "$1"; }
counter='i=0; trap "echo stopping; exit 7" TERM; while :; do i=$((i+1)); echo $i; sleep 1 & wait $!; done'

note "--- activation"
configure '{"live-restore": true}'
check "the socket unit" systemctl start docker.socket
same "socket: owner and mode" "$(stat -c '%U:%G %a' /run/docker.sock)" "root:docker 660"
same "the daemon does not run yet" "$(systemctl is-active $unit)" inactive
check "docker ps starts it" docker ps
same "active after its own notice" "$(systemctl is-active $unit)" active
same "live-restore" "$(docker info -f '{{.LiveRestoreEnabled}}')" true
same "the service's OOM score" "$(cat "/proc/$(pid)/oom_score_adj")" -500
check "an image is imported" import_busybox
matches "config and units are valid" "$(systemd-analyze verify /lib/systemd/system/$unit /lib/systemd/system/docker.socket 2>&1 | grep -v man)" ''

note "--- what the service's settings must not do to containers"
same "OOM score of a container" "$(docker run --rm busybox cat /proc/self/oom_score_adj)" 0
same "environment of a container" "$(docker run --rm busybox sh -c 'export' | grep -c 'LISTEN_\|NOTIFY\|INVOCATION')" 0
same "descriptors of a container" "$(docker run --rm busybox sh -c 'ls /proc/self/fd' | tr '\n' ' ')" "0 1 2 3 "

note "--- restart with live-restore"
docker run -d --name live busybox sh -c "$counter" >/dev/null
docker attach --no-stdin --sig-proxy=false live >"$work/attached" 2>"$work/attach-errors" &
attach=$!
wait_line live 3
started=$(inspect live '{{.State.Pid}}')
for round in 1 2 3; do
	before=$(pid)
	systemctl reset-failed $unit # the limit of starts in a minute is for crashes
	check "restart $round" systemctl restart $unit
	check "another daemon" test "$(pid)" != "$before"
	same "the container is the same process" "$(inspect live '{{.State.Pid}} {{.State.Running}}')" "$started true"
	wait_line live $(($(last_line live) + 2))
done
note "killed by SIGKILL: systemd starts it again"
before=$(pid)
systemctl reset-failed $unit
kill -9 "$before"
# the socket is systemd's: a client waits in its queue until the next daemon serves it
check "a client is served by the next daemon" timeout 120 docker ps
check "another daemon" test "$(pid)" != "$before"
same "the container is the same process" "$(inspect live '{{.State.Pid}} {{.State.Running}}')" "$started true"
wait_line live $(($(last_line live) + 2))
systemctl stop $unit docker.socket
systemctl reset-failed $unit
check "the container lives without a daemon" kill -0 "$started"
check "start" systemctl start docker.socket $unit
wait_line live $(($(last_line live) + 2))
same "exec after it" "$(docker exec live echo in)" in
same "no line is lost in the log" "$(docker logs live | numbers)" complete
docker stop live >/dev/null
same "exit code" "$(inspect live '{{.State.ExitCode}}')" 7
same "last line" "$(docker logs --tail 1 live)" stopping
timeout 60 tail --pid=$attach -f /dev/null
note "attach said: $(tr '\n' ' ' <"$work/attach-errors")"
note "attached client's lines: $(wc -l <"$work/attached"), log: $(docker logs live | wc -l)"
same "no line is lost to the attached client while it was connected" "$(grep -v stopping "$work/attached" | numbers)" complete
same "a client stays attached over the restarts" "$(tail -1 "$work/attached")" stopping
docker rm live >/dev/null

note "--- a container that ends while there is no daemon"
mkdir -p "$work/volume"
mkfifo "$work/volume/go"
docker run -d --name ends -v "$work/volume:/v" busybox sh -c 'echo begin; cat /v/go; echo end; exit 9' >/dev/null
end=$(inspect ends '{{.State.Pid}}')
systemctl stop docker.socket $unit
echo now >"$work/volume/go"
timeout 60 tail --pid="$end" -f /dev/null
check "start" systemctl start docker.socket $unit
same "its exit code is known" "$(inspect ends '{{.State.Status}} {{.State.ExitCode}}')" "exited 9"
same "its last lines are there" "$(docker logs ends | tr '\n' ' ')" "begin now end "
docker rm -f ends >/dev/null

note "--- stop without live-restore"
configure '{"live-restore": false}'
systemctl reset-failed $unit
check "restart" systemctl restart $unit
docker run -d --name one -p 127.0.0.1:18081:80 busybox sh -c "$counter" >/dev/null
docker run -d --name two --restart always busybox sh -c "$counter" >/dev/null
docker run -d --name gone --rm busybox sh -c "$counter" >/dev/null
wait_line one 2
wait_line gone 2
check "stop" systemctl stop docker.socket $unit
same "nothing is left" "$(leftovers)" ""
same "the unit ended well" "$(systemctl show -P Result $unit)" success
check "start" systemctl start docker.socket $unit
same "stopped by its handler" "$(inspect one '{{.State.Status}} {{.State.ExitCode}}')" "exited 7"
same "restart policy: always" "$(inspect two '{{.State.Running}}')" true
same "--rm: gone" "$(docker ps -aq --filter name=gone)" ""
docker rm -f one two >/dev/null
check "stop" systemctl stop docker.socket $unit
same "nothing is left" "$(leftovers)" ""
done_testing
