# SPDX-License-Identifier: Apache-2.0
# kill -9 of each helper process: what it held goes on or ends with a word, and nothing is left.
. "$TOP/tests/lib/system.sh"
start_daemon '"live-restore": true'
make_image
# pids of our programs in this pid namespace
pids() { left_processes | sed -n "s,process \([0-9]*\): .*/$1\$,\1,p"; }

docker run -d --name log busybox sh -c 'echo one; exec sleep 1000' >/dev/null
wait_log log one
logd=$(pids dockerd-logd)
like "one logd" '^[0-9]+$' "$logd"
kill -9 $logd && wait_pid $logd
docker exec log sh -c 'echo two >/proc/1/fd/1'
is "kill -9 of logd: lines go on" $'one\ntwo' "$(lines_until log two)"
unlike "by another logd" "^$logd\$" "$(pids dockerd-logd)"
is "the container did not notice" true "$(docker inspect -f '{{.State.Running}}' log)"
docker kill log >/dev/null
is "and has its code" 137 "$(docker wait log)"
docker rm log >/dev/null

docker run -d --name sh1 busybox sleep 1000 >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' sh1)
shim=$(pids dockerd-shim)
like "one shim" '^[0-9]+$' "$shim"
kill -9 $shim
is "kill -9 of a shim: its container ends, with a code" 137 "$(docker wait sh1)"
is "and is seen to" exited "$(docker inspect -f '{{.State.Status}}' sh1)"
is "no process of it is left" 1 "$(kill -0 "$pid" 2>/dev/null; echo $?)"
works "it starts again" docker start sh1
docker rm -f sh1 >/dev/null

docker run -d --name net -p 127.0.0.1:8080:80 busybox sh -c 'while :; do echo served | nc -l -p 80; done' >/dev/null
ask() { timeout 10 bash -c 'x=; until [ -n "$x" ]; do exec 3<>/dev/tcp/127.0.0.1/8080 && read x <&3; done 2>/dev/null; echo "$x"'; }
is "a port through netd" served "$(ask)"
netd=$(pids dockerd-netd)
like "one netd" '^[0-9]+$' "$netd"
kill -9 $netd && wait_pid $netd
is "kill -9 of netd: the port answers again" served "$(ask)"
docker rm -f net >/dev/null
# A daemon and its logd die, and nobody asks the next daemon for any output: what a container says is read all the same.
docker run -d --name talks busybox sh -c 'until [ -e /go ]; do usleep 10000; done; head -c 300000 /dev/zero; exit 3' >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' talks)
logd=$(pids dockerd-logd)
kill_daemon
kill -9 $logd && wait_pid "$logd"
start_daemon '"live-restore": true'
touch "/proc/$pid/root/go"
is "both are killed: a full pipe is emptied" 3 "$(timeout 60 docker wait talks)"
docker rm talks >/dev/null

# A process in the host's pid namespace outlives the container that it was started in; its client is let go.
docker run -d --pid host --name hosted busybox sleep 1000 >/dev/null
mkfifo "$R/said"
timeout 60 docker exec hosted sh -c 'echo there; exec sleep 1000' >"$R/said" &
session=$!
read -r there <"$R/said"
docker kill hosted >/dev/null
wait $session
is "a container goes before its exec sessions: they end as well" "there 137" "$there $?"
docker rm -f hosted >/dev/null

# The exit code is on record at any time, in the shim's journal or in the container's state.
if grep -q -- --enable-faults "$BUILD/config.log"; then
	for at in container.exit.seen container.exit.drained container.exit.released container.exit.saved; do
		stop_daemon
		DOCKERD_FAULT=$at=kill start_daemon
		docker run -d --name ends busybox sh -c 'exit 5' >/dev/null 2>&1
		wait_pid "$daemon"
		start_daemon '"live-restore": true'
		is "killed at $at: the exit code is known" "exited 5" "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' ends)"
		docker rm -f ends >/dev/null
	done
	docker run -d --name cold busybox sleep 1000 >/dev/null
	stop_daemon
	DOCKERD_FAULT=container.pause.saved=kill start_daemon '"live-restore": true'
	docker start cold >/dev/null
	docker pause cold >/dev/null 2>&1
	wait_pid "$daemon"
	start_daemon '"live-restore": true'
	is "killed while it pauses a container: that can be thawed" "true false" "$(docker inspect -f '{{.State.Paused}}' cold) $(docker unpause cold >/dev/null; docker inspect -f '{{.State.Paused}}' cold)"
	docker rm -f cold >/dev/null
fi

# An end that could not be written down (a full disk, say) is no obstacle to the next start.
docker run -d --name full busybox sleep 1000 >/dev/null
dir=$R/data/containers/$(docker inspect -f '{{.Id}}' full)
mount --bind "$dir" "$dir" && mount -o remount,bind,ro "$dir"
docker kill full >/dev/null
umount "$dir"
works "an end that could not be written: it starts again" docker start full
docker rm -f full >/dev/null

# A daemon without live-restore that is killed stops what it finds again; nobody has asked for that, and policies go on.
docker run -d --restart unless-stopped --stop-signal KILL --name policy busybox sleep 1000 >/dev/null
docker run -d --restart unless-stopped --stop-signal KILL --name stopped busybox sleep 1000 >/dev/null
docker stop stopped >/dev/null
kill_daemon
start_daemon
wait_starts policy 1
is "unless-stopped after a kill: what nobody has stopped" "running exited" "$(docker inspect -f '{{.State.Status}}' policy stopped | xargs)"
docker rm -f policy stopped >/dev/null
EXPECTED_ERRORS='.' finish
