# SPDX-License-Identifier: Apache-2.0
# Log driver syslog, and the copies that make logs readable whose driver can't read them.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image
port=5514

# receive KIND WHERE COUNT: in the background, its output in $R/got once it has ended ($receiver)
receive() {
	rm -f "$R/got" "$R/ready"
	mkfifo "$R/ready"
	timeout 60 python3 "$TOP/tests/lib/syslog-receiver.py" "$@" > >(tee "$R/got" >"$R/ready") &
	receiver=$!
	exec 6<"$R/ready"
	read -r _ <&6
}
got() { # the messages, times and pids taken out, sorted
	wait $receiver
	cat <&6 | sed -E 's/[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}/TIME/; s/[0-9-]{10}T[0-9:.]{8,15}(Z|[+-][0-9:]{5})/TIME/; s/\[[0-9]+\]/[PID]/; s/ [0-9]+ ([^ ]* - )/ PID \1/' | sort
	exec 6<&-
}
sys() { docker run --log-driver syslog --log-opt syslog-address="$@"; }
host=$(hostname)

receive udp $port 2
sys udp://127.0.0.1:$port --name u1 busybox sh -c 'echo out; echo err >&2' >/dev/null 2>&1
id=$(docker inspect -f '{{.Id}}' u1)
is "udp" "<27>TIME ${id:0:12}[PID]: err\\n
<30>TIME ${id:0:12}[PID]: out\\n" "$(got)"
is "docker logs reads the copy" "err out" "$(docker logs u1 2>&1 | sort | xargs)"
is "stdout alone" out "$(docker logs u1 2>/dev/null)"
is "it lies where moby's does" "container-cached.log" "$(ls "$R/data/containers/$id" | grep -E 'log$|local-logs')"
is "LogPath is empty, as moby's" "" "$(docker inspect -f '{{.LogPath}}' u1)"

receive tcp $port 2
sys tcp://127.0.0.1:$port --log-opt syslog-format=rfc5424 --log-opt syslog-facility=local3 --log-opt tag='{{.Name}}/{{.ImageName}}' --name t1 \
	busybox sh -c 'echo one; echo two' >/dev/null
is "tcp, rfc5424" "<158>1 TIME $host t1/busybox PID t1/busybox - one\\n
<158>1 TIME $host t1/busybox PID t1/busybox - two\\n" "$(got)"
receive unixgram "$R/gram" 1
sys unixgram://"$R/gram" --log-opt syslog-format=rfc3164 --log-opt syslog-facility=1 --log-opt tag=me busybox echo hi >/dev/null
is "unixgram, rfc3164" "<14>TIME $host me[PID]: hi\\n" "$(got)"
receive unix "$R/stream" 1
sys unix://"$R/stream" --log-opt syslog-format=rfc5424micro --log-opt tag=me busybox echo hi >/dev/null
is "unix, rfc5424micro" "<30>1 TIME $host me PID me - hi\\n" "$(got)"

while IFS='|' read -r option words; do
	# the CLI makes its own status of the words
	is "refused: $option" no "$(docker create --log-driver syslog --log-opt "$option" --name bad busybox true >"$R/said" 2>&1 && echo yes || echo no)"
	like "in moby's words" "$words" "$(cat "$R/said")"
done <<'T'
syslog-address=foo|unsupported scheme: ''
syslog-address=ftp://a|unsupported scheme: 'ftp'
syslog-address=unix:///nope|stat /nope: no such file or directory
syslog-address=udp://a:x|parse "udp://a:x": invalid port ":x" after host
syslog-address=tcp+tls://a|not supported yet
syslog-facility=foo|invalid syslog facility
syslog-format=foo|Invalid syslog format
cache-disabled=maybe|invalid value for option cache-disabled: maybe
foo=1|unknown log opt 'foo' for syslog log driver
T
status "nobody at the server: no start" 125 sys tcp://127.0.0.1:1 --name refused busybox true
like "says so" 'failed to create task for container: failed to initialize logging driver: dial tcp 127.0.0.1:1: connect: connection refused' "$out"

# the copy
u=udp://127.0.0.1:$port
sys $u --log-opt cache-disabled=true --name off busybox echo hi >/dev/null
status "cache-disabled" 1 docker logs off
like "says that it can't be read" 'configured logging driver does not support reading' "$out"
sys $u --name ro --log-opt cache-max-size=2k --log-opt cache-max-file=2 --log-opt cache-compress=false busybox sh -c 'i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done' >/dev/null
is "cache-max-size, cache-max-file, cache-compress" "container-cached.log container-cached.log.1" "$(ls "$R/data/containers/$(docker inspect -f '{{.Id}}' ro)" | grep cached | xargs)"
is "read across files" "line 299" "$(docker logs ro | tail -1)"

# A server that takes no more: the copy has all that was written, and docker logs -f goes on.
exec 8< <(exec timeout 60 python3 -c '
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 5515)); s.listen(); print("ready", flush=True); c = s.accept()[0]; sys.stdin.read()' </dev/zero)
stuck=$!
read -r _ <&8
sys tcp://127.0.0.1:5515 --log-opt mode=non-blocking --log-opt max-buffer-size=4k -d --name stuck busybox \
	sh -c 'head -c 8000000 /dev/zero | tr "\0" x | fold -w 1000; echo; echo the end; exec sleep 1000' >/dev/null
is "a stuck server costs no line of the copy" 8001 "$(follow stuck sed '/the end/q' | grep -c -E '^x{1000}$|the end')"
kill_daemon
kill -9 $(left_processes | sed -n 's/process \([0-9]*\):.*dockerd-logd.*/\1/p')
start_daemon '"log-opts": {"cache-disabled": "true", "max-size": "1m"}'
docker rm -f stuck >/dev/null
kill $stuck
exec 8<&-
sys $u --name off2 busybox echo hi >/dev/null
is "the daemon's cache options are defaults for any driver, others only for its own" '{"cache-disabled":"true","syslog-address":"udp://127.0.0.1:5514"}' \
	"$(docker inspect -f '{{json .HostConfig.LogConfig.Config}}' off2)"
sys $u --log-opt cache-disabled=false --name on busybox echo hi >/dev/null
is "a container's own come first" hi "$(docker logs on)"
finish
