# SPDX-License-Identifier: Apache-2.0
# Networks: bridge with published ports, none, host, container:ID. All traffic stays in the suite's own network namespace.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

# serve NAME ARGUMENT...: a container that answers each connection to port 80 with its name; returns when it listens
serve() {
	local name=$1
	shift
	docker run -d --name "$name" "$@" busybox sh -c "while :; do echo $name | nc -l -p 80; done" >/dev/null &&
		docker exec "$name" sh -c 'until netstat -ltn | grep -q ":80 "; do :; done'
}
# One TCP connection to HOST PORT: what it answers. The server listens anew for each, so a refused one is tried again.
ask() {
	timeout 10 python3 - "$1" "$2" <<-'END'
		import socket, sys
		data = b""
		while not data:
		    try:
		        with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as s:
		            while d := s.recv(100): data += d
		    except OSError: pass
		print(data.decode().strip())
	END
}

run_like "an address of the bridge's subnet" "^$subnet\.[0-9]+/24$" busybox sh -c "ip -4 -o addr show eth0 | sed 's/.*inet //; s/ .*//'"
run_is "a route by the bridge" "$subnet.1" busybox sh -c "ip route | sed -n 's/default via \\([0-9.]*\\) .*/\\1/p'"
works "two containers see each other" serve web
addr=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' web)
like "inspect has the address" "^$subnet\." "$addr"
run_is "by TCP" web busybox sh -c "until nc $addr 80 </dev/null | grep .; do :; done"
is "the host reaches it" web "$(ask "$addr" 80)"
run_is "the host is reached" "1 packets received" busybox sh -c "ping -c 1 $subnet.1 | grep -o '[0-9] packets received'"

works "-p host:container" serve p1 -p 8081:80
is "TCP through 127.0.0.1" p1 "$(ask 127.0.0.1 8081)"
is "TCP through the bridge's address" p1 "$(ask $subnet.1 8081)"
like "port" '^80/tcp -> 0.0.0.0:8081$' "$(docker port p1)"
is "port of one" 0.0.0.0:8081 "$(docker port p1 80/tcp | head -1)"
like "ps shows it" '0.0.0.0:8081->80/tcp' "$(docker ps -f name=p1 --format '{{.Ports}}')"
status "a port is given once" 125 docker run --rm -p 8081:80 busybox true
like "says which" 'Bind for 0.0.0.0:8081 failed: port is already allocated' "$out"
works "-p with an address, an ephemeral port" serve p2 -p 127.0.0.1::80
port=$(docker port p2 80/tcp | sed 's/.*://')
is "TCP through it" p2 "$(ask 127.0.0.1 "$port")"
docker run -d --name p3 --expose 81 --expose 82/udp -P busybox sleep 1000 >/dev/null
is "-P publishes what is exposed" "81/tcp 82/udp" "$(docker port p3 | sed 's/ ->.*//' | sort -u | xargs)"
docker run -d --name p4 -p 8090-8092:70-72 busybox sleep 1000 >/dev/null
is "-p of a range" 3 "$(docker port p4 | grep -c '0\.0\.0\.0')"
# busybox has no UDP server: one of the host's programs in the container's network namespace
docker run -d --name u1 -p 8053:53/udp busybox sleep 1000 >/dev/null
mkfifo "$R/bound"
nsenter -t "$(docker inspect -f '{{.State.Pid}}' u1)" -n timeout 30 python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 53)); print("bound", flush=True)
data, peer = s.recvfrom(100); s.sendto(data, peer)' >"$R/bound" &
read -r bound <"$R/bound"
is "UDP" ping "$(timeout 10 python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
s.sendto(b"ping", ("127.0.0.1", 8053)); print(s.recv(100).decode())')"
pipe=$(head -c 3000000 /dev/urandom | base64 -w0)
printf %s "$pipe" >"$R/root.payload"
docker run -d --name bulk -v "$R/root.payload:/p:ro" -p 8095:80 busybox sh -c 'nc -l -p 80 </p' >/dev/null
docker exec bulk sh -c 'until netstat -ltn | grep -q ":80 "; do :; done'
is "4 MB through a published port" "$(sha256sum <"$R/root.payload")" "$(timeout 20 python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", 8095), 5)
while d := s.recv(65536): sys.stdout.buffer.write(d)' | sha256sum)"
docker rm -f p1 >/dev/null
status "a removed container's port is closed" 1 timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8081'
works "and free" serve p5 -p 8081:80
is "with its traffic" p5 "$(ask 127.0.0.1 8081)"

run_is "--network none has lo alone" lo --network none busybox ls /sys/class/net
run_is "--network host is the host's" "$(ip -o link | wc -l)" --network host busybox sh -c 'ip -o link | wc -l'
run_is "--network container:" web --network container:web busybox sh -c 'until nc 127.0.0.1 80 </dev/null | grep .; do :; done'
is "is the same namespace" "$(docker exec web readlink /proc/self/ns/net)" "$(docker run --rm --network container:web busybox readlink /proc/self/ns/net)"
status "--network of nothing" 125 docker run --rm --network nosuch busybox true
like "says so" 'network nosuch not found' "$out"
run_is "--mac-address" 02:42:ac:11:00:99 --mac-address 02:42:ac:11:00:99 busybox cat /sys/class/net/eth0/address
is "network ls" "bridge host none" "$(docker network ls --format '{{.Name}}' | sort | xargs)"
is "network inspect" "$subnet.0/24" "$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' bridge)"

# ---- firewall ---------------------------------------------------------------------------------------------------------------------------------
rules=$(iptables-save)
for chain in DOCKER DOCKER-USER DOCKER-FORWARD; do
	like "chain $chain" "^:$chain " "$rules"
done
like "NAT for what leaves" "POSTROUTING -s $subnet.0/24 ! -o $bridge -j MASQUERADE" "$rules"
iptables -I DOCKER-USER -p tcp --dport 9999 -j DROP
stop_daemon
start_daemon
like "an operator's rule in DOCKER-USER survives a restart" '-A DOCKER-USER -p tcp .*--dport 9999 -j DROP' "$(iptables-save)"
# the record of our rules lies in the exec root
stop_daemon
rm -rf "$R/exec"
start_daemon
like "a lost record: the rules are there" "-A DOCKER ! -i $bridge -o $bridge -j DROP" "$(iptables-save)"
is "and none twice" "" "$(iptables-save | grep -e "$bridge" | sort | uniq -d)"
EXPECTED_ERRORS='.' finish
