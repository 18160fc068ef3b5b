# SPDX-License-Identifier: Apache-2.0
# Users' networks: what compose files need. All traffic stays in the suite's own network namespace.
. "$TOP/tests/lib/system.sh"
start_daemon '"live-restore": true'
make_image

inspect() { docker network inspect -f "$2" "$1"; }           # NETWORK TEMPLATE
address() { docker inspect -f "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"; } # CONTAINER NETWORK
run_idle() { docker run -d "$@" busybox sleep 10000 >/dev/null; }
lookup() { docker exec "$1" nslookup "$2" 2>/dev/null | sed -n 's/^Address: \([0-9.]*\)$/\1/p' | sort | xargs; } # CONTAINER NAME

# ---- create, inspect, list ------------------------------------------------------------------------------------------------------------------
works "create" docker network create one
like "prints the id" '^[0-9a-f]{64}$' "$out"
is "driver and scope" "bridge local" "$(inspect one '{{.Driver}} {{.Scope}}')"
like "a subnet of the pools" '^172\.(1[7-9]|2[0-9]|3[01])\.0\.0/16$|^192\.168\.' "$(inspect one '{{(index .IPAM.Config 0).Subnet}}')"
works "create with everything" docker network create --subnet 10.231.0.0/16 --ip-range 10.231.5.0/24 --gateway 10.231.0.9 \
	--aux-address a=10.231.5.1 --label l=v -o com.docker.network.bridge.name=ts-two -o foo=bar --attachable two
is "as moby shows it" '[{"Subnet":"10.231.0.0/16","IPRange":"10.231.5.0/24","Gateway":"10.231.0.9","AuxiliaryAddresses":{"a":"10.231.5.1"}}] {"com.docker.network.bridge.name":"ts-two","foo":"bar"} {"l":"v"} true' \
	"$(inspect two '{{json .IPAM.Config}} {{json .Options}} {{json .Labels}} {{.Attachable}}')"
is "the bridge has the gateway" 10.231.0.9/16 "$(ip -4 -o addr show ts-two | sed 's/.*inet //; s/ .*//')"
status "a name is given once" 1 docker network create one
like "says so" 'network with name one already exists' "$out"
status "subnets don't overlap" 1 docker network create --subnet 10.231.128.0/24 no
like "says so" 'invalid pool request: Pool overlaps with other one on this address space' "$out"
status "a bridge is one network's" 1 docker network create -o com.docker.network.bridge.name=ts-two no
like "says so" 'networks have same bridge name' "$out"
status "predefined names" 1 docker network create bridge
like "say so" 'operation is not permitted on predefined bridge network' "$out"
status "a driver that is not there" 1 docker network create -d nosuch no
like "says so" 'plugin "nosuch" not found' "$out"
status "several subnets are not the bridge's" 1 docker network create --subnet 10.233.0.0/24 --subnet 10.234.0.0/24 no
like "says so" "bridge driver doesn't support multiple subnets" "$out"
is "nothing is left of them" "bridge host none one two" "$(docker network ls --format '{{.Name}}' | sort | xargs)"
is "ls --filter label" two "$(docker network ls -q -f label=l=v | xargs docker network inspect -f '{{.Name}}')"
is "ls --filter type" "one two" "$(docker network ls -f type=custom --format '{{.Name}}' | sort | xargs)"
is "ls --filter name and driver" two "$(docker network ls -f name=tw -f driver=bridge --format '{{.Name}}')"

# ---- containers -------------------------------------------------------------------------------------------------------------------------------
works "a container in it" run_idle --name ca --network two --network-alias alias --ip 10.231.0.77
is "has the address asked for" 10.231.0.77 "$(address ca two)"
works "another" run_idle --name cb --network two
is "has one of the range" 10.231.5.0 "$(address cb two)"
status "an address is given once" 125 docker run --rm --network two --ip 10.231.0.77 busybox true
like "says so" 'Address already in use' "$out"
status "an address only where the subnet was asked for" 125 docker run --rm --network one --ip 172.31.0.9 busybox true
like "says so" 'only when connecting to networks with user configured subnets' "$out"
is "by name" 10.231.5.0 "$(lookup ca cb)"
is "by alias" 10.231.0.77 "$(lookup cb alias)"
is "by short id" 10.231.0.77 "$(lookup cb "$(docker inspect -f '{{.Id}}' ca | cut -c1-12)")"
is "by name and network" 10.231.0.77 "$(lookup cb ca.two)"
like "back to the name" 'name = ca\.two' "$(docker exec cb nslookup 10.231.0.77)"
is "ping by name" "1 packets received" "$(docker exec cb ping -c 1 ca | grep -o '[0-9] packets received')"
like "inspect names them" '"DNSNames":\["ca","alias","[0-9a-f]{12}"\]' "$(api GET /containers/ca/json)"
like "resolv.conf" '^nameserver 127.0.0.11$' "$(docker exec ca cat /etc/resolv.conf)"
works "the container's own server has port 53" docker exec -d ca nc -l -p 53
works "rename" docker rename cb cbb
is "the new name" 10.231.5.0 "$(lookup ca cbb)"
is "the old one is gone" "" "$(lookup ca cb)"
docker rename cbb cb
docker run -d --name a2 --network two --network-alias alias busybox sleep 10000 >/dev/null
is "an alias of two" "10.231.0.77 $(address a2 two)" "$(lookup cb alias)"
docker rm -f a2 >/dev/null
is "of one again" 10.231.0.77 "$(lookup cb alias)"

# ---- several networks ---------------------------------------------------------------------------------------------------------------------------
docker create --name cc --network one busybox sleep 10000 >/dev/null
docker network connect two cc
works "two networks at the start" docker start cc
is "two addresses" "$(address cc one) $(address cc two)" "$(docker exec cc ip -4 -o addr | awk '$2 != "lo" { sub("/.*", "", $4); print $4 }' | xargs)"
run_idle --name cd --network one
is "reached by name in one" "$(address cd one)" "$(lookup cc cd)"
is "and in the other" 10.231.0.77 "$(lookup cc ca)"
is "not known across" "" "$(lookup cd ca)"
status "bridges are isolated" 1 docker exec cd ping -c 1 -W 1 10.231.0.77
works "connect" docker network connect --alias dd two cd
is "has another interface" "eth0 eth1 lo" "$(docker exec cd ls /sys/class/net | xargs)"
is "is known there" "$(address cd two)" "$(lookup ca dd)"
is "reaches it" "1 packets received" "$(docker exec cd ping -c 1 ca | grep -o '[0-9] packets received')"
like "and is in hosts" "^$(address cd two)	" "$(docker exec cd cat /etc/hosts)"
status "twice" 1 docker network connect two cd
like "says so" 'endpoint with name cd already exists in network two' "$out"
gateway=$(inspect one '{{(index .IPAM.Config 0).Gateway}}')
is "the way out is the first by name" "$gateway" "$(docker exec cd ip route | sed -n 's/default via \([0-9.]*\) .*/\1/p')"
works "disconnect" docker network disconnect one cd
is "the way out moves" 10.231.0.9 "$(docker exec cd ip route | sed -n 's/default via \([0-9.]*\) .*/\1/p')"
is "one interface less" 1 "$(inspect one '{{len .Containers}}')"
status "not connected" 1 docker network disconnect one cd
like "says so" 'is not connected to network one' "$out"
works "a container on the default bridge" run_idle --name ce
works "gets the DNS with a users' network" docker network connect two ce
is "and names" 10.231.0.77 "$(lookup ce ca)"
works "ports go with the way out" docker run -d --name cp --network one -p 18088:80 busybox sh -c 'while :; do echo hello | nc -l -p 80; done'
ask() { python3 -c 'import socket,sys
while True:
    try:
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5); d = s.recv(99)
        if d: print(d.decode().strip()); break
    except OSError: pass' "$1"; }
is "published" hello "$(timeout 20 bash -c "$(declare -f ask); ask 18088")"
docker network connect two cp
docker network disconnect one cp
is "published from the other network" hello "$(timeout 20 bash -c "$(declare -f ask); ask 18088")"
is "inspect has them" 18088 "$(docker inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' cp)"

# ---- internal -------------------------------------------------------------------------------------------------------------------------------------
works "internal" docker network create --internal --subnet 10.232.0.0/24 in
run_idle --name i1 --network in
run_idle --name i2 --network in
is "no way out" "" "$(docker exec i1 ip route | grep default)"
is "but to each other" "1 packets received" "$(docker exec i1 ping -c 1 i2 | grep -o '[0-9] packets received')"
like "rules as moby's" '-A DOCKER-ISOLATION-STAGE-1 ! -s 10.232.0.0/24 -o br-[0-9a-f]{12} -j DROP' "$(iptables-save)"

# ---- stopped containers, none, host ------------------------------------------------------------------------------------------------------------------
docker create --name cs --network one busybox sleep 10000 >/dev/null
works "connect a stopped one" docker network connect two cs
works "start" docker start cs
is "both" "eth0 eth1 lo" "$(docker exec cs ls /sys/class/net | xargs)"
run_idle --name cn --network none
status "none is alone" 1 docker network connect one cn
like "says so" 'networks in private \(none\) mode' "$out"
works "until it has left none" docker network disconnect none cn
works "then it may join" docker network connect one cn
status "host is not joined" 1 docker network connect host cs
like "says so" 'cannot connect container to host network' "$out"

# ---- events -------------------------------------------------------------------------------------------------------------------------------------------
docker network create ev >/dev/null
docker network connect ev cs
docker network disconnect ev cs
docker network rm ev >/dev/null
is "events" "create connect disconnect destroy" "$(docker events --since 0 --until $(($(date +%s) + 1)) --filter type=network --filter network=ev --format '{{.Action}}' | xargs)"

# ---- remove, prune ----------------------------------------------------------------------------------------------------------------------------------------
status "rm of one in use" 1 docker network rm two
like "says by whom" 'network two has active endpoints' "$out"
status "rm of a predefined one" 1 docker network rm host
like "says so" 'host is a pre-defined network and cannot be removed' "$out"
docker network create unused >/dev/null
docker network create --label keep unused2 >/dev/null
like "prune" 'unused$' "$(docker network prune -f --filter 'label!=keep')"
is "leaves the rest" "bridge host in none one two unused2" "$(docker network ls --format '{{.Name}}' | sort | xargs)"
works "rm" docker network rm unused2

# ---- a daemon that goes and comes -----------------------------------------------------------------------------------------------------------------------------
id=$(docker network inspect -f '{{.Id}}' two)
docker rm -f cc cd ce i2 cp cs cn >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' ca)
kill_daemon
is "the DNS answers without a daemon" 10.231.0.77 "$(nsenter -t "$pid" -n python3 -c '
import socket, struct
q = struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + b"\x02ca\x00" + struct.pack(">HH", 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.sendto(q, ("127.0.0.11", 53))
print(".".join(map(str, s.recv(999)[-4:])))')"
start_daemon '"live-restore": true'
is "networks are there again" "$id" "$(docker network inspect -f '{{.Id}}' two)"
is "with their containers" "ca cb" "$(docker network inspect -f '{{range .Containers}}{{.Name}} {{end}}' two | xargs -n1 | sort | xargs)"
is "and names" 10.231.5.0 "$(lookup ca cb)"
netd=$(ss -xlp | grep "$R.*netd.sock" | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -1)
works "netd is killed" kill -9 "$netd"
wait_pid "$netd"
is "another answers" 10.231.5.0 "$(until got=$(lookup ca cb) && [ -n "$got" ]; do :; done; echo "$got")"
docker rm -f ca cb i1 >/dev/null
works "all go" docker network rm one two in
is "no bridge is left" "" "$(ip -o link show type bridge | grep -E 'ts-two|br-' | grep -v "$bridge")"
rules_settled
is "no rule is left" "" "$(iptables-save | grep -E '10\.23[12]\.')"
EXPECTED_ERRORS='.' finish
