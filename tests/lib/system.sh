# SPDX-License-Identifier: Apache-2.0
# Harness of the system suite, sourced by the files of tests/system, which tests/system/run starts in namespaces of their own.
# Given: $DOCKER the CLI, $CLI_VERSION, $BUILD, $TOP, $R a directory of the file's own. Tests wait on events, never on time.

export DOCKER_HOST=unix://$R/sock DOCKER_CONFIG=$R/docker-config DOCKERD_LIBEXECDIR=$BUILD DOCKERD_DRIVER_PATH=$BUILD/drivers
export DOCKERD_PLUGIN_PATH=$R/plugins:$R/specs DOCKERD_PLUGIN_PATIENCE=0
export LC_ALL=C.UTF-8 DOCKER_CLI_HINTS=false
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_API_VERSION
n=0 daemon=
bridge=dkcs0 subnet=10.111.0

docker() { timeout -k 5 "${STEP:-60}" "$DOCKER" "$@"; }
pty() { timeout -k 5 60 python3 "$TOP/tests/lib/on-terminal.py" "$@"; }
api() { # METHOD PATH [curl option...]
	local method=$1 path=$2
	shift 2
	curl -s --max-time 60 --unix-socket "$R/sock" -X "$method" "$@" "http://d$path"
}

# follow CONTAINER COMMAND...: feeds its log, as it grows, to the command, and stops when that has seen enough.
follow() {
	local log=$1 reader result
	shift
	exec 9< <(exec timeout 60 "$DOCKER" logs -f "$log" 2>&1)
	reader=$!
	"$@" <&9
	result=$?
	kill $reader 2>/dev/null
	exec 9<&-
	return $result
}
# Until a container that its policy starts again has been started that often; events come from the past as well.
wait_starts() { # CONTAINER COUNT
	local reader
	exec 9< <(exec timeout 60 "$DOCKER" events --since 0 -f "container=$1" -f event=start --format start 2>&1)
	reader=$!
	[ "$(head -"$2" <&9 | wc -l)" = "$2" ]
	set -- $?
	kill $reader 2>/dev/null
	exec 9<&-
	return "$1"
}
# Not to /dev/null: there grep stops at the first match and reads on to the end.
wait_log() { follow "$1" grep -m"${3:-1}" -- "$2" >"$R/seen"; } # CONTAINER PATTERN [COUNT]
lines_until() { follow "$1" sed "/$2/q"; } # CONTAINER PATTERN

# ---- TAP -----------------------------------------------------------------------------------------------------------------------------

pass() { echo "ok $((++n)) - $1"; }
fail() { # DESCRIPTION [what was seen]
	echo "not ok $((++n)) - $1"
	[ -z "${2-}" ] || sed 's/^/# /' <<<"$2" | head -15
}
# What the daemon says it can't do yet: the case is there, and the reason must be on the list of allowed skips.
not_yet() { skip "$1" "not yet: $2"; }
skip() { echo "ok $((++n)) - $1 # SKIP $2"; }
is() { # DESCRIPTION EXPECTED SEEN
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "expected: $2
seen: $3"; fi
}
like() { # DESCRIPTION EXTENDED-REGULAR-EXPRESSION SEEN
	if grep -qE -- "$2" <<<"$3"; then pass "$1"; else fail "$1" "expected to match: $2
seen: $3"; fi
}
unlike() {
	if grep -qE -- "$2" <<<"$3"; then fail "$1" "expected not to match: $2
seen: $3"; else pass "$1"; fi
}
works() { # DESCRIPTION COMMAND...; the output is in $out
	local what=$1
	shift
	if out=$("$@" 2>&1); then pass "$what"; else fail "$what" "status $? of: $*
$out"; fi
}
status() { # DESCRIPTION EXPECTED-STATUS COMMAND...; the output is in $out
	local what=$1 want=$2 got
	shift 2
	out=$("$@" 2>&1)
	got=$?
	if [ $got = "$want" ]; then pass "$what"; else fail "$what" "status $got, expected $want, of: $*
$out"; fi
}
# run_is DESCRIPTION EXPECTED docker-run-arguments...
run_is() {
	local what=$1 want=$2
	shift 2
	is "$what" "$want" "$(docker run --rm "$@" 2>&1)"
}
run_like() {
	local what=$1 want=$2
	shift 2
	like "$what" "$want" "$(docker run --rm "$@" 2>&1)"
}

# ---- Daemon ----------------------------------------------------------------------------------------------------------------------------

# start_daemon [more members of daemon.json, e.g. '"live-restore": true']; it also listens at $EXTRA_HOST, if set
start_daemon() {
	[ -z "$bridge" ] || ip link show $bridge >/dev/null 2>&1 || {
		ip link add $bridge type bridge && ip addr add $subnet.1/24 dev $bridge && ip link set $bridge up
	}
	printf '{"data-root": "%s", "exec-root": "%s", "pidfile": "%s", "hosts": ["unix://%s"%s], "bridge": "%s", "cgroup-parent": "%s"%s}\n' \
		"$R/data" "$R/exec" "$R/pid" "$R/sock" "${EXTRA_HOST:+, \"$EXTRA_HOST\"}" "$bridge" "$CGROUP_PARENT" "${1:+, $1}" >"$R/daemon.json"
	daemon=$("$BUILD/tests/lib/start-daemon" "$R/log" "$BUILD/dockerd" --config-file "$R/daemon.json") || {
		fail "dockerd starts" "$(tail -5 "$R/log")"
		exit 1
	}
}
# Waits for the end of a process that is no child.
wait_pid() { timeout 60 tail --pid="$1" -s 0.02 -f /dev/null; }
stop_daemon() {
	local p
	kill "$daemon" 2>/dev/null && wait_pid "$daemon"
	daemon=
	# helpers that have nothing left to do end by themselves
	left_processes | grep -q dockerd-shim ||
		for p in $(left_processes | sed -n 's/process \([0-9]*\):.*/\1/p'); do timeout 15 tail --pid="$p" -s 0.02 -f /dev/null; done
}
kill_daemon() {
	kill -9 "$daemon" && wait_pid "$daemon"
	daemon=
}

# The image busybox, once per file.
make_image() {
	local applet
	mkdir -p "$R"/root/{bin,etc,root,tmp}
	cp /bin/busybox "$R/root/bin/"
	for applet in $(/bin/busybox --list); do
		[ -e "$R/root/bin/$applet" ] || ln -s busybox "$R/root/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:www:/:/bin/sh\n' >"$R/root/etc/passwd"
	printf 'root:x:0:\nwww:x:33:\nextra:x:44:www\n' >"$R/root/etc/group"
	tar -C "$R/root" -c . | docker import -c 'CMD ["sh"]' -c 'ENV FROM_IMAGE=1' - busybox >/dev/null ||
		{ fail "docker import of busybox"; exit 1; }
}

# ---- What is left -------------------------------------------------------------------------------------------------------------------

# All processes of this pid namespace but the runner's own (no container's /proc is seen: it is ours).
left_processes() {
	local p
	for p in $(ls -d /proc/[0-9]* | cut -d/ -f3); do
		case "$(tr '\0' ' ' 2>/dev/null </proc/"$p"/cmdline)" in
		*dockerd* | *docker-init*) readlink "/proc/$p/exe" | grep -E '/(dockerd|docker-init)[^/]*$' | sed "s/^/process $p: /" ;;
		esac
	done
}
# What leaves the packet filter goes behind the answer, one request after the other (core/network/firewall.h); a network that is made is waited for.
rules_settled() { docker network create --subnet 192.0.2.240/29 "$@" settled >/dev/null && docker network rm settled >/dev/null; }
left_mounts() { awk -v r="$R/" 'index($5, r) == 1 { print "mount: " $5 }' /proc/self/mountinfo; }
left_cgroups() { find /sys/fs/cgroup -maxdepth 5 -type d -path "*$CGROUP_PARENT/*" -printf 'cgroup: %p\n' 2>/dev/null; }
left_links() { ip -o link | grep -oE '(veth|br-)[^:@]*' | sed 's/^/link: /'; }
left_rules() { iptables-save 2>/dev/null | grep -E "$subnet\.[2-9]|DNAT" | sed 's/^/rule: /'; }
left() { left_processes; left_mounts; left_cgroups; left_links; left_rules; }

clean_up() {
	local p
	for p in $(left_processes | sed 's/process \([0-9]*\):.*/\1/'); do kill -9 "$p"; done
	for p in $(left_cgroups | sed 's/cgroup: //'); do xargs -rn1 kill -9 <"$p/cgroup.procs"; done 2>/dev/null
	left_mounts | sed 's/mount: //' | sort -r | xargs -rn1 umount -l
}

# Removes all containers, ends the daemon; nothing may be left.
finish() {
	local all
	all=$(docker ps -aq)
	[ -z "$all" ] || docker rm -f $all >/dev/null 2>&1
	is "no container is left" "" "$(docker ps -aq)"
	is "the daemon's log has no complaint" "" "$(grep -E 'level=(error|fatal|panic)' "$R/log" | grep -v -E "${EXPECTED_ERRORS:-^$}")"
	[ -z "$daemon" ] || stop_daemon
	is "nothing is left behind" "" "$(left)"
	echo "1..$n"
}
