# SPDX-License-Identifier: Apache-2.0
# Networks of IPv6: addresses, names, published ports, the packet filter, the default bridge. All in the suite's own network namespace.
. "$TOP/tests/lib/system.sh"
bridge=dk6s0 subnet=10.116.0
ip link add $bridge type bridge && ip addr add $subnet.1/24 dev $bridge && ip addr add fd00:16::1/64 dev $bridge nodad && ip link set $bridge up
ip -6 addr add 2001:db8:ff::1/64 dev lo nodad
start_daemon '"live-restore": true, "ipv6": true, "fixed-cidr-v6": "fd00:16::/80"'
make_image

inspect() { docker network inspect -f "$2" "$1"; }                                              # NETWORK TEMPLATE
setting() { docker inspect -f "{{(index .NetworkSettings.Networks \"$2\").$3}}" "$1"; }         # CONTAINER NETWORK FIELD
run_idle() { docker run -d "$@" busybox sleep 10000 >/dev/null; }
pings() { docker exec "$1" ping -6 -c 1 -W 5 "$2" | grep -o '[0-9] packets received'; }         # CONTAINER NAME
lookup() { docker exec "$1" nslookup "-type=$3" "$2" 2>/dev/null | sed -n 's/^Address: \([0-9a-f.:]*\)$/\1/p' | sort | xargs; } # CONTAINER NAME TYPE
serve() { docker exec -d "$1" sh -c 'while :; do echo hello | nc -l -p 80; done'; }
ask() { timeout 20 python3 -c 'import socket,sys
while True:
    try:
        s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5); d = s.recv(99)
        if d: print(d.decode().strip()); break
    except OSError: pass' "$@"; } # ADDRESS PORT

# ---- create ---------------------------------------------------------------------------------------------------------------------------------
works "create" docker network create --ipv6 six
like "has a subnet of each family" '^\[\{"Subnet":"[0-9.]+/[0-9]+","Gateway":"[0-9.]+"\},\{"Subnet":"fd[0-9a-f:]+::/64","Gateway":"fd[0-9a-f:]+::1"\}\] true true$' \
	"$(inspect six '{{json .IPAM.Config}} {{.EnableIPv4}} {{.EnableIPv6}}')"
works "another" docker network create --ipv6 six2
is "of the same /48, another /64" "2 1" "$(for n in six six2; do inspect $n '{{(index .IPAM.Config 1).Gateway}}'; done | sort -u | wc -l) $(for n in six six2; do inspect $n '{{(index .IPAM.Config 1).Gateway}}' | cut -d: -f1-3; done | sort -u | wc -l)"
docker network rm six six2 >/dev/null
works "create with everything" docker network create --ipv6 --subnet 2001:db8:1::/64 --gateway 2001:db8:1::ff --ip-range 2001:db8:1::8000/113 \
	--aux-address a=2001:db8:1::8001 --subnet 10.246.0.0/24 -o com.docker.network.bridge.name=ts-six six
is "as moby shows it" '[{"Subnet":"10.246.0.0/24"},{"Subnet":"2001:db8:1::/64","IPRange":"2001:db8:1::8000/113","Gateway":"2001:db8:1::ff","AuxiliaryAddresses":{"a":"2001:db8:1::8001"}}]' \
	"$(inspect six '{{json .IPAM.Config}}')"
like "the bridge has the gateway" 'inet6 2001:db8:1::ff/64 scope global nodad' "$(ip -6 addr show ts-six)"
status "it should be the network's address" 1 docker network create --ipv6 --subnet 2001:db8:2::1/64 no
like "says so" 'invalid subnet 2001:db8:2::1/64: it should be 2001:db8:2::/64' "$out"
status "subnets don't overlap" 1 docker network create --ipv6 --subnet 2001:db8:1:0:8000::/65 no
like "says so" 'Pool overlaps with other one on this address space' "$out"
status "one of each family" 1 docker network create --ipv6 --subnet 2001:db8:2::/64 --subnet 2001:db8:3::/64 no
like "says so" "bridge driver doesn't support multiple subnets" "$out"
status "no address is left for a gateway" 1 docker network create --ipv6 --subnet 2001:db8:2::/128 no
like "says so" 'no available addresses on this pool' "$out"
works "a subnet without --ipv6 is only shown" docker network create --subnet 2001:db8:2::/64 shown
like "with another that is used" '^false 2001:db8:2::/64 [0-9.]+/[0-9]+$' "$(inspect shown '{{.EnableIPv6}} {{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 1).Subnet}}')"
docker network rm shown >/dev/null
works "IPv6 by the option" docker network create -o com.docker.network.enable_ipv6=true byopt
is "is on" true "$(inspect byopt '{{.EnableIPv6}}')"
docker network rm byopt >/dev/null
is "neither family" 400 "$(api POST /v1.51/networks/create -H 'Content-Type: application/json' -d '{"Name":"no","EnableIPv4":false}' -o /dev/null -w '%{http_code}')"

# ---- containers -------------------------------------------------------------------------------------------------------------------------------
works "a container" run_idle --name sa --network six --network-alias both --ip6 2001:db8:1::77
works "another" run_idle --name sb --network six --network-alias both
is "the address asked for" "2001:db8:1::77 64 2001:db8:1::ff" "$(setting sa six GlobalIPv6Address) $(setting sa six GlobalIPv6PrefixLen) $(setting sa six IPv6Gateway)"
is "one of the range" "2001:db8:1::8000 10.246.0.3" "$(setting sb six GlobalIPv6Address) $(setting sb six IPAddress)"
like "in the container, at once" 'inet6 2001:db8:1::77/64 scope global flags 02' "$(docker exec sa ip addr show eth0)"
is "default routes" "10.246.0.1 2001:db8:1::ff" "$(docker exec sa sh -c 'ip route; ip -6 route' | sed -n 's/default via \([0-9a-f.:]*\) .*/\1/p' | xargs)"
like "inspect of the network" '"IPv4Address":"10.246.0.3/24","IPv6Address":"2001:db8:1::8000/64"' "$(inspect six '{{json .Containers}}')"
status "an address is given once" 125 docker run --rm --network six --ip6 2001:db8:1::77 busybox true
like "says so" 'Address already in use' "$out"
status "an address of the subnet" 125 docker run --rm --network six --ip6 2001:db8:9::77 busybox true
like "says so" 'no configured subnet or ip-range contain the IP address 2001:db8:9::77' "$out"
is "AAAA" 2001:db8:1::77 "$(lookup sb sa aaaa)"
is "A" 10.246.0.2 "$(lookup sb sa a)"
is "AAAA of two" "2001:db8:1::77 2001:db8:1::8000" "$(lookup sb both aaaa)"
like "back to the name" 'name = sa\.six' "$(docker exec sb nslookup 2001:db8:1::77)"
is "ping by name" "1 packets received" "$(pings sa sb)"
is "the gateway" "1 packets received" "$(pings sa 2001:db8:1::ff)"
like "hosts" '^2001:db8:1::77	[0-9a-f]{12}$' "$(docker exec sa cat /etc/hosts)"
like "and localhost" '^::1	localhost ip6-localhost ip6-loopback$' "$(docker exec sa cat /etc/hosts)"
is "forwarding is on" 1 "$(cat /proc/sys/net/ipv6/conf/all/forwarding)"

# ---- published ports, rules ------------------------------------------------------------------------------------------------------------------------
works "published" docker run -d --name sp --network six -p 18091:80 -p '[::1]:18092:80' -p 127.0.0.1:18093:80 busybox sleep 10000
serve sp
is "inspect" '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"18091"},{"HostIp":"::","HostPort":"18091"},{"HostIp":"127.0.0.1","HostPort":"18093"},{"HostIp":"::1","HostPort":"18092"}]}' \
	"$(docker inspect -f '{{json (index .NetworkSettings.Ports "80/tcp")}}' sp | python3 -c 'import json,sys; print(json.dumps({"80/tcp": sorted(json.load(sys.stdin), key=lambda b: (b["HostPort"] != "18091", b["HostIp"]))}, separators=(",", ":")))')"
is "on ::1" hello "$(ask ::1 18091)"
is "on 127.0.0.1" hello "$(ask 127.0.0.1 18091)"
is "on an address of the host" hello "$(ask 2001:db8:ff::1 18091)"
is "of ::1 alone" hello "$(ask ::1 18092)"
address=$(setting sp six GlobalIPv6Address)
rules=$(ip6tables-save)
like "redirected" "-A DOCKER ! -s fe80::/10 ! -i ts-six -p tcp -m tcp --dport 18091 -j DNAT --to-destination \[$address\]:80" "$rules"
like "let through" "-A DOCKER -d $address/128 ! -i ts-six -o ts-six -p tcp -m tcp --dport 80 -j ACCEPT" "$rules"
like "not around it" "-A PREROUTING -d $address/128 ! -i ts-six -j DROP" "$rules"
like "masquerade" '-A POSTROUTING -s 2001:db8:1::/64 ! -o ts-six -j MASQUERADE' "$rules"
like "the operator's chain comes first" '-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD' "$(grep -e '-A FORWARD' <<<"$rules")"
# A host behind a link of its own, with DNAT only: the proxy is not on its way.
unshare -n sleep 10000 &
outside=$!
until [ "$(readlink /proc/$outside/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add ts6o type veth peer name eth0 netns $outside
ip -6 addr add 2001:db8:ee::1/64 dev ts6o nodad
ip link set ts6o up
nsenter -t $outside -n sh -c 'ip link set lo up; ip -6 addr add 2001:db8:ee::2/64 dev eth0 nodad; ip link set eth0 up; ip -6 route add default via 2001:db8:ee::1'
is "from outside" hello "$(nsenter -t $outside -n bash -c "$(declare -f ask); ask 2001:db8:ee::1 18091")"
like "counted by the packet filter" '\[[1-9][0-9]*:[0-9]+\] -A DOCKER ! -s fe80::/10 ! -i ts-six -p tcp -m tcp --dport 18091' "$(ip6tables-save -c -t nat)"
is "to the outside" "1 packets received" "$(pings sa 2001:db8:ee::2)"
docker rm -f sp >/dev/null
rules_settled --ipv6 --subnet 2001:db8:fe::/64
unlike "rules go with the container" "$address" "$(ip6tables-save)"

# ---- IPv6 alone, internal ----------------------------------------------------------------------------------------------------------------------------
is "IPv6 alone" 201 "$(api POST /v1.51/networks/create -H 'Content-Type: application/json' \
	-d '{"Name":"only","EnableIPv4":false,"EnableIPv6":true,"IPAM":{"Config":[{"Subnet":"2001:db8:3::/64"}]}}' -o /dev/null -w '%{http_code}')"
is "is shown" "false true" "$(inspect only '{{.EnableIPv4}} {{.EnableIPv6}}')"
run_idle --name oa --network only -p 18094:80
run_idle --name ob --network only
is "no address of IPv4" " 2001:db8:3::2 " "$(setting oa only IPAddress) $(setting oa only GlobalIPv6Address) $(docker exec oa ip -4 -o addr show eth0)"
is "each other by name" "1 packets received" "$(pings ob oa)"
is "published on :: alone" '[{"HostIp":"::","HostPort":"18094"}]' "$(docker inspect -f '{{json (index .NetworkSettings.Ports "80/tcp")}}' oa)"
serve oa
is "and answers" hello "$(ask ::1 18094)"
works "another network" docker network connect six ob
is "the way out moves" "10.246.0.1" "$(docker exec ob ip route | sed -n 's/default via \([0-9.]*\) .*/\1/p')"
docker rm -f oa ob >/dev/null
docker network rm only >/dev/null
docker network create --ipv6 --internal --subnet 2001:db8:4::/64 int6 >/dev/null
run_idle --name ia --network int6
run_idle --name ib --network int6
is "internal: each other" "1 packets received" "$(pings ia ib)"
is "internal: no way out" "" "$(docker exec ia ip -6 route | grep default)"
like "internal: as moby's rules" '-A DOCKER-ISOLATION-STAGE-1 ! -d 2001:db8:4::/64 -i br-[0-9a-f]{12} ! -o br-[0-9a-f]{12} -j DROP' "$(ip6tables-save)"
docker rm -f ia ib >/dev/null
docker network rm int6 >/dev/null

# ---- the default bridge -----------------------------------------------------------------------------------------------------------------------------
is "default bridge: on" "true fd00:16::/64 fd00:16::/80 fd00:16::1" "$(inspect bridge '{{.EnableIPv6}} {{(index .IPAM.Config 1).Subnet}} {{(index .IPAM.Config 1).IPRange}} {{(index .IPAM.Config 1).Gateway}}')"
run_idle --name ba -p 18095:80
is "default bridge: address" "fd00:16::2 64 fd00:16::1" "$(docker inspect -f '{{.NetworkSettings.GlobalIPv6Address}} {{.NetworkSettings.GlobalIPv6PrefixLen}} {{.NetworkSettings.IPv6Gateway}}' ba)"
is "default bridge: gateway" "1 packets received" "$(pings ba fd00:16::1)"
serve ba
is "default bridge: published" hello "$(ask ::1 18095)"
docker rm -f ba >/dev/null

# ---- a daemon that goes and comes -------------------------------------------------------------------------------------------------------------------
config=$(inspect six '{{json .IPAM}} {{json .Options}}')
kill_daemon
docker_proxy_rules=$(ip6tables-save | grep -c 2001:db8:1)
start_daemon '"live-restore": true, "ipv6": true, "fixed-cidr-v6": "fd00:16::/80"'
is "the network is as before" "$config" "$(inspect six '{{json .IPAM}} {{json .Options}}')"
is "its containers too" "2001:db8:1::77 2001:db8:1::8000" "$(setting sa six GlobalIPv6Address) $(setting sb six GlobalIPv6Address)"
is "and rules, once" "$docker_proxy_rules" "$(ip6tables-save | grep -c 2001:db8:1)"
is "AAAA" 2001:db8:1::77 "$(lookup sb sa aaaa)"
works "the next address" run_idle --name sc --network six
is "is another" 2001:db8:1::8002 "$(setting sc six GlobalIPv6Address)"
docker rm -f sa sb sc >/dev/null
works "all go" docker network rm six
kill_daemon
start_daemon
unlike "rules of a bridge that has IPv6 no longer go" "$bridge" "$(ip6tables-save)"
kill_daemon
rules=$(ip6tables-save | grep -v '^#')
start_daemon '"ip6tables": false, "ipv6": true, "default-address-pools": [{"base": "fd00:77::/56", "size": 64}]'
docker network create --ipv6 six >/dev/null
docker network create --ipv6 six2 >/dev/null
is "pools of one's own" "fd00:77::/64 fd00:77:0:1::/64" "$(for n in six six2; do inspect $n '{{(index .IPAM.Config 1).Subnet}}'; done | xargs)"
docker network rm six2 >/dev/null
works "--ip6tables=false" docker run --rm --network six -p 18096:80 busybox true
is "touches nothing" "$rules" "$(ip6tables-save | grep -v '^#')"
docker network rm six >/dev/null
kill $outside
ip link del ts6o 2>/dev/null
rules_settled --ipv6 --subnet 2001:db8:fe::/64
is "no rule is left" "" "$(ip6tables-save | grep -E '2001:db8|DNAT')"
EXPECTED_ERRORS='.' finish
