#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One driver per sin: the loader refuses what it can see, naming the file, the expected and the found; dockerd-driver-test catches the rest, and
# finds nothing wrong with the one that commits none. Needs a compiler, and for mounts root.
set -u
top=${DOCKERD_LIBEXECDIR:-$PWD}
src=$(cd "$(dirname "$0")/../.." && pwd)
tester=$top/dockerd-driver-test
tmp=$(mktemp -d /var/tmp/dockerd-test-bad.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/log" || exit 99
n=0 failed=0

result() { # STATUS WHAT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
		sed 's/^/# /' "$tmp/out"
	fi
}

build() { # NAME SIN [KIND]
	${CC:-cc} -std=gnu11 -Wall -fPIC -shared -fvisibility=hidden -pthread -I"$src/sdk/include" -Wno-override-init \
		-Wno-initializer-overrides -Wno-unknown-warning-option -DSIN="$2" -DSIN_"$2"=1 -DNAME_TEXT="\"$1\"" \
		-o "$tmp/${3-log}/$1.so" "$src/tests/bad-drivers/bad.c" 2>"$tmp/out" || { cat "$tmp/out"; exit 99; }
}

refused() { # NAME SIN TEXT: by the loader, in the words of --dump-plugin
	build "$1" "$2"
	"$top/dockerd" --dump-plugin "log/$tmp/log/$1.so" >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -qF "$tmp/log/$1.so" "$tmp/out" && grep -qF "$3" "$tmp/out"
	result $? "loader refuses: $1"
	"$tester" "$tmp/log/$1.so" >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -q '^not ok 1 ' "$tmp/out"
	result $? "kit refuses: $1"
}

caught() { # NAME SIN TEXT: by the kit
	build "$1" "$2"
	"$tester" --deadline "${KIT_DEADLINE-3}" --root "$tmp" "$tmp/log/$1.so" >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -A2 '^not ok' "$tmp/out" | grep -qF "$3"
	result $? "kit catches: $1"
}

build good NONE
"$tester" "$tmp/log/good.so" >"$tmp/out" 2>&1
result $? "the driver without a sin passes"
"$top/dockerd" --dump-plugin "log/$tmp/log/good.so" >"$tmp/out" 2>&1
result $? "the driver without a sin loads"

refused wrong-magic MAGIC "magic is 0badc0de, expected 64727632"
refused short-struct SHORT "descriptor has 16 bytes, expected at least"
refused wrong-kind KIND "it is a driver of kind storage (1), expected log"
refused other-major MAJOR "ABI major is 7, expected 0"
refused too-new MINOR "it needs a daemon with ABI 0.999, this one has 0."
refused missing-op OP "required op 'write' is missing"
refused liar LIAR "it claims a capability (0x1) without the op 'read_open'"
refused wrong-name NAME "it calls itself 'somebody-else', so the file must be named somebody-else.so"
refused no-symbol SYMBOL "it does not export dockerd_driver_v0"
refused bad-option OPTION "option odd has the unknown type 99"
refused bad-concurrency CONCURRENCY "concurrency is 9, expected 1 to 3"
refused no-ops NO_OPS "ops table is missing"

echo "this is no shared object" >"$tmp/log/text.so"
"$top/dockerd" --dump-plugin "log/$tmp/log/text.so" >"$tmp/out" 2>&1
[ $? = 1 ] && grep -qF "$tmp/log/text.so can't be loaded" "$tmp/out"
result $? "loader refuses: a text file"
if [ "$(id -u)" = 0 ]; then
	build writable NONE
	chmod o+w "$tmp/log/writable.so"
	"$top/dockerd" --dump-plugin "log/$tmp/log/writable.so" >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -qF "writable by others" "$tmp/out"
	result $? "loader refuses: writable by others"
	build foreign NONE
	chown 65534 "$tmp/log/foreign.so"
	"$top/dockerd" --dump-plugin "log/$tmp/log/foreign.so" >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -qF "is owned by uid 65534, expected root" "$tmp/out"
	result $? "loader refuses: owned by another"
	build trojan NONE
	mkdir -m 777 "$tmp/open" && cp "$tmp/log/trojan.so" "$tmp/open/" && chmod 777 "$tmp/open"
	"$top/dockerd" --dump-plugin "log/$tmp/open/trojan.so" >"$tmp/out" 2>&1
	[ $? = 1 ] && grep -qF "$tmp/open is writable by others" "$tmp/out"
	result $? "loader refuses: a folder that others may write"
fi

caught silent SILENT "without saying why"
caught fd-leaker FDS "descriptor left open"
caught inherited-fd INHERITED "not close-on-exec"
caught printer PRINTS "it printed to stdout or stderr: hello from the driver"
caught thread-leaker THREADS "thread is left"
[ "$(id -u)" = 0 ] && caught mount-leaker MOUNTS "mount left"
caught hangs HANGS "it hangs: not over after 3 seconds"
caught crashes CRASHES "it crashed: killed by signal 6"
caught crashes-at-load CONSTRUCTOR "it crashed: killed by signal 6"
caught exits EXITS "it ended the process with exit"
caught probe-leaves PROBE "probe left files in root: probed"
caught exports-more EXPORTS "helper_that_should_be_static"
caught memory-leaker MEMORY "host memory"
caught no-check-of-alloc SERVICE "it crashed: killed by signal"
caught closes-ours CLOSES "not the driver's was closed"
caught umask UMASK "the process's umask is 0077, expected 0022"
caught directory DIRECTORY "the process's working directory is"
caught environment ENVIRONMENT "environment variable TZ"
caught locale LOCALE "the process's locale is"
caught handler HANDLER "disposition of signal 10 (User defined signal 1) is ignored, expected the default"
caught mask MASK "mask of blocked signals is 0000000000000200"
caught buffers BUFFERS "it printed to stdout or stderr: hello from a buffer"
caught stream-fd STREAM_FD "stream_open: descriptor is not close-on-exec"
caught discards DISCARDS "0 bytes have left the process"
KIT_DEADLINE=15 caught deaf DEAF "write still waits for its sink 5 seconds after cancel_fd"
"$tester" --discards --root "$tmp" "$tmp/log/discards.so" >"$tmp/out" 2>&1
result $? "a driver that means to discard may"
mkdir "$tmp/authz"
build prefix PREFIX authz
"$tester" --root "$tmp" "$tmp/authz/prefix.so" >"$tmp/out" 2>&1
[ $? = 1 ] && grep -qF "option 'fine' of the daemon's scope does not begin with 'prefix.'" "$tmp/out"
result $? "kit catches: an option without the driver's name"

# Storage: the sins of a wrapper about overlay2, which as such is fine where overlayfs is.
storage() { # NAME SIN [TEXT]
	${CC:-cc} -std=gnu11 -Wall -fPIC -shared -fvisibility=hidden -I"$src/sdk/include" -DSIN="$2" -DNAME_TEXT="\"$1\"" \
		-DINNER="\"$top/drivers/storage/overlay2.so\"" -o "$tmp/storage/$1.so" "$src/tests/bad-drivers/bad_storage.c" -ldl \
		2>"$tmp/out" || { cat "$tmp/out"; exit 99; }
	"$tester" --root "$tmp" "$tmp/storage/$1.so" >"$tmp/out" 2>&1
	status=$?
	if [ -z "${3-}" ]; then
		[ $status = 0 ]
		result $? "the storage driver without a sin passes"
		return
	fi
	[ $status = 1 ] && grep -A2 '^not ok' "$tmp/out" | grep -qF "$3"
	result $? "kit catches: $1"
}
if [ "$(id -u)" = 0 ] && "$tester" --root "$tmp" --only common "$top/drivers/storage/overlay2.so" >"$tmp/out" 2>&1 &&
	! grep -q 'does not suit' "$tmp/out"; then
	mkdir "$tmp/storage"
	storage wrapper NONE
	storage writable-layer WRITABLE "mount of a committed layer can be written to"
	storage no-unmount NO_UNMOUNT "after unmount the driver has 1 mounts, expected none"
	storage lost-change LOST_CHANGE "diff_dir lacks"
	storage forgets FORGETS "a second instance does not know"
	storage limitless LIMITLESS "a layer of size 8m takes 24 MiB"
fi

# Whoever ends the kit, or no longer listens to it: nothing stays.
ends() { # WHAT STATUS
	[ "$2" != 0 ] && [ -z "$(ls "$tmp/kits")" ] && ! grep -q 'left behind' "$tmp/out"
	result $? "nothing stays when the kit is ended by $1"
}
mkdir "$tmp/kits"
build waits HANGS
for sig in INT TERM HUP; do
	mkfifo "$tmp/begun"
	"$tester" --root "$tmp/kits" "$tmp/log/waits.so" >"$tmp/begun" 2>&1 &
	pid=$!
	read -r _ <"$tmp/begun"
	kill -$sig $pid
	wait $pid
	ends SIG$sig $?
	rm "$tmp/begun"
done
{ "$tester" --root "$tmp/kits" "$tmp/log/good.so" 2>"$tmp/out"; echo $? >"$tmp/status"; } | head -n 1 >/dev/null
ends "a pipe that nobody reads" "$(cat "$tmp/status")"
echo "1..$n"
exit $failed
