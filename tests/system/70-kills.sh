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
# with live-restore logd stays for the next daemon; without, it is ended
kill_daemon
start_daemon
EXPECTED_ERRORS='.' finish
