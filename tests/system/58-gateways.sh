# SPDX-License-Identifier: Apache-2.0
# How containers are reached from other hosts: gateway modes, trusted interfaces, direct routing; and what the daemon's and the endpoints' options
# say. The other host is a namespace behind a veth pair; it has routes to the containers' subnets by this one.
. "$TOP/tests/lib/system.sh"
bridge=dk8s0 subnet=10.118.0
more='"live-restore": true, "icc": false, "ip-forward-no-drop": true, "host-gateway-ips": ["192.0.2.8", "2001:db8::8"],
	"default-network-opts": {"bridge": {"com.docker.network.driver.mtu": "1400", "foo": "bar"}}'
iptables -P FORWARD ACCEPT
sysctl -qw net.ipv4.ip_forward=0
start_daemon "$more"
make_image
G=com.docker.network.bridge

exec 8< <(exec unshare -n sh -c 'echo $$; exec sleep 10000')
read -r other <&8
ip link add ts-out type veth peer name out netns "$other"
there() { nsenter -t "$other" -n "$@"; }
ip addr add 198.51.100.1/24 dev ts-out && ip link set ts-out up
there ip link set lo up && there ip addr add 198.51.100.2/24 dev out && there ip link set out up && there ip route add default via 198.51.100.1

make_net() { docker network create --subnet 10.248.0.0/24 -o $G.name=ts-gw "$@" gw >/dev/null; }
serve() { docker run -d --name srv --network gw -p 8080:80 busybox sh -c 'while :; do echo hidden | nc -l -p 90; done & while :; do echo hello | nc -l -p 80; done' >/dev/null
	listens; }
listens() { docker exec srv sh -c 'until netstat -ltn | grep -q ":80 " && netstat -ltn | grep -q ":90 "; do :; done'; }
ask() { timeout 5 python3 -c 'import socket,sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1.0); print(s.recv(99).decode().strip() or "closed")
except OSError: print("no")' "$@"; } # ADDRESS PORT
# From the other host: the container's own port, a port that is not published, the host's port.
export -f ask
from_there() { listens; there bash -c "ask $1 $2"; }
seen() { echo "$(from_there 10.248.0.2 80) $(from_there 10.248.0.2 90) $(from_there 198.51.100.1 8080)"; }
gone() { docker rm -f srv >/dev/null && docker network rm gw >/dev/null; }
settled_rules() { rules_settled && iptables-save "$@"; }

# ---- gateway modes ------------------------------------------------------------------------------------------------------------------------------
make_net && serve
is "nat: published ports at the host's address alone" "no no hello" "$(seen)"
is "  and this host's at both" "hello" "$(ask 10.248.0.2 80)"
gone
make_net -o $G.trusted_host_interfaces=ts-out:nosuch0 && serve
is "a trusted interface: published ports at the container's address as well" "hello no hello" "$(seen)"
gone
make_net -o $G.gateway_mode_ipv4=nat-unprotected && serve
is "nat-unprotected: any port" "hello hidden hello" "$(seen)"
gone
make_net -o $G.gateway_mode_ipv4=routed && serve
is "routed: published ports at the container's address" "hello no no" "$(seen)"
is "  nothing of the host is taken" '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":""},{"HostIp":"::","HostPort":"8080"}]}' "$(docker inspect -f '{{json .NetworkSettings.Ports}}' srv)"
like "  ping is let through" ' 0% packet loss' "$(there busybox ping -c 1 -W 5 10.248.0.2)"
works "  from other networks as well" docker network create --subnet 10.249.0.0/24 gw2
docker run -d --stop-signal KILL --name near --network gw2 busybox sleep 10000 >/dev/null
near() { listens; nsenter -t "$(docker inspect -f '{{.State.Pid}}' near)" -n bash -c "ask 10.248.0.2 $1"; }
is "  to what is published, and to nothing else" "hello no" "$(near 80) $(near 90)"
docker rm -f near >/dev/null
kill_daemon
start_daemon "$more"
is "  a daemon that was killed" "hello no no" "$(seen)"
docker stop -t 0 srv >/dev/null
is "  an end closes them" "" "$(settled_rules | grep -F 10.248.0.2)"
docker start srv >/dev/null
is "  a start opens them" 1 "$(iptables-save | grep -c -- '-A DOCKER -d 10.248.0.2/32 ! -i ts-gw -o ts-gw -p tcp -m tcp --dport 80 -j ACCEPT')"
docker network rm gw2 >/dev/null
gone
is "  and nothing stays" "" "$(settled_rules | grep -e ts-gw -e 10.248)"
make_net --internal -o $G.gateway_mode_ipv4=isolated
is "isolated: no gateway" '[{"Subnet":"10.248.0.0/24"}]' "$(docker network inspect -f '{{json .IPAM.Config}}' gw)"
is "  nor an address of this host" "" "$(ip -4 -o addr show ts-gw)"
is "  all addresses are containers'" "inet 10.248.0.1/24" "$(docker run --rm --network gw busybox ip -4 addr show eth0 | grep -o 'inet [0-9./]*')"
kill_daemon
start_daemon "$more"
is "  after a kill" '[{"Subnet":"10.248.0.0/24"}]' "$(docker network inspect -f '{{json .IPAM.Config}}' gw)"
docker network rm gw >/dev/null
make_net -o $G.inhibit_ipv4=true -o com.docker.network.container_iface_prefix=net
is "inhibit_ipv4: the bridge has no address" "" "$(ip -4 -o addr show ts-gw)"
is "  the gateway is somebody else's" "default via 10.248.0.1 dev net0 " "$(docker run --rm --network gw busybox ip route | grep default)"
docker network rm gw >/dev/null
while IFS='|' read -r option words; do
	status "refused: $option" 1 docker network create -o "$option" gw
	like "  in moby's words" "$words" "$out"
done <<'LIST'
com.docker.network.bridge.gateway_mode_ipv4=foo|failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: foo \(unknown gateway mode foo\)
com.docker.network.bridge.gateway_mode_ipv6=isolated|gateway mode 'isolated' can only be used for an internal network
com.docker.network.bridge.host_binding_ipv4=foo|failed to parse com.docker.network.bridge.host_binding_ipv4 value: foo \(nil ip\)
LIST
make_net -o $G.host_binding_ipv4=127.0.0.1 && serve
is "host_binding_ipv4" '{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}' "$(docker inspect -f '{{json .NetworkSettings.Ports}}' srv)"
is "  nobody else gets there" "no no no" "$(seen)"
gone
ip link add ts-own type bridge && ip link set ts-own up
works "a bridge of the operator's" docker network create --subnet 10.248.0.0/24 -o $G.name=ts-own own
status "bears one network" 1 docker network create --subnet 10.247.0.0/24 -o $G.name=ts-own own2
like "says so" 'networks have same bridge name' "$out"
is "whose rules stay" 1 "$(iptables-save | grep -c -- '-A DOCKER-BRIDGE -o ts-own -j DOCKER')"
docker network rm own >/dev/null
like "and the bridge" 'ts-own' "$(ip -o link show ts-own)"
ip link del ts-own

# ---- options of the daemon ----------------------------------------------------------------------------------------------------------------------
is "ip-forward-no-drop" "1 -P FORWARD ACCEPT" "$(cat /proc/sys/net/ipv4/ip_forward) $(iptables -S FORWARD | head -1)"
make_net -o foo=mine
is "default-network-opts" '{"com.docker.network.bridge.name":"ts-gw","com.docker.network.driver.mtu":"1400","foo":"mine"}' "$(docker network inspect -f '{{json .Options}}' gw)"
like "they count" 'mtu 1400' "$(docker run --rm --network gw busybox ip link show eth0)"
is "host-gateway-ips" "192.0.2.8 gw 2001:db8::8 gw" "$(docker run --rm --add-host gw:host-gateway busybox grep gw /etc/hosts | xargs)"
is "  in the host's network" "192.0.2.8 gw 2001:db8::8 gw" "$(docker run --rm --network host --add-host gw:host-gateway busybox grep gw /etc/hosts | xargs)"
status "one of each family" 1 "$BUILD/dockerd" --validate --config-file /dev/null --host-gateway-ip 192.0.2.1 --host-gateway-ip 192.0.2.2
like "says so" 'only one IPv4 host gateway IP address can be specified' "$out"

# ---- options of endpoints -------------------------------------------------------------------------------------------------------------------------
E=com.docker.network.endpoint
is "ifname" "lo mine0" "$(docker run --rm --network "name=gw,driver-opt=$E.ifname=mine0" busybox ls /sys/class/net | sort | xargs)"
is "sysctls" 1 "$(docker run --rm --network "name=gw,driver-opt=$E.sysctls=net.ipv4.conf.IFNAME.log_martians=1" busybox cat /proc/sys/net/ipv4/conf/eth0/log_martians)"
is "  not the host's" 0 "$(cat /proc/sys/net/ipv4/conf/ts-gw/log_martians)"
status "  that are none" 125 docker run --rm --network "name=gw,driver-opt=$E.sysctls=net.ipv4.conf.all.log_martians=1" busybox true
like "  says so" "unrecognised network interface sysctl 'net.ipv4.conf.all.log_martians=1'" "$out"
status "  that the kernel has not" 125 docker run --rm --network "name=gw,driver-opt=$E.sysctls=net.ipv4.conf.IFNAME.nosuch=1" busybox true
like "  says so" "/proc/sys/net/ipv4/conf/eth0/nosuch is not a sysctl file" "$out"
is "link-local addresses" "inet 169.254.7.7/16" "$(docker run --rm --network name=gw,link-local-ip=169.254.7.7 busybox ip addr show eth0 | grep -o 'inet 169[0-9./]*')"
status "  that are none" 125 docker run --rm --network name=gw,link-local-ip=10.1.1.1 busybox true
like "  says so" 'invalid link local IP address: 10.1.1.1' "$out"
works "gateway priority" docker network create --subnet 10.249.0.0/24 gw2
is "  wins" "default via 10.249.0.1" "$(docker run --rm --network gw --network name=gw2,gw-priority=1 busybox ip route | grep -o 'default via [0-9.]*')"
is "nothing is left of it all" "" "$(ls "$R/exec/network/endpoints")"
docker network rm gw gw2 >/dev/null

# ---- icc=false and links ----------------------------------------------------------------------------------------------------------------------------
links() { iptables-save -t filter | grep -- "-A DOCKER -s" | sed 's/-i .* -p/-p/'; }
docker run -d --stop-signal KILL --name kid --expose 80 --expose 53/udp busybox sleep 10000 >/dev/null
docker run -d --stop-signal KILL --name mum --link kid:k busybox sleep 10000 >/dev/null
kid=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' kid) mum=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' mum)
rules="-A DOCKER -s $mum/32 -d $kid/32 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER -s $kid/32 -d $mum/32 -p tcp -m tcp --sport 80 -j ACCEPT
-A DOCKER -s $mum/32 -d $kid/32 -p udp -m udp --dport 53 -j ACCEPT
-A DOCKER -s $kid/32 -d $mum/32 -p udp -m udp --sport 53 -j ACCEPT"
is "a link opens what is exposed" "$rules" "$(links)"
docker stop -t 0 kid >/dev/null
rules_settled
is "until one of the two ends" "" "$(links)"
docker start kid >/dev/null
is "and again" "$rules" "$(links)"
kill_daemon
iptables -F DOCKER
start_daemon "$more"
is "after a kill and a flush" "$rules" "$(links)"
docker rm -f mum kid >/dev/null
rules_settled
is "with the containers they go" "" "$(links)"

# ---- direct routing -------------------------------------------------------------------------------------------------------------------------------
stop_daemon
start_daemon '"allow-direct-routing": true'
make_net && serve
is "allow-direct-routing: published ports at the container's address as well" "hello no hello" "$(seen)"
gone

# ---- a port that moves with the way out, and others who want it ----------------------------------------------------------------------------------------
make_net && serve
docker network create --subnet 10.249.0.0/24 gw2 >/dev/null
docker create --name rival --network gw2 -p 8080:80 busybox sleep 10000 >/dev/null
most=0 odd=
for i in 1 2 3 4 5 6; do
	docker start rival >/dev/null 2>"$R/rival" & a=$!
	docker network connect --gw-priority $i gw2 srv >/dev/null 2>"$R/moves" & b=$!
	for k in 1 2 3; do docker inspect srv rival >/dev/null || odd=inspect; docker ps -a >/dev/null || odd=ps; done
	wait $a && odd="the rival has it"
	wait $b || odd=$(cat "$R/moves")
	grep -qv -e 'port is already allocated' -e 'failed to start containers' "$R/rival" && odd=$(cat "$R/rival")
	rules=$(iptables-save -t nat | grep -c "dport 8080 -j DNAT")
	[ "$rules" -gt "$most" ] && most=$rules
	docker network disconnect gw2 srv 2>"$R/moves" || odd=$(cat "$R/moves")
done
is "who has it keeps it, alone" "1 " "$most $odd"
docker rm -f srv rival >/dev/null
is "and gives it back" "" "$(settled_rules -t nat | grep 'dport 8080')"
works "to the next" docker run --rm -p 8080:80 busybox true
docker network rm gw gw2 >/dev/null

# ---- behind the host's own packet filter ----------------------------------------------------------------------------------------------------------
status "the proxy is needed" 1 "$BUILD/dockerd" --validate --config-file /dev/null --obey-host-firewall --userland-proxy=false
like "says so" 'userland-proxy=false with --obey-host-firewall' "$out"
iptables -A INPUT -i ts-out -p tcp --dport 22 -j ACCEPT
iptables -A INPUT -i ts-out -p icmp -j ACCEPT
iptables -A INPUT -i ts-out -j DROP
make_net && serve
is "a published port goes around the host's filter" "hello" "$(from_there 198.51.100.1 8080)"
gone
stop_daemon
start_daemon '"obey-host-firewall": true, "live-restore": true'
make_net && serve
is "not with obey-host-firewall" "no no no" "$(seen)"
is "  this host has its way" "hello" "$(listens; ask 127.0.0.1 8080)"
iptables -I INPUT -i ts-out -p tcp --dport 8080 -j ACCEPT
is "  a rule of the operator's opens it" "no no hello" "$(seen)"
is "  no packet is redirected" "" "$(iptables-save -t nat | grep DNAT)"
kill_daemon
start_daemon '"live-restore": true'
is "  a daemon without it redirects again" 1 "$(iptables-save -t nat | grep -c 'dport 8080 -j DNAT')"
gone
kill "$other"
finish
