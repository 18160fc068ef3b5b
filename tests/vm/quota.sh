#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Project quotas of ext4 and XFS on a distribution's stock kernel, which has what a build machine's may lack. A file of the CLI suite, run from
# the build tree; tests/vm/run brings it along as "suite".
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -x "$here/suite/build/dockerd" ] || skip_all "no build tree at $here/suite: start it by tests/vm/run"
[ -x "$here/docker" ] && install "$here/docker" /usr/local/bin/docker
need docker busybox curl ip iptables python3 mkfs.ext4
modprobe -a overlay bridge veth loop ext4 xfs quota_v2 2>/dev/null
cp -r --no-preserve=ownership "$here/suite" "$work/" && cd "$work/suite" || exit 1
export LIMIT=${LIMIT:-1800} STEP=${STEP:-300}
exec tests/system/run build 59-quota
