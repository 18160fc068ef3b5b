# SPDX-License-Identifier: Apache-2.0
# Networks of macvlan and ipvlan on a link of the suite's own network namespace, with a neighbour behind it.
. "$TOP/tests/lib/system.sh"

inspect() { docker network inspect -f "$2" "$1"; }                                                    # NETWORK TEMPLATE
setting() { docker inspect -f "{{(index .NetworkSettings.Networks \"$2\").$3}}" "$1"; }               # CONTAINER NETWORK FIELD
run_idle() { docker run -d "$@" busybox sleep 10000 >/dev/null; }
pings() { docker exec "$1" ping -c 1 -W "${3:-5}" "$2" | grep -o '[0-9] packets received'; }          # CONTAINER ADDRESS [SECONDS]
in_neighbour() { nsenter -t "$neighbour" -n "$@"; }
kernel_has() { ip link add tsprobe type "$1" 2>/dev/null && ip link del tsprobe; }
no() { # DESCRIPTION WORDS create-arguments...
	local what=$1 words=$2
	shift 2
	status "$what" 1 docker network create "$@" no
	like "says so" "$words" "$out"
}

# The parent is one end of a pair; a host lives at the other.
unshare -n sleep 10000 &
neighbour=$!
until [ "$(readlink /proc/$neighbour/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add tsp0 type veth peer name eth0 netns $neighbour
ip link set tsp0 up
in_neighbour ip addr add 10.241.0.250/24 dev eth0
in_neighbour ip link set eth0 up
in_neighbour ip link set lo up
start_daemon '"live-restore": true'
make_image
before=$(ip -o link | wc -l)

# ---- create ---------------------------------------------------------------------------------------------------------------------------------
works "create" docker network create -d macvlan --subnet 10.241.0.0/24 --gateway 10.241.0.250 --ip-range 10.241.0.64/26 -o parent=tsp0 mv
is "as moby shows it" '[{"Subnet":"10.241.0.0/24","IPRange":"10.241.0.64/26","Gateway":"10.241.0.250"}] {"parent":"tsp0"} macvlan local false' \
	"$(inspect mv '{{json .IPAM.Config}} {{json .Options}} {{.Driver}} {{.Scope}} {{.Internal}}')"
no "loopback" 'loopback interface is not a valid macvlan parent link' -d macvlan -o parent=lo
no "a mode that is none" "requested macvlan mode 'foo' is not valid, 'bridge' mode is the macvlan driver default" -d macvlan -o parent=tsp0 -o macvlan_mode=foo
no "no such link" 'invalid subinterface vlan name nosuch, example formatting is eth0.10' -d macvlan -o parent=nosuch
no "no such link below a VLAN" '-o parent interface was not found on the host: nosuch' -d macvlan -o parent=nosuch.10
no "a VLAN of no number" 'unable to parse a valid vlan id from: x' -d macvlan -o parent=tsp0.x
no "a VLAN of no such number" 'vlan id must be between 1-4094, received: 5000' -d macvlan -o parent=tsp0.5000
no "a VLAN in a VLAN" 'required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received tsp0.1.2' -d macvlan -o parent=tsp0.1.2
no "passed through where others are" 'cannot use mode passthru, macvlan network [0-9a-f]{64} is already using parent interface tsp0' \
	-d macvlan -o parent=tsp0 -o macvlan_mode=passthru
works "another network on the parent" docker network create -d macvlan --subnet 10.242.0.0/24 --internal -o parent=tsp0 mvi
is "an internal one has no gateway" '[{"Subnet":"10.242.0.0/24"}] true' "$(inspect mvi '{{json .IPAM.Config}} {{.Internal}}')"
is "no link is made for a network" "$before" "$(ip -o link | wc -l)"

# ---- containers -------------------------------------------------------------------------------------------------------------------------------
works "a container" run_idle --name ma --network mv
works "another" run_idle --name mb --network mv --mac-address 02:11:22:33:44:55 -p 18099:80
is "address of the range" "10.241.0.64 24" "$(setting ma mv IPAddress) $(setting ma mv IPPrefixLen)"
is "gateway" 10.241.0.250 "$(setting ma mv Gateway)"
is "the default route" 10.241.0.250 "$(docker exec ma ip route | sed -n 's/default via \([0-9.]*\) .*/\1/p')"
is "MAC asked for" "02:11:22:33:44:55 02:11:22:33:44:55" "$(setting mb mv MacAddress) $(docker exec mb cat /sys/class/net/eth0/address)"
is "MAC not asked for" "$(setting ma mv MacAddress)" "$(docker exec ma cat /sys/class/net/eth0/address)"
unlike "is another" '^(|02:11:22:33:44:55)$' "$(setting ma mv MacAddress)"
is "no port is published" "map[]" "$(docker inspect -f '{{.NetworkSettings.Ports}}' mb)"
is "on the host there is nothing new" "$before" "$(ip -o link | wc -l)"
is "each other by name" "1 packets received" "$(pings ma mb)"
is "the neighbour" "1 packets received" "$(pings ma 10.241.0.250)"
is "from the neighbour" "1 packets received" "$(in_neighbour busybox ping -c 1 -W 5 10.241.0.64 | grep -o '[0-9] packets received')"
is "nothing is translated" 10.241.0.64 "$(
	in_neighbour python3 -c 'import socket
s = socket.socket(); s.bind(("10.241.0.250", 7)); s.listen(1)
print("up", flush=True); print(s.accept()[1][0])' | { read -r up; docker exec ma nc 10.241.0.250 7 </dev/null >/dev/null 2>&1; cat; })"
run_idle --name mi --network mvi
is "internal: no default route" "" "$(docker exec mi ip route | grep default)"
is "internal: the first address" "10.242.0.1 " "$(setting mi mvi IPAddress) $(setting mi mvi Gateway)"

# ---- connect, disconnect, again -----------------------------------------------------------------------------------------------------------------
works "connect" docker network connect mvi ma
is "has both" "eth0 eth1 lo" "$(docker exec ma ls /sys/class/net | xargs)"
is "reaches the other one" "1 packets received" "$(pings ma 10.242.0.1)"
works "disconnect" docker network disconnect mv ma
is "one is left" "eth1 lo" "$(docker exec ma ls /sys/class/net | xargs)"
is "and no way out" "" "$(docker exec ma ip route | grep default)"
works "its address is free at once" docker run --rm --network mv --ip 10.241.0.64 busybox ping -c 1 -W 5 10.241.0.250
works "connect again" docker network connect mv ma
is "the way out is back" 10.241.0.250 "$(docker exec ma ip route | sed -n 's/default via \([0-9.]*\) .*/\1/p')"
for i in 1 2 3; do docker restart -t 0 mb >/dev/null || break; done
is "restarts with one MAC" "3 1 packets received" "$i $(pings mb 10.241.0.250)"

# ---- modes --------------------------------------------------------------------------------------------------------------------------------------
docker network disconnect mvi ma
docker rm -f ma mb mi >/dev/null
docker network rm mv mvi >/dev/null
docker network create -d macvlan --subnet 10.241.0.0/24 -o parent=tsp0 -o macvlan_mode=private pr >/dev/null
run_idle --name pa --network pr
run_idle --name pb --network pr
is "private: the neighbour" "1 packets received" "$(pings pa 10.241.0.250)"
is "private: not each other" "0 packets received" "$(pings pa pb 1)"
docker rm -f pa pb >/dev/null
docker network rm pr >/dev/null
mac=$(ip -o link show tsp0 | grep -o 'ether [0-9a-f:]*' | cut -c7-)
works "passthru" docker network create -d macvlan --subnet 10.241.0.0/24 -o parent=tsp0 -o macvlan_mode=passthru pt
no "its parent is its own" 'macvlan network [0-9a-f]{64} is already using parent interface tsp0 in mode passthru' -d macvlan -o parent=tsp0
run_idle --name ta --network pt
is "passthru: the parent's MAC" "$mac $mac" "$(docker exec ta cat /sys/class/net/eth0/address) $(setting ta pt MacAddress)"
is "passthru: the neighbour" "1 packets received" "$(pings ta 10.241.0.250)"
status "passthru: one container" 125 docker run --rm --network pt busybox true
like "says so" 'failed to create the macvlan port: invalid argument' "$out"
docker rm -f ta >/dev/null
works "passthru: the next one, with a MAC" run_idle --name tb --network pt --mac-address 02:11:22:33:44:66
is "it has it" 02:11:22:33:44:66 "$(docker exec tb cat /sys/class/net/eth0/address)"
is "passthru: the neighbour as well" "1 packets received" "$(pings tb 10.241.0.250)"
docker rm -f tb >/dev/null
is "the parent has its own back" "$mac" "$(ip -o link show tsp0 | grep -o 'ether [0-9a-f:]*' | cut -c7-)"
docker network rm pt >/dev/null

# ---- parents that the driver makes ------------------------------------------------------------------------------------------------------------------
if kernel_has dummy; then
	works "no parent: a dummy" docker network create -d macvlan --subnet 10.241.0.0/24 du
	like "is there" "^dm-$(inspect du '{{.Id}}' | cut -c1-12) " "$(ip -br link)"
	run_idle --name da --network du
	run_idle --name db --network du
	is "containers reach each other" "1 packets received" "$(pings da db)"
	docker rm -f da db >/dev/null
	docker network rm du >/dev/null
	is "and is gone with the network" "" "$(ip -br link | grep dm-)"
else
	no "no parent, no dummy in the kernel" 'operation not supported' -d macvlan
fi
if ip link add link tsp0 name tsp0.9 type vlan id 9 2>/dev/null; then
	docker network create -d macvlan --subnet 10.241.0.0/24 -o parent=tsp0.9 v0 >/dev/null
	works "a VLAN that the driver makes" docker network create -d macvlan --subnet 10.243.0.0/24 -o parent=tsp0.10 v1
	like "is there, and up" 'tsp0\.10@tsp0 .*,UP' "$(ip -br link)"
	docker network create -d macvlan --subnet 10.244.0.0/24 -o parent=tsp0.10 v2 >/dev/null
	in_neighbour ip link add link eth0 name eth0.10 type vlan id 10
	in_neighbour ip addr add 10.244.0.250/24 dev eth0.10
	in_neighbour ip link set eth0.10 up
	run_idle --name va --network v2
	is "the neighbour in it" "1 packets received" "$(pings va 10.244.0.250)"
	docker network rm v1 >/dev/null
	is "stays for the other network" "1 packets received" "$(pings va 10.244.0.250)"
	docker rm -f va >/dev/null
	docker network rm v0 v2 >/dev/null
	is "goes with it" "" "$(ip -br link | grep -F tsp0.10)"
	like "not one that was there" '^tsp0.9@' "$(ip -br link)"
	ip link del tsp0.9
else
	no "no VLAN in the kernel" 'failed to create tsp0.10 vlan link: operation not supported' -d macvlan -o parent=tsp0.10
fi

# ---- ipvlan -------------------------------------------------------------------------------------------------------------------------------------------
if ip link add link tsp0 name tsprobe type ipvlan mode l2 2>/dev/null; then
	ip link del tsprobe
	no "ipvlan: a mode that is none" "requested ipvlan mode 'l9' is not valid, 'l2' mode is the ipvlan driver default" -d ipvlan -o parent=tsp0 -o ipvlan_mode=l9
	no "ipvlan: a flag that is none" "requested ipvlan flag 'l9' is not valid, 'bridge' is the ipvlan driver default" -d ipvlan -o parent=tsp0 -o ipvlan_flag=l9
	works "ipvlan l2" docker network create -d ipvlan --subnet 10.241.0.0/24 --gateway 10.241.0.250 -o parent=tsp0 il
	no "ipvlan: a parent is one network's" 'network di-[0-9a-f]{12} is already using parent interface tsp0' -d ipvlan -o parent=tsp0
	run_idle --name ia --network il
	run_idle --name ib --network il
	is "the parent's MAC" "$mac " "$(docker exec ia cat /sys/class/net/eth0/address) $(setting ia il MacAddress)"
	is "ipvlan l2: each other by name" "1 packets received" "$(pings ia ib)"
	is "ipvlan l2: the neighbour" "1 packets received" "$(pings ia 10.241.0.250)"
	is "ipvlan l2: the default route" 10.241.0.250 "$(docker exec ia ip route | sed -n 's/default via \([0-9.]*\) .*/\1/p')"
	status "ipvlan: no MAC of one's own" 125 docker run --rm --network il --mac-address 02:11:22:33:44:55 busybox true
	like "says so" 'ipvlan interfaces do not support custom mac address assignment' "$out"
	docker rm -f ia ib >/dev/null
	docker network rm il >/dev/null
	for mode in l3 l3s; do
		docker network create -d ipvlan --subnet 10.245.0.0/24 -o parent=tsp0 -o ipvlan_mode=$mode il >/dev/null
		is "ipvlan $mode: no gateway" '[{"Subnet":"10.245.0.0/24"}]' "$(inspect il '{{json .IPAM.Config}}')"
		run_idle --name ia --network il
		run_idle --name ib --network il
		is "ipvlan $mode: none is kept free" "10.245.0.1 " "$(setting ia il IPAddress) $(setting ia il Gateway)"
		is "ipvlan $mode: the default route" "default dev eth0" "$(docker exec ia ip route | grep default | sed 's/ scope.*//; s/ *$//')"
		is "ipvlan $mode: each other" "1 packets received" "$(pings ia ib)"
		ip addr add 10.241.0.249/24 dev tsp0 # the host is the router between them
		in_neighbour ip route replace 10.245.0.0/24 via 10.241.0.249
		is "ipvlan $mode: the neighbour" "1 packets received" "$(pings ia 10.241.0.250)"
		ip addr del 10.241.0.249/24 dev tsp0
		docker rm -f ia ib >/dev/null
		docker network rm il >/dev/null
	done
	docker network create -d ipvlan --subnet 10.241.0.0/24 -o parent=tsp0 -o ipvlan_flag=private il >/dev/null
	run_idle --name ia --network il
	run_idle --name ib --network il
	is "ipvlan private: the neighbour" "1 packets received" "$(pings ia 10.241.0.250)"
	is "ipvlan private: not each other" "0 packets received" "$(pings ia ib 1)"
	docker rm -f ia ib >/dev/null
	docker network rm il >/dev/null
else
	no "no ipvlan in the kernel" 'failed to create the ipvlan port: operation not supported' -d ipvlan -o parent=tsp0
fi

# ---- a daemon that goes and comes -----------------------------------------------------------------------------------------------------------------------
docker network create -d macvlan --subnet 10.241.0.0/24 -o parent=tsp0 mv >/dev/null
id=$(inspect mv '{{.Id}}')
run_idle --name ka --network mv
run_idle --name kb --network mv
kill_daemon
in_neighbour ip neigh flush all # containers with other MAC addresses had these addresses
is "without a daemon traffic goes on" "1 packets received" "$(in_neighbour busybox ping -c 1 -W 5 10.241.0.2 | grep -o '[0-9] packets received')"
start_daemon '"live-restore": true'
is "the network is there again" "$id ka kb" "$(inspect mv '{{.Id}}') $(inspect mv '{{range .Containers}}{{.Name}} {{end}}' | xargs -n1 | sort | xargs)"
is "containers reach each other" "1 packets received" "$(pings ka kb)"
works "disconnect after it" docker network disconnect mv kb
is "the link is gone" lo "$(docker exec kb ls /sys/class/net | xargs)"
works "connect after it" docker network connect mv kb
is "in the same place" "10.241.0.3 1 packets received" "$(setting kb mv IPAddress) $(pings kb ka)"
status "in use" 1 docker network rm mv
like "says so" 'network mv has active endpoints' "$out"
docker rm -f ka kb >/dev/null
works "removed" docker network rm mv
is "nothing is left on the parent" "" "$(ip -d link show tsp0 | grep -o 'promiscuity [1-9]')"
ip link del tsp0
kill $neighbour
EXPECTED_ERRORS='.' finish
