#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The conformance kit on the storage drivers over file systems that a distribution's stock kernel has: project quotas, btrfs with its own, XFS that
# shares data. From the build tree; tests/vm/run brings it along as "suite".
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -x "$here/suite/build/dockerd-driver-test" ] || skip_all "no build tree at $here/suite: start it by tests/vm/run"
modprobe -a overlay loop ext4 xfs btrfs fuse quota_v2 2>/dev/null
cp -r --no-preserve=ownership "$here/suite/build" "$work/" && cd "$work/build" || exit 1

# kit DRIVER FILE-SYSTEM MOUNT-OPTIONS MKFS-ARGUMENT...
kit() {
	local driver=$1 fs=$2 options=$3 on=$work/on result
	shift 3
	if [ ! -e "drivers/storage/$driver.so" ] || ! command -v "mkfs.$fs" >/dev/null; then
		skip 1 "$driver on $fs: the driver is not built, or there is no mkfs.$fs here"
		return
	fi
	rm -f "$work/disk"
	truncate -s 1G "$work/disk"
	mkdir -p "$on"
	if ! "mkfs.$fs" -q "$@" "$work/disk" >/dev/null 2>&1 || ! mount -o "loop$options" "$work/disk" "$on"; then
		skip 1 "$driver on $fs: can't be made or mounted here"
		return
	fi
	# shellcheck disable=SC2086
	./dockerd-driver-test --root "$on" ${kit_options-} storage "drivers/storage/$driver.so" >"$work/kit" 2>&1
	result=$?
	same "$driver on $fs (${options#,}): $(grep -c '^ok' "$work/kit") checks" $result 0
	grep -A3 '^not ok\|^Bail' "$work/kit" | sed 's/^/#   /'
	grep '# SKIP' "$work/kit" | sed 's/^/#   /'
	umount "$on"
}
kit overlay2 xfs ,prjquota
kit overlay2 ext4 ,prjquota -O quota,project -E quotatype=prjquota
kit fuse-overlayfs xfs ""
kit overlay xfs ""
kit vfs xfs ,prjquota
kit vfs ext4 ,prjquota -O quota,project -E quotatype=prjquota
kit btrfs btrfs ""
if modprobe dm_thin_pool 2>/dev/null && [ -e drivers/storage/devicemapper.so ]; then
	kit_options="--opt dm.basesize=512M --opt dm.loopdatasize=2G --opt dm.loopmetadatasize=64M"
	kit_options="$kit_options --opt dm.fs=ext4" kit devicemapper ext4 ""
	[ ! -x tests/drivers/test_storage ] || {
		./tests/drivers/test_storage >"$work/kit" 2>&1
		same "kill -9 at each step: $(grep -c '^ok.*devicemapper' "$work/kit") checks of devicemapper" $? 0
		grep '^not ok\|^Bail' "$work/kit" | sed 's/^/#   /'
	}
else
	skip 1 "devicemapper: not built (--enable-storage-devicemapper), or no dm_thin_pool here"
fi
done_testing
