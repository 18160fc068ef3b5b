# SPDX-License-Identifier: Apache-2.0
# What ./try, ./check and .ci/run share: the Debian packages of each job, and a build in a directory of its own. To be sourced by bash;
# $top is the source tree.

build_packages="autoconf automake libtool pkg-config gcc make libc6-dev libcjson-dev libhttp-parser-dev libssl-dev zlib1g-dev libisal-dev
	libcurl4-openssl-dev libmbedtls-dev libzstd-dev libseccomp-dev libcap-dev libnl-route-3-dev libbtrfsutil-dev libsystemd-dev"
run_packages="iptables iproute2 busybox-static curl ca-certificates"
check_packages="$build_packages $run_packages docker-registry skopeo podman apache2-utils openssl libcmocka-dev btrfs-progs python3 xz-utils procps util-linux dbus-daemon runc crun fuse-overlayfs xfsprogs"
ci_packages="$check_packages clang libclang-rt-14-dev"

# Installs the packages that are missing, and only them. Without network: goes on, configure says what it lacks.
need_packages() {
	local missing=() p

	for p; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "installing ${missing[*]}"
	if [ "$(id -u)" != 0 ]; then
		echo "run as root once, or: apt-get install ${missing[*]}" >&2
		return 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get install -qy --no-install-recommends "${missing[@]}" </dev/null >"$log_dir/apt" 2>&1 && return 0
	{ apt-get update -q && apt-get install -qy --no-install-recommends "${missing[@]}"; } </dev/null >>"$log_dir/apt" 2>&1 && return 0
	tail -20 "$log_dir/apt" >&2
	return 1
}

# build_tree DIR CONFIGURE-ARGUMENT...: incremental; a changed set of arguments configures anew. A job pool of at most 4.
build_tree() {
	local dir=$1
	shift
	mkdir -p "$dir" || return 1
	if [ ! -e "$top/configure" ] || [ -n "$(find "$top" -maxdepth 5 \( -name configure.ac -o -name local.mk -o -name Makefile.am \) \
		-not -path '*/build*/*' -newer "$top/configure" -print -quit)" ]; then
		(cd "$top" && autoreconf -fi) || return 1
	fi
	if [ ! -e "$dir/Makefile" ] || [ "$(cat "$dir/configured-with" 2>/dev/null)" != "$*" ] || [ "$top/configure" -nt "$dir/config.status" ]; then
		(cd "$dir" && "$top/configure" "$@") || return 1
		echo "$*" >"$dir/configured-with"
	fi
	make -C "$dir" -j"$jobs" --no-print-directory
}

jobs=$(nproc)
[ "$jobs" -le 4 ] || jobs=4
