#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The conformance kit on each driver that was built. TAP, one line per driver; what a failing one printed follows as comments. btrfs gets a file
# system of its own on a loop device, in a mount namespace, so nothing stays whatever happens. Needs root.
# KIT_WITHOUT="kind/name ...": not these.
set -u
top=${DOCKERD_LIBEXECDIR:-$PWD}
tester=$top/dockerd-driver-test
here=$(dirname "$(readlink -f "$0")")

if [ "${1-}" = --inside ]; then # in its own mount namespace
	truncate -s 512M "$2/disk" && mkfs.btrfs -q "$2/disk" && mount -o loop "$2/disk" "$2/fs" || exit 77
	"$tester" --root "$2/fs" "$top/drivers/storage/btrfs.so"
	exit $?
fi
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 77; }
tmp=$(mktemp -d /var/tmp/dockerd-test-kit.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/rules.json" <<J
{"default": "allow", "rules": [
 {"verdict": "deny", "body": {"HostConfig.Privileged": true}},
 {"verdict": "deny", "phase": "response", "status": [500]}]}
J
n=0 failed=0
for so in "$top"/drivers/*/*.so; do
	kind=$(basename "$(dirname "$so")") name=$(basename "$so" .so)
	n=$((n + 1))
	case " ${KIT_WITHOUT-} " in
	*" $kind/$name "*)
		echo "ok $n - $kind/$name # SKIP left out of this build's run"
		continue ;;
	esac
	case $kind/$name in
	storage/btrfs)
		if command -v mkfs.btrfs >/dev/null; then
			mkdir "$tmp/fs"
			unshare -m "$0" --inside "$tmp" >"$tmp/out" 2>&1
		else
			(exit 77)
		fi ;;
	storage/fuse-overlayfs)
		if [ -w /dev/fuse ] && command -v fuse-overlayfs >/dev/null; then
			"$tester" "$kind" "$so" >"$tmp/out" 2>&1
		else
			echo "ok $n - $kind/$name # SKIP no fuse-overlayfs or /dev/fuse here"
			continue
		fi ;;
	authz/rules) "$tester" --opt rules.file="$tmp/rules.json" "$kind" "$so" >"$tmp/out" 2>&1 ;;
	network/remote)
		echo "ok $n - $kind/$name # SKIP the links of network/remote are a plugin's, which is in no namespace that the kit makes"
		continue ;;
	log/none) "$tester" --discards "$kind" "$so" >"$tmp/out" 2>&1 ;;
	log/syslog)
		# its kit run has no network: a socket's path it is
		mkfifo "$tmp/ready"
		python3 "$here/../lib/syslog-receiver.py" unixgram "$tmp/gram" 1000000 >"$tmp/ready" &
		receiver=$!
		exec 6<"$tmp/ready"
		read -r _ <&6
		cat <&6 >/dev/null &
		exec 6<&-
		"$tester" --opt syslog-address=unixgram://"$tmp/gram" "$kind" "$so" >"$tmp/out" 2>&1
		result=$?
		kill $receiver
		wait
		(exit $result) ;;
	*) "$tester" "$kind" "$so" >"$tmp/out" 2>&1 ;;
	esac
	case $? in
	0) echo "ok $n - $kind/$name: $(grep -c '^ok' "$tmp/out") checks, $(grep -c '# SKIP' "$tmp/out") skipped" ;;
	77) echo "ok $n - $kind/$name # SKIP no btrfs file system here" ;;
	*)
		failed=1
		echo "not ok $n - $kind/$name"
		grep -A3 '^not ok\|^Bail' "$tmp/out" | sed 's/^/# /' ;;
	esac
done
echo "1..$n"
exit $failed
