# SPDX-License-Identifier: Apache-2.0
# The daemon goes and comes: killed and stopped, with and without live-restore.
. "$TOP/tests/lib/system.sh"
start_daemon '"live-restore": true'
make_image
# A program that prints what it is told to, and ends with the code that it is told.
talker='while read x; do case $x in [0-9]*) exit $x ;; esac; echo $x; done'

docker run -d -i --name talk busybox sh -c "$talker" >/dev/null
mkfifo "$R/in"
docker attach talk <"$R/in" >"$R/attached" 2>/dev/null &
attach=$!
exec 7>"$R/in"
echo before >&7
wait_log talk before
docker run -d --name port -p 8080:80 busybox sh -c 'while :; do echo served | nc -l -p 80; done' >/dev/null
docker run -d --name ends busybox sh -c 'until [ -e /go ]; do usleep 10000; done; echo last words; exit 23' >/dev/null
docker run -d --rm --name goes busybox sh -c 'until [ -e /go ]; do usleep 10000; done; exit 24' >/dev/null
docker run -d --restart always --name again busybox sh -c 'echo life; exec sleep 1000' >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' talk)
endspid=$(docker inspect -f '{{.State.Pid}}' ends)
goespid=$(docker inspect -f '{{.State.Pid}}' goes)
againpid=$(docker inspect -f '{{.State.Pid}}' again)
kill_daemon
is "kill -9 of dockerd: the container goes on" 0 "$(kill -0 "$pid"; echo $?)"
echo "while away" >&7
touch "/proc/$endspid/root/go" "/proc/$goespid/root/go"
kill -9 "$againpid"
wait_pid "$endspid"
wait_pid "$goespid"
sed "s,$R/exec\",$R/other\"," "$R/daemon.json" >"$R/other.json"
status "a daemon that finds containers that are not its own but run" 1 timeout 60 "$BUILD/dockerd" --config-file "$R/other.json"
like "names them" "still runs? under another engine: .*talk \([0-9a-f]{12}, process $pid\)" "$out"
start_daemon '"live-restore": true'
is "a restart finds it running" "true $pid" "$(docker inspect -f '{{.State.Running}} {{.State.Pid}}' talk)"
is "the exit code of one that ended meanwhile" "exited 23" "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' ends)"
is "and its last words" "last words" "$(docker logs ends)"
echo after >&7
is "no log line is lost" $'before\nwhile away\nafter' "$(lines_until talk after)"
status "auto-remove that fell due is done" 1 docker inspect goes
wait_starts again 1
is "restart that fell due is done" true "$(docker inspect -f '{{.State.Running}}' again)"
echo 12 >&7
is "the exit code after all that" 12 "$(docker wait talk)"
exec 7>&-
wait $attach
is "the attach session lived through it" $'before\nwhile away\nafter' "$(cat "$R/attached")"
is "a published port too" served "$(timeout 10 bash -c 'until exec 3<>/dev/tcp/127.0.0.1/8080; do :; done; cat <&3' 2>/dev/null)"
is "exec works in an adopted container" hi "$(docker exec port echo hi)"
works "stop works on it" docker stop -t 0 port
works "start after it" docker start port
stop_daemon
is "live-restore: a clean stop leaves containers running" 2 "$(left_processes | grep -c shim)"
start_daemon '"live-restore": true'
is "they are found again" "again port" "$(docker ps --format '{{.Names}}' | sort | xargs)"
stop_daemon

# ---- without live-restore -------------------------------------------------------------------------------------------------------------------
start_daemon
docker rm -f again port >/dev/null
docker run -d --name s1 busybox sh -c 'trap "exit 6" TERM; touch /ready; while :; do sleep 1000 & wait; done' >/dev/null
docker exec s1 sh -c 'until [ -e /ready ]; do :; done'
docker run -d --name s2 --restart always busybox sh -c 'trap "exit 0" TERM; touch /ready; while :; do sleep 1000 & wait; done' >/dev/null
docker exec s2 sh -c 'until [ -e /ready ]; do :; done'
docker run -d --name s3 --stop-timeout 0 -p 8081:80 busybox sleep 1000 >/dev/null
stop_daemon
is "without live-restore nothing is left by a stop" "" "$(left)"
start_daemon
is "containers were stopped cleanly" "exited 6" "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' s1)"
wait_starts s2 1
is "what is always restarted runs" true "$(docker inspect -f '{{.State.Running}}' s2)"
is "the rest does not" false "$(docker inspect -f '{{.State.Running}}' s3)"
pid=$(docker inspect -f '{{.State.Pid}}' s2)
docker start s1 >/dev/null
kill_daemon
start_daemon
is "kill -9 without live-restore: the running ones are ended" false "$(docker inspect -f '{{.State.Running}}' s1)"
wait_starts s2 1
is "and the policy starts anew" true "$(docker inspect -f '{{.State.Running}}' s2)"
docker rm -f s1 s2 s3 >/dev/null
out=$("$BUILD/dockerd" --config-file "$R/daemon.json" 2>&1)
is "a second daemon on the same files is refused" 1 $?
like "says why" 'pid file found, ensure docker is not running or delete|process with PID' "$out"
is "SIGHUP doesn't kill" 0 "$(kill -HUP "$daemon"; docker version >/dev/null; echo $?)"
EXPECTED_ERRORS='.' finish
