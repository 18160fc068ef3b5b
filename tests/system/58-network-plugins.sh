# SPDX-License-Identifier: Apache-2.0
# Network plugins of the classic socket protocol, as processes that make real links: tests/lib/plugin_net.c.
. "$TOP/tests/lib/system.sh"
sockets=$R/plugins
mkdir -p "$sockets" "$R/p1"
plugin() { plugin=$("$BUILD/tests/lib/plugin" "$@") || fail "plugin starts"; }
trap 'kill $one 2>/dev/null' EXIT
request() { grep "^/NetworkDriver.$1 " "$R/p1/log" | tail -1 | sed 's/^[^ ]* //'; }
asked() { grep -c "^/NetworkDriver.$1 " "$R/p1/log"; }
links() { ip -br link | grep -E '^t[pqv][0-9a-f]{8}' | grep -vc '^tp'; }
start_daemon
make_image
cd "$R" || exit 1

status "nobody is there" 1 docker network create -d one n1
like "in moby's words" 'plugin "one" not found' "$out"
plugin "$sockets/one.sock" "$R/p1" NetworkDriver IpamDriver
one=$plugin
plugin "$sockets/other.sock" "$R/p1" VolumeDriver
status "of another kind" 1 docker network create -d other n1
like "in moby's words" 'legacy plugin: Plugin does not implement the requested driver: plugin="other", requested implementation="NetworkDriver"' "$out"
kill "$plugin" && wait_pid "$plugin"
rm "$sockets/other.sock"
status "the adapter has no plugin of its own" 1 docker network create -d remote n1
like "it is a name as any other" 'plugin "remote" not found' "$out"

# a network
works "a network" docker network create -d one --subnet 10.112.5.0/24 --aux-address h=10.112.5.9 -o a=b --label x=y n1
id=$(docker network inspect -f '{{.Id}}' n1)
is "CreateNetwork as moby's" '{"NetworkID":"'$id'","Options":{"com.docker.network.enable_ipv4":true,"com.docker.network.enable_ipv6":false,"com.docker.network.generic":{"a":"b"}},"IPv4Data":[{"AddressSpace":"LocalDefault","AuxAddresses":{"h":"10.112.5.9/24"},"Gateway":"10.112.5.1/24","Pool":"10.112.5.0/24"}],"IPv6Data":[]}' "$(request CreateNetwork)"
is "inspect" "one local map[a:b]" "$(docker network inspect -f '{{.Driver}} {{.Scope}} {{.Options}}' n1)"
like "info" "(^| )one( |\$)" "$(docker info -f '{{join .Plugins.Network " "}}')"
unlike "but not the adapter" "(^| )remote( |\$)" "$(docker info -f '{{join .Plugins.Network " "}}')"
status "refused" 1 docker network create -d one -o fail=CreateNetwork n2
like "in moby's words" "remote: as it was told" "$out"
unlike "nothing is left of it" n2 "$(docker network ls)"

# containers
works "a container" docker run -d --stop-signal KILL --name c1 --network n1 --network-alias al busybox sleep 1000
eid=$(docker inspect -f '{{.NetworkSettings.Networks.n1.EndpointID}}' c1)
is "CreateEndpoint as moby's" '{"NetworkID":"'$id'","EndpointID":"'$eid'","Interface":{"Address":"10.112.5.2/24","AddressIPv6":"","MacAddress":""},"Options":{"com.docker.network.endpoint.exposedports":[],"com.docker.network.portmap":[]}}' "$(request CreateEndpoint)"
like "Join" '^\{"NetworkID":"'$id'","EndpointID":"'$eid'","SandboxKey":"/[^"]*","Options":' "$(request Join)"
is "address, gateway, MAC" "10.112.5.2/24 10.112.5.1 02:00:5e:10:20:30" "$(docker inspect -f '{{with .NetworkSettings.Networks.n1}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}}{{end}}' c1)"
like "on the link" "inet 10.112.5.2/24 " "$(docker exec c1 ip addr show eth0)"
like "with its MAC address" "02:00:5e:10:20:30" "$(docker exec c1 ip link show eth0)"
is "default route" "default via 10.112.5.1 dev eth0" "$(docker exec c1 ip route | sed -n 's/ *$//; /^default/p')"
works "the gateway answers" docker exec c1 ping -c1 -W5 10.112.5.1
docker run -d --stop-signal KILL --name c2 --network n1 --mac-address 02:00:00:00:00:77 busybox sleep 1000 >/dev/null
works "they reach each other, by name" docker exec c2 ping -c1 -W5 al
like "a MAC address of the user's" "02:00:00:00:00:77" "$(docker exec c2 ip link show eth0)"
status "the network is in use" 1 docker network rm n1
docker rm -f c2 >/dev/null
is "Leave, then DeleteEndpoint" "/NetworkDriver.Leave /NetworkDriver.DeleteEndpoint" "$(grep -oE '^/NetworkDriver.(Leave|DeleteEndpoint)' "$R/p1/log" | tail -2 | tr '\n' ' ' | sed 's/ $//')"
is "its links are gone" 1 "$(links)"
docker network create -d one --subnet 10.112.6.0/24 -o route=192.0.2.0/24 n3 >/dev/null
works "connect" docker network connect n3 c1
like "a static route" "192.0.2.0/24 dev eth1" "$(docker exec c1 ip route)"
works "disconnect" docker network disconnect n1 c1
is "the default route moves" "default via 10.112.6.1 dev eth1" "$(docker exec c1 ip route | sed -n 's/ *$//; /^default/p')"
works "and works" docker exec c1 ping -c1 -W5 10.112.6.1
docker rm -f c1 >/dev/null
is "no link is left" 0 "$(links)"
for step in CreateEndpoint Join; do
	docker network create -d one -o fail=$step "f-$step" >/dev/null
	status "$step fails" 125 docker run --rm --network "f-$step" busybox true
	like "in moby's words" "failed to set up container networking: remote: as it was told" "$out"
	docker network rm "f-$step" >/dev/null
done
is "no link is left of them" 0 "$(links)"
docker network create -d one -o mac=02:00:00:00:00:01 f-mac >/dev/null
: >"$R/p1/log"
status "a MAC address of another choice" 125 docker run --rm --network f-mac --mac-address 02:00:00:00:00:02 busybox true
like "is refused" "driver modified interface MAC address: 02:00:00:00:00:01" "$out"
is "and the plugin is told" 1 "$(asked DeleteEndpoint)"
docker network rm f-mac >/dev/null
for step in Leave DeleteEndpoint DeleteNetwork; do
	docker network create -d one -o fail=$step "f-$step" >/dev/null
	works "$step is told of, and passed over" docker run --rm --network "f-$step" busybox true
	works "the network goes" docker network rm "f-$step"
done
rm -f $(grep -l DeleteNetwork "$R"/p1/networks/*) # it has kept that one
ip -br link | grep -oE '^t[pv][0-9a-f]{8}' | grep -v "tp$(docker network inspect -f '{{.Id}}' n1 | cut -c1-8)\|tp$(docker network inspect -f '{{.Id}}' n3 | cut -c1-8)" | xargs -rn1 ip link del

# restarts
docker run -d --stop-signal KILL --name c3 --network n1 --restart always busybox sleep 1000 >/dev/null
: >"$R/p1/log"
stop_daemon
start_daemon
is "the plugin is not asked for its networks again" 0 "$(asked CreateNetwork)"
docker start c3 >/dev/null
works "a container that starts again" docker exec c3 ping -c1 -W5 10.112.5.1
stop_daemon
start_daemon '"live-restore": true'
docker start c3 >/dev/null 2>&1
kill_daemon
start_daemon '"live-restore": true'
works "live-restore: it goes on" docker exec c3 ping -c1 -W5 10.112.5.1
docker rm -f c3 >/dev/null
is "and leaves" 0 "$(links)"
for at in network.connect.recorded network.connect.joined container.start.connected; do
	stop_daemon
	docker_fault=$at
	DOCKERD_FAULT=$at=kill start_daemon
	docker run -d --stop-signal KILL --name "k-$at" --network n1 busybox sleep 1000 >/dev/null 2>&1
	wait_pid "$daemon"
	start_daemon
	docker rm -f "k-$at" >/dev/null 2>&1
	is "killed at $docker_fault: no link is left" 0 "$(links)"
done
stop_daemon
DOCKERD_FAULT=network.create.made=kill start_daemon
docker network create -d one --subnet 10.112.8.0/24 n8 >/dev/null 2>&1
wait_pid "$daemon"
start_daemon
unlike "killed while a network is made: it is not there" n8 "$(docker network ls)"
is "nor at the plugin" 2 "$(ls "$R/p1/networks" | wc -l)"

# addresses of an IPAM plugin
ipam() { grep "^/IpamDriver" "$R/p1/log" | sed 's|^/IpamDriver.||' | tr '\n' ';'; }
taken() { (ls "$R/p1/addresses"; ls "$R/p1/pools") | tr '\n' ' '; }
: >"$R/p1/log"
works "a network of its pool" docker network create --ipam-driver one --ipam-opt io=1 i1
is "asked as by moby" 'GetDefaultAddressSpaces ;RequestPool {"AddressSpace":"here","Pool":"","SubPool":"","Options":{"io":"1"},"V6":false};RequestAddress {"PoolID":"10.222.0.0+24","Address":"","Options":{"RequestAddressType":"com.docker.network.gateway"}};' "$(ipam)"
is "inspect" '{"Driver":"one","Options":{"io":"1"},"Config":[{"Subnet":"10.222.0.0/24","Gateway":"10.222.0.1"}]}' "$(docker network inspect -f '{{json .IPAM}}' i1)"
: >"$R/p1/log"
works "a pool of ours" docker network create --ipam-driver one --subnet 10.223.0.0/24 --gateway 10.223.0.5 --aux-address h=10.223.0.9 --ip-range 10.223.0.64/26 i2
is "gateway, range and others" 'GetDefaultAddressSpaces ;RequestPool {"AddressSpace":"here","Pool":"10.223.0.0/24","SubPool":"10.223.0.64/26","Options":{},"V6":false};RequestAddress {"PoolID":"10.223.0.0+24","Address":"10.223.0.5","Options":{"RequestAddressType":"com.docker.network.gateway"}};RequestAddress {"PoolID":"10.223.0.0+24","Address":"10.223.0.9","Options":null};' "$(ipam)"
status "a pool that it refuses" 1 docker network create --ipam-driver one --subnet 10.250.0.0/24 i3
like "in its words" "remote: not that one" "$out"
status "no such plugin" 1 docker network create --ipam-driver nope i3
like "in moby's words" 'plugin "nope" not found' "$out"
status "no addresses at all" 1 docker network create --ipam-driver null i3
like "says so" 'ipv4 pool is empty' "$out"
: >"$R/p1/log"
status "a pool of another family" 1 docker network create --ipam-driver one --subnet 10.251.0.0/24 i3
like "is refused" "ipam plugin returned a pool of another family: fd00:51::/64" "$out"
status "an address that it refuses" 1 docker network create --ipam-driver one --subnet 10.225.0.0/24 --gateway 10.225.0.1 --aux-address a=10.225.0.9 --aux-address b=10.225.0.1 --aux-address c=10.225.0.3 i3
like "in its words" "remote: no address left" "$out"
is "what was given goes back, and no more" 'ReleasePool {"PoolID":"10.251.0.0+24"};ReleaseAddress {"PoolID":"10.225.0.0+24","Address":"10.225.0.1"};ReleaseAddress {"PoolID":"10.225.0.0+24","Address":"10.225.0.9"};ReleasePool {"PoolID":"10.225.0.0+24"};' "$(ipam | tr ';' '\n' | grep Release | tr '\n' ';')"
docker run -d --stop-signal KILL --name a1 --network i1 busybox sleep 1000 >/dev/null
is "a container's address is the plugin's" "10.222.0.10/24 10.222.0.1" "$(docker inspect -f '{{with .NetworkSettings.Networks.i1}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}}{{end}}' a1)"
works "and works" docker exec a1 ping -c1 -W5 10.222.0.1
docker run -d --stop-signal KILL --name a2 --network i2 --ip 10.223.0.77 busybox sleep 1000 >/dev/null
is "or the user's" "10.223.0.77" "$(docker inspect -f '{{.NetworkSettings.Networks.i2.IPAddress}}' a2)"
status "taken" 125 docker run --rm --network i2 --ip 10.223.0.77 busybox true
like "in its words" "remote: no address left" "$out"
is "what is taken" "10.222.0.0+24,10.222.0.1 10.222.0.0+24,10.222.0.10 10.223.0.0+24,10.223.0.5 10.223.0.0+24,10.223.0.77 10.223.0.0+24,10.223.0.9 10.222.0.0+24 10.223.0.0+24 " "$(taken)"
stop_daemon
start_daemon
is "a stop gives containers' addresses back" "10.222.0.0+24,10.222.0.1 10.223.0.0+24,10.223.0.5 10.223.0.0+24,10.223.0.9 10.222.0.0+24 10.223.0.0+24 " "$(taken)"
is "the networks are as they were" '{"Driver":"one","Options":{"io":"1"},"Config":[{"Subnet":"10.222.0.0/24","Gateway":"10.222.0.1"}]}' "$(docker network inspect -f '{{json .IPAM}}' i1)"
docker start a1 >/dev/null
works "and work" docker exec a1 ping -c1 -W5 10.222.0.1
docker network connect i2 a1
is "connect" "10.223.0.10" "$(docker inspect -f '{{.NetworkSettings.Networks.i2.IPAddress}}' a1)"
kill_daemon
start_daemon '"live-restore": true'
docker network disconnect i2 a1
is "after kill -9: disconnect" "10.222.0.0+24,10.222.0.1 10.222.0.0+24,10.222.0.10 10.223.0.0+24,10.223.0.5 10.223.0.0+24,10.223.0.9 10.222.0.0+24 10.223.0.0+24 " "$(taken)"
docker rm -f a1 a2 >/dev/null
for at in network.connect.recorded network.connect.joined; do
	stop_daemon
	docker_fault=$at
	DOCKERD_FAULT=$at=kill start_daemon
	docker run -d --stop-signal KILL --name k1 --network i1 busybox sleep 1000 >/dev/null 2>&1
	wait_pid "$daemon"
	start_daemon
	docker rm -f k1 >/dev/null 2>&1
	unlike "killed at $docker_fault: no address is left" "10.222.0.10" "$(taken)"
done
stop_daemon
DOCKERD_FAULT=network.create.made=kill start_daemon
docker network create --ipam-driver one --subnet 10.224.0.0/24 i4 >/dev/null 2>&1
wait_pid "$daemon"
start_daemon
unlike "killed while a network is made: no pool is left" "10.224" "$(taken)"
# it goes down while it has addresses out, and pools
docker run -d --name d1 --network i1 busybox sleep 1000 >/dev/null
kill "$one" && wait_pid "$one"
tries=$(grep -c "plugin is not up: trying again" "$R/log")
works "a container goes without it" docker rm -f d1
status "its network stays" 1 docker network rm i1
works "another goes" docker network rm i2
kill_daemon
start_daemon
is "nobody has waited" "$tries" "$(grep -c "plugin is not up: trying again" "$R/log")"
plugin "$sockets/one.sock" "$R/p1" NetworkDriver IpamDriver
one=$plugin
like "it has all of it" "10.222.0.10 .*10.223.0.0" "$(taken)"
works "removed" docker network rm i1
stop_daemon
start_daemon
is "and all is given back" "" "$(taken)"
works "both kinds" docker network create -d one --ipam-driver one both
run_like "together" "inet 10.222.0.10/24" --network both busybox ip addr show eth0
docker network rm both >/dev/null
is "nothing is left" "" "$(taken)"

# a plugin that is not up
kill "$one" && wait_pid "$one"
stop_daemon
start_daemon
like "the daemon starts without it" "^n1\$" "$(docker network ls --format '{{.Name}}')"
status "but no container" 125 docker run --rm --network n1 busybox true
like "says why" "dial unix .*one.sock: connect: connection refused|plugin \"one\" not found" "$out"
status "the network stays" 1 docker network rm n1
plugin "$sockets/one.sock" "$R/p1" NetworkDriver IpamDriver
one=$plugin
run_is "until the plugin is back" up --network n1 busybox echo up
works "and goes" docker network rm n1 n3
is "the plugin has none" "" "$(ls "$R/p1/networks")"
finish
