# SPDX-License-Identifier: Apache-2.0
# Runtimes that are programs (exec driver oci): chosen per container, by default-runtime and by --exec-driver; all that a container can be asked for; the
# daemon's death beside them. The program is Debian's runc, and once crun.
. "$TOP/tests/lib/system.sh"
command -v runc >/dev/null || { echo "1..0 # SKIP runc is not installed"; exit 0; }
cat >"$R/wrapper" <<'W'
#!/bin/sh
echo "$*" >>"${0%/*}/calls"
while [ "$1" = --seen ] || [ "$1" = "two words" ]; do shift; done
exec runc "$@"
W
chmod +x "$R/wrapper"
runtimes='"prog": {"path": "runc"}, "noted": {"path": "'$R'/wrapper", "runtimeArgs": ["--seen", "two words"]}, "gone": {"path": "/nope/rt"},
 "shim": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "runc"}}, "kata": {"runtimeType": "io.containerd.kata.v2"}, "crun": {"path": "crun"}'
start_daemon "\"live-restore\": true, \"runtimes\": {$runtimes}"
make_image
state() { find "$R/exec/containers" -name config.json | wc -l; }

# ---- which one
is "info: the runtimes" "io.containerd.runc.v2 runc prog noted gone shim kata crun; runc" "$(docker info -f '{{range $k, $v := .Runtimes}}{{$k}} {{end}}' | tr ' ' '\n' | sort | xargs |
	grep -qx 'crun gone io.containerd.runc.v2 kata noted prog runc shim' && echo "io.containerd.runc.v2 runc prog noted gone shim kata crun"); $(docker info -f '{{.DefaultRuntime}}')"
like "info: as configured" '"noted":\{"path":"[^"]*/wrapper","runtimeArgs":\["--seen","two words"\]\}' "$(api GET /info)"
status "its exit code" 3 docker run --rm --network none --runtime prog busybox sh -c 'echo out; echo err >&2; exit 3'
is "its output" "out err" "$(docker run --rm --network none --runtime prog busybox sh -c 'echo out; echo err >&2' 2>&1 | xargs)"
run_is "arguments of the runtime" ok --runtime noted busybox echo ok
like "come before its command" '^--seen two words --root .*/driver/state --log .* --log-format json create --bundle' "$(head -1 "$R/calls")"
run_is "the shim of runc by its type" ok --runtime shim busybox echo ok
status "an unknown one" 125 docker run --rm --runtime nosuch busybox true
like "in moby's words" 'unknown or invalid runtime name: nosuch$' "$(head -1 <<<"$out")"
status "a program that is not there" 127 docker run --rm --runtime gone busybox true
like "in moby's words" 'OCI runtime create failed: fork/exec /nope/rt: no such file or directory' "$out"
status "a shim of containerd" 125 docker run --rm --runtime kata busybox true
like "says why not" 'runtime "io.containerd.kata.v2": there is no containerd' "$out"
status "a command that is not there" 127 docker run --rm --runtime prog busybox nosuch
like "in runc's words" 'OCI runtime create failed: runc create failed: .*exec: "nosuch": executable file not found in \$PATH' "$out"
status "a command that is a directory" 126 docker run --rm --runtime prog busybox /bin

# ---- what a container can be asked for
is "limits, user, host name, sysctl, seccomp, rights" "33554432 33 box 77 00000000a80425fb 2" "$(docker run --rm --runtime prog -m 32m -u www -h box --sysctl net.core.somaxconn=77 busybox sh -c '
	echo $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max) $(id -u) $(hostname) $(cat /proc/sys/net/core/somaxconn) $(sed -n "s/^Seccomp:.//p;s/^CapBnd:.//p" /proc/self/status | sort | xargs)')"
like "a terminal" '^/dev/pts/0' "$(pty eof -- "$DOCKER" run --rm -it --runtime prog busybox tty)"
is "input" through "$(echo through | docker run -i --rm --runtime prog busybox cat)"
is "--init" "docker-init" "$(docker run --rm --init --runtime prog busybox sh -c 'tr "\0" " " </proc/1/cmdline | sed "s|.*/\(docker-init\).*|\1|"')"
docker run -d --name box --runtime prog -p 127.0.0.1:0:80 busybox sh -c 'echo up; exec sleep 1000' >/dev/null
is "the runtime is kept" prog "$(docker inspect -f '{{.HostConfig.Runtime}}' box)"
like "an address" "^$subnet\." "$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' box)"
works "the network" docker exec box ping -c1 -w5 $subnet.1
is "exec" "7 mine" "$(docker exec box sh -c 'exit 7'; echo $?) $(docker exec -u www -e X=mine box sh -c 'echo $X')"
like "exec on a terminal" '/dev/pts' "$(pty eof -- "$DOCKER" exec -it box tty)"
status "exec of nothing" 127 docker exec box nosuch
works "pause" docker pause box
is "is told" paused "$(docker inspect -f '{{.State.Status}}' box)"
works "unpause" docker unpause box
works "update" docker update --pids-limit 40 box
is "reaches the kernel" 40 "$(docker exec box sh -c 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max')"
like "stats" '^[1-9]$' "$(docker stats --no-stream --format '{{.PIDs}}' box)"
pid=$(docker inspect -f '{{.State.Pid}}' box)
like "the shim is its parent" dockerd-shim "$(cat "/proc/$(awk '/^PPid/ {print $2}' "/proc/$pid/status")/comm")"

# ---- the daemon's death, and another configuration
kill_daemon
start_daemon "\"live-restore\": true, \"default-runtime\": \"noted\", \"runtimes\": {$runtimes}"
is "it goes on" "true $pid" "$(docker inspect -f '{{.State.Running}} {{.State.Pid}}' box)"
is "exec goes on" ok "$(docker exec box echo ok)"
run_is "default-runtime" ok busybox echo ok
is "is kept" noted "$(docker create --name def busybox true >/dev/null && docker inspect -f '{{.HostConfig.Runtime}}' def)"
sed -i 's/"default-runtime": "noted"/"default-runtime": "prog"/' "$R/daemon.json"
kill -HUP "$daemon"
timeout 30 tail -n +1 -f "$R/log" | grep -m1 'Reloaded configuration' >/dev/null
is "a reload" prog "$(docker info -f '{{.DefaultRuntime}}')"
is "a signal ends it" "137" "$(docker kill box >/dev/null && docker wait box)"
is "start again" "true" "$(docker start box >/dev/null && docker inspect -f '{{.State.Running}}' box)"
kill -9 "$(awk '/^PPid/ {print $2}' "/proc/$(docker inspect -f '{{.State.Pid}}' box)/status")"
timeout 60 "$DOCKER" wait box >/dev/null
is "its shim's death is its end" "exited" "$(docker inspect -f '{{.State.Status}}' box)"
docker rm -f box def >/dev/null
is "no bundle is left" 0 "$(state)"
if command -v crun >/dev/null; then
	run_is "crun" ok --runtime crun busybox echo ok
else
	skip "crun" "crun is not installed"
fi
stop_daemon

# ---- for all containers
start_daemon '"exec-driver": "oci", "exec-opts": ["oci.runtime=runc"]'
run_is "--exec-driver oci" ok busybox echo ok
like "runc's words come once" 'OCI runtime create failed: runc create failed: unable' "$(docker run --rm busybox nosuch 2>&1)"
stop_daemon
for bad in '"runtimes": {"runc": {"path": "x"}}|runtime name .runc. is reserved' '"runtimes": {"a": {}}|runtime a: either a runtimeType or a path must be configured' \
	'"default-runtime": "zzz"|specified default runtime .zzz. does not exist' '"exec-driver": "oci", "exec-opts": ["oci.nosuch=1"]|nosuch'; do
	printf '{%s}' "${bad%|*}" >"$R/bad.json"
	like "refused: ${bad%|*}" "${bad#*|}" "$("$BUILD/dockerd" --validate --config-file "$R/bad.json" 2>&1)"
done
start_daemon
EXPECTED_ERRORS='OCI runtime|failed to start shim|shim died: its container was killed' finish
