#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# AppArmor: the default profile is loaded and confines, a named one is used, unconfined is unconfined. Needs a kernel with AppArmor and
# apparmor_parser(8).
here=$(dirname "$(readlink -f "$0")")
. "$here/lib.sh"
[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || skip_all "no AppArmor in this kernel"
install_tree
need apparmor_parser
modprobe -a overlay bridge veth br_netfilter 2>/dev/null

dockerd >"$work/dockerd.log" 2>&1 &
daemon=$!
trap 'kill $daemon 2>/dev/null; wait $daemon; [ $failures = 0 ] || sed "s/^/# /" "$work/dockerd.log" | tail -60' EXIT
tail -n +1 -F --pid=$daemon "$work/dockerd.log" 2>/dev/null | grep -m1 -q 'API listen' || { note "the daemon did not start"; exit 1; }
check "an image is imported" import_busybox
matches "info" "$(docker info -f '{{.SecurityOptions}}')" '*name=apparmor*'
check "the profile is loaded" grep -q '^docker-default (enforce)' /sys/kernel/security/apparmor/profiles

label() { docker "$@" cat /proc/self/attr/current; }
same "a container's" "$(label run --rm busybox)" "docker-default (enforce)"
same "privileged" "$(label run --rm --privileged busybox)" "unconfined"
same "unconfined" "$(label run --rm --security-opt apparmor=unconfined busybox)" "unconfined"
same "without new privileges" "$(label run --rm --security-opt no-new-privileges busybox)" "docker-default (enforce)"
docker run -d --name one busybox sleep 1000 >/dev/null
same "of an exec session" "$(label exec one)" "docker-default (enforce)"
same "of a privileged one" "$(label exec --privileged one)" "docker-default (enforce)"
same "inspect" "$(inspect one '{{.AppArmorProfile}}')" docker-default
check "stop reaches it" docker stop -t 5 one
docker rm one >/dev/null
# with the capability and past the system call filter it is the profile that refuses
may() { docker run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined "$@" >/dev/null 2>&1 && echo may || echo "may not"; }
same "mounts" "$(may busybox mount -t tmpfs none /tmp), $(may --security-opt apparmor=unconfined busybox mount -t tmpfs none /tmp)" "may not, may"
same "what /proc has of the host" "$(may --security-opt systempaths=unconfined busybox sh -c 'echo >/proc/sys/kernel/core_pattern')" "may not"

printf 'profile strict flags=(attach_disconnected) {\n file,\n signal,\n deny /etc/passwd r,\n}\n' | apparmor_parser -Kr
same "a profile of the operator's" "$(label run --rm --security-opt apparmor=strict busybox)" "strict (enforce)"
docker run --rm --security-opt apparmor=strict busybox cat /etc/passwd >/dev/null 2>&1
same "is in force" $? 1
docker run --rm --security-opt apparmor=nosuch busybox true 2>"$work/said"
check "one that is not loaded: nothing runs" test $? -gt 0
sed 's/^/# /' "$work/said"

# upgrades unload profiles
echo -n docker-default >/sys/kernel/security/apparmor/.remove
same "unloaded, and loaded again" "$(label run --rm busybox)" "docker-default (enforce)"

kill $daemon
wait $daemon
same "the daemon's exit code" $? 0
same "nothing is left" "$(leftovers)" ""
trap '[ $failures = 0 ] || sed "s/^/# /" "$work/dockerd.log" | tail -60' EXIT
done_testing
