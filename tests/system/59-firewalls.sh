# SPDX-License-Identifier: Apache-2.0
# Packet filters as hosts have them: one that somebody flushes, iptables-legacy, firewalld (played by tests/lib/fake-firewalld on a bus of its own).
# What is flushed here must be nobody's: all of it runs in a network namespace of its own.
[ -n "${OWN_NETWORK:-}" ] || OWN_NETWORK=yes exec unshare -n bash "$0"
ip link set lo up
. "$TOP/tests/lib/system.sh"
bridge=dk9s0 subnet=10.119.0
start_daemon '"live-restore": true'
make_image

# The rules as they are, after they are `before` again: somebody is on his way to put them back.
back() {
	local tries=0
	while [ "$(${1:-}iptables-save | grep '^-A' | sort)" != "$before" ] && [ $((tries++)) -lt 2000 ]; do :; done
	"${1:-}iptables-save" | grep '^-A' | sort
}

# ---- a flush ----------------------------------------------------------------------------------------------------------------------------------------
works "a network" docker network create --subnet 10.250.0.0/24 -o com.docker.network.bridge.name=ts-fw fw
works "a container" docker run -d --name one --network fw -p 8080:80 busybox sleep 10000
iptables -I DOCKER-USER -s 203.0.113.1/32 -j DROP
before=$(iptables-save | grep '^-A' | sort)
iptables -F && iptables -t nat -F && iptables -t raw -F && iptables -X && iptables -t nat -X
works "behind a flush a port finds its chains" docker run -d --name two --network fw -p 8081:80 busybox sleep 10000
docker rm -f two >/dev/null
is "and puts back everything but the operator's" "$(grep -v 203.0.113 <<<"$before")" "$(iptables-save | grep '^-A' | sort)"
before=$(grep -v 203.0.113 <<<"$before")
for t in filter nat raw; do iptables -t $t -F; done
kill -HUP "$daemon"
is "so does SIGHUP" "$before" "$(back)"

# ---- iptables-legacy -------------------------------------------------------------------------------------------------------------------------------
mkdir "$R/legacy"
for t in iptables iptables-restore iptables-save ip6tables ip6tables-restore ip6tables-save; do
	ln -s "$(PATH=$PATH:/usr/sbin command -v "${t%%tables*}tables-legacy${t#*tables}")" "$R/legacy/$t" 2>/dev/null
done
docker rm -f one >/dev/null
stop_daemon
if ! PATH=$R/legacy iptables -t nat -S >/dev/null 2>&1 || ! PATH=$R/legacy iptables -t raw -S >/dev/null 2>&1; then
	skip "iptables-legacy" "no iptables-legacy here"
else
	modern=$(iptables-save)
	PATH=$R/legacy:$PATH start_daemon '"live-restore": true'
	works "a container" docker run -d --name one --network fw -p 8080:80 busybox sleep 10000
	like "its port is in the legacy tables" 'dport 8080 -j DNAT --to-destination 10\.250\.0\.[0-9]+:80' "$("$R/legacy/iptables-save" -t nat)"
	is "with moby's chains" "-A FORWARD -j DOCKER-USER -A FORWARD -j DOCKER-FORWARD" "$("$R/legacy/iptables-save" -t filter | grep -e '-A FORWARD' | xargs)"
	is "and not in the others" "" "$(iptables-save -t nat | grep 'dport 8080')"
	before=$("$R/legacy/iptables-save" | grep '^-A' | sort)
	for t in filter nat raw; do "$R/legacy/iptables" -t $t -F; done
	kill -HUP "$daemon"
	is "flushed, and put back" "$before" "$(back "$R/legacy/")"
	kill_daemon
	PATH=$R/legacy:$PATH start_daemon '"live-restore": true'
	is "as after a kill" "$before" "$("$R/legacy/iptables-save" | grep '^-A' | sort)"
	docker rm -f one >/dev/null
	rules_settled
	is "nothing is left of the container" "" "$("$R/legacy/iptables-save" | grep -F 10.250.0.2)"
	stop_daemon
	for t in filter nat raw; do "$R/legacy/iptables" -t $t -F; done
fi

# ---- firewalld -----------------------------------------------------------------------------------------------------------------------------------------
if [ ! -x "$BUILD/tests/lib/fake-firewalld" ] || ! command -v dbus-daemon >/dev/null; then
	skip "firewalld" "no sd-bus or no dbus-daemon here"
	finish
	exit
fi
cat >"$R/bus.conf" <<BUS
<busconfig><type>system</type><listen>unix:path=$R/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
BUS
exec 6< <(exec dbus-daemon --config-file="$R/bus.conf" --nofork --nopidfile --print-address=1)
dbus=$!
read -r -t 20 <&6
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$R/bus
firewalld() { exec 5< <(exec "$BUILD/tests/lib/fake-firewalld" "$@" 2>&1); fake=$!; }
told() { # DESCRIPTION LINE: firewalld was told, or told something else before
	local line
	read -r -t 20 line <&5
	is "$1" "$2" "$line"
}
start_daemon '"live-restore": true'
like "a bus without firewalld" 'Daemon has completed initialization' "$(cat "$R/log")"
unlike "is none" 'firewalld' "$(cat "$R/log")"
firewalld mine="public"
told "firewalld comes" ready
told "it gets a zone" "addZone2 docker"
told "and a policy" "addPolicy docker-forwarding"
told "in force" reload
for i in 1 2; do read -r -t 20 line <&5; echo "$line"; done | sort >"$R/told"
is "links join the zone" "addInterface docker $bridge addInterface docker ts-fw" "$(xargs <"$R/told")"
works "a network" docker network create -o com.docker.network.bridge.name=ts-new new
told "joins as well" "addInterface docker ts-new"
ip link add mine type bridge && ip link set mine up
works "a bridge that the operator has put elsewhere" docker network create -o com.docker.network.bridge.name=mine mine
works "and one that goes" docker network rm new
told "leaves; the operator's stayed where it was" "removeInterface docker ts-new"
works "a container" docker run -d --name one --network fw -p 8080:80 busybox sleep 10000
before=$(iptables-save | grep '^-A' | sort)
iptables -F && iptables -t nat -F && iptables -t raw -F && iptables -X && iptables -t nat -X
kill -HUP $fake
is "a reload that flushes: rules are back" "$before" "$(back)"
kill $fake && wait_pid $fake
iptables -F && iptables -t nat -F
firewalld zone policy
told "started again" ready
for i in 1 2 3; do read -r -t 20 line <&5; echo "$line"; done | sort >"$R/told"
is "links join again" "addInterface docker $bridge addInterface docker mine addInterface docker ts-fw" "$(xargs <"$R/told")"
is "rules are back" "$before" "$(back)"
docker rm -f one >/dev/null
docker network rm fw mine >/dev/null
stop_daemon
pass "a daemon that watches ends"
kill $fake $dbus
ip link del mine
finish
