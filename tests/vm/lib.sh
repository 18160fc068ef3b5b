# SPDX-License-Identifier: Apache-2.0
# What the scripts of this directory share: TAP output, the installed tree, a busybox image, the daemon. To be sourced by bash inside the
# machine that is tested: it installs into / and may change what Docker finds there, so a VM is the place for it.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=${HOME:-/root}
tests=0 failures=0
work=$(mktemp -d /tmp/dockerd-vm.XXXXXX)

skip_all() { echo "1..0 # SKIP $*"; exit 77; }
note() { printf '# %s\n' "$@"; }

# check NAME COMMAND...: one test; what the command says is shown if it fails.
check() {
	local title=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$work/check" 2>&1; then
		echo "ok $tests - $title"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $title"
		sed 's/^/#   /' "$work/check"
	fi
}

# same NAME GOT WANTED
same() {
	check "$1" test "$2" = "$3"
	[ "$2" = "$3" ] || note "  got '$2', wanted '$3'"
}

# matches NAME GOT PATTERN (of the shell)
matches() {
	# shellcheck disable=SC2053
	if [[ $2 == $3 ]]; then check "$1" true; else check "$1" false && note "  got '$2', wanted '$3'"; fi
}

# skip COUNT REASON
skip() {
	local i
	for ((i = 0; i < $1; i++)); do
		tests=$((tests + 1))
		echo "ok $tests # SKIP $2"
	done
}

done_testing() {
	echo "1..$tests"
	[ $failures = 0 ] || note "$failures of $tests failed"
	exit $((failures > 0))
}

need() {
	local p
	for p; do
		command -v "$p" >/dev/null || skip_all "$p is not installed here"
	done
}

# ---- What is tested ------------------------------------------------------------------------------------------------------------------

# The tree of "make install DESTDIR=..." goes on the machine's own disk: a shared directory may be slow, or owned by somebody.
install_tree() {
	local tree=${DOCKERD_TREE:-}
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	if [ -n "$tree" ]; then
		cp -r --no-preserve=ownership "$tree/." / || exit 1
		command -v docker >/dev/null || [ ! -x "$tree/../docker" ] || install "$tree/../docker" /usr/local/bin/docker
	fi
	[ -x /usr/sbin/dockerd ] || skip_all "no /usr/sbin/dockerd: install it, or name its tree in DOCKERD_TREE"
	need docker busybox curl ip
}

# A static busybox as image "busybox", imported through the API as any client would.
import_busybox() {
	local root=$work/image name
	mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,root}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for name in sh cat echo sleep ls mknod dd test grep seq true false wget httpd head tail mount od ps hostname trap kill date stat; do
		ln -sf busybox "$root/bin/$name"
	done
	echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
	tar -C "$root" -c . | curl --silent --show-error --fail-with-body --unix-socket "${1:-/run/docker.sock}" -X POST \
		-H 'Content-Type: application/x-tar' --data-binary @- 'http://docker/v1.44/images/create?fromSrc=-&repo=busybox&tag=latest'
}

inspect() { docker inspect -f "$2" "$1"; }

# wait_line CONTAINER LINE: it has come in the log. The follower would only notice at its next line that nobody reads it: it is ended.
wait_line() {
	local fd follower
	exec {fd}< <(exec timeout 120 docker logs -f "$1" 2>&1)
	follower=$!
	grep -m1 -qx -- "$2" <&$fd || note "'$2' did not come in the log of $1"
	kill $follower 2>/dev/null
	exec {fd}<&-
}

# The file of the container's cgroup on v2, whatever its parent is called.
cgroup_dir() { echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(inspect "$1" '{{.State.Pid}}')/cgroup")"; }
cgroup_file() { cat "$(cgroup_dir "$1")/$2"; }

servers() { grep -lszE 'dockerd-(shim|exec|logd|netd|unpack)' /proc/[0-9]*/cmdline; }

# What containers leave on the machine. Empty when all of it is gone.
leftovers() {
	local p
	# a server ends when it sees that the daemon's connection has ended: that may be a moment after the daemon
	for p in $(servers | cut -d/ -f3); do timeout 5 tail --pid="$p" -f /dev/null; done
	grep -E ' /(var/lib/docker|run/docker)/.*(overlay|netns|shm|containers)' /proc/self/mounts
	find /sys/fs/cgroup -type d -regex '.*/[0-9a-f]\{64\}' 2>/dev/null
	ip -o link show type veth
	servers
	find /run/docker -maxdepth 2 -regex '.*/[0-9a-f]\{64\}' 2>/dev/null
	return 0
}
