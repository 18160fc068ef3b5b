#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Networks on links of the host and networks of IPv6 on a distribution's stock kernel, which has what a build machine's may lack: ipvlan, VLAN and dummy links.
# These are files of the CLI suite (tests/system), run from the build tree; tests/vm/run brings it along as "suite".
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root"
[ -x "$here/suite/build/dockerd" ] || skip_all "no build tree at $here/suite: start it by tests/vm/run"
[ -x "$here/docker" ] && install "$here/docker" /usr/local/bin/docker
need docker busybox curl ip iptables ip6tables python3
modprobe -a overlay bridge veth br_netfilter macvlan ipvlan dummy 8021q 2>/dev/null
# on the machine's own disk: a shared directory may be slow, or owned by somebody
cp -r --no-preserve=ownership "$here/suite" "$work/" && cd "$work/suite" || exit 1
export LIMIT=${LIMIT:-1800} STEP=${STEP:-300}
exec tests/system/run build 56-macvlan 57-ipv6
