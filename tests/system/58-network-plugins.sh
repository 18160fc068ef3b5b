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
kill "$plugin"
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
works "a container" docker run -d --name c1 --network n1 --network-alias al busybox sleep 1000
eid=$(docker inspect -f '{{.NetworkSettings.Networks.n1.EndpointID}}' c1)
is "CreateEndpoint as moby's" '{"NetworkID":"'$id'","EndpointID":"'$eid'","Interface":{"Address":"10.112.5.2/24","AddressIPv6":"","MacAddress":""},"Options":{"com.docker.network.endpoint.exposedports":[],"com.docker.network.portmap":[]}}' "$(request CreateEndpoint)"
like "Join" '^\{"NetworkID":"'$id'","EndpointID":"'$eid'","SandboxKey":"/[^"]*","Options":' "$(request Join)"
is "address, gateway, MAC" "10.112.5.2/24 10.112.5.1 02:00:5e:10:20:30" "$(docker inspect -f '{{with .NetworkSettings.Networks.n1}}{{.IPAddress}}/{{.IPPrefixLen}} {{.Gateway}} {{.MacAddress}}{{end}}' c1)"
like "on the link" "inet 10.112.5.2/24 " "$(docker exec c1 ip addr show eth0)"
like "with its MAC address" "02:00:5e:10:20:30" "$(docker exec c1 ip link show eth0)"
is "default route" "default via 10.112.5.1 dev eth0" "$(docker exec c1 ip route | sed -n 's/ *$//; /^default/p')"
works "the gateway answers" docker exec c1 ping -c1 -W5 10.112.5.1
docker run -d --name c2 --network n1 --mac-address 02:00:00:00:00:77 busybox sleep 1000 >/dev/null
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
for step in Leave DeleteEndpoint DeleteNetwork; do
	docker network create -d one -o fail=$step "f-$step" >/dev/null
	works "$step is told of, and passed over" docker run --rm --network "f-$step" busybox true
	works "the network goes" docker network rm "f-$step"
done
rm -f $(grep -l DeleteNetwork "$R"/p1/networks/*) # it has kept that one
ip -br link | grep -oE '^t[pv][0-9a-f]{8}' | grep -v "tp$(docker network inspect -f '{{.Id}}' n1 | cut -c1-8)\|tp$(docker network inspect -f '{{.Id}}' n3 | cut -c1-8)" | xargs -rn1 ip link del

# restarts
docker run -d --name c3 --network n1 --restart always busybox sleep 1000 >/dev/null
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
	docker run -d --name "k-$at" --network n1 busybox sleep 1000 >/dev/null 2>&1
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

# a plugin that is not up
kill "$one"
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
