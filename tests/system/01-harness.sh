# SPDX-License-Identifier: Apache-2.0
# The suite's own eyes: whatever a daemon could leave behind is planted here, and must be seen, and gone when it is taken away.
. "$TOP/tests/lib/system.sh"
ip link show $bridge >/dev/null 2>&1 || { ip link add $bridge type bridge && ip addr add $subnet.1/24 dev $bridge && ip link set $bridge up; }
is "nothing is there at first" "" "$(left)"

"$BUILD/docker-init" -- sleep 1000 &
planted=$!
until left_processes | grep -q "process $planted: "; do kill -0 $planted || break; done
like "a process" "^process $planted: .*docker-init" "$(left)"
kill -9 $planted
wait $planted 2>/dev/null
pkill -9 -P $planted 2>/dev/null

mkdir -p "$R/data/overlay2/x/merged"
mount -t tmpfs tmpfs "$R/data/overlay2/x/merged"
is "a mount" "mount: $R/data/overlay2/x/merged" "$(left)"
umount "$R/data/overlay2/x/merged"

for hierarchy in /sys/fs/cgroup/memory /sys/fs/cgroup/unified /sys/fs/cgroup; do
	mkdir -p "$hierarchy$CGROUP_PARENT/planted" 2>/dev/null || continue
	like "a cgroup" "^cgroup: $hierarchy$CGROUP_PARENT/planted$" "$(left)"
	rmdir "$hierarchy$CGROUP_PARENT/planted"
	break
done

ip link add veth-planted type veth peer name planted0
like "a link" '^link: veth-planted' "$(left)"
ip link del veth-planted

iptables -t nat -A POSTROUTING -s $subnet.2/32 -j MASQUERADE
like "a rule of a container" "^rule: -A POSTROUTING -s $subnet.2/32" "$(left)"
iptables -t nat -D POSTROUTING -s $subnet.2/32 -j MASQUERADE
iptables -t nat -A PREROUTING -p tcp --dport 81 -j DNAT --to-destination 10.9.9.9:80
like "a published port" '^rule: .*DNAT' "$(left)"
iptables -t nat -D PREROUTING -p tcp --dport 81 -j DNAT --to-destination 10.9.9.9:80

is "nothing is left" "" "$(left)"
echo "1..$n"
