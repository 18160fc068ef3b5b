# SPDX-License-Identifier: Apache-2.0
# Many lives, sessions and clients: nothing grows. SCALE=full takes the numbers that a large host sees (LIMIT=7200 with it); otherwise CI's.
. "$TOP/tests/lib/system.sh"
case ${SCALE-} in
full) lives=500 churn=10000 execs=1000 clients=200 listed=1000 ;;
*) lives=24 churn=100 execs=40 clients=20 listed=40 ;;
esac
# a bridge with addresses for all of them
ip link add $bridge type bridge && ip addr add $subnet.1/20 dev $bridge && ip link set $bridge up
start_daemon
make_image
many() { timeout -k 5 3600 python3 "$TOP/tests/lib/many.py" "$R/sock" "$@"; }
round() {
	local i
	for i in $(seq "$1"); do
		docker run --rm -p 8080:80 busybox true || fail "run $i of $1" "$(tail -3 "$R/log")"
	done
}
# name=count of what a container uses; files of the data root without their names, which are ids
count() {
	local p logd=0
	for p in $(left_processes | sed -n 's,process \([0-9]*\): .*/dockerd-logd$,\1,p'); do logd=$((logd + $(ls "/proc/$p/fd" | wc -l))); done
	echo "fds=$(ls "/proc/$daemon/fd" | wc -l)"
	echo "logd-fds=$logd"
	echo "threads=$((($(ls "/proc/$daemon/task" | wc -l) + 15) / 16 * 16))" # workers come by load
	echo "mounts=$(wc -l </proc/self/mountinfo)"
	echo "daemon-mounts=$(wc -l <"/proc/$daemon/mountinfo")"
	echo "processes=$(left_processes | wc -l)"
	echo "cgroups=$(left_cgroups | wc -l)"
	echo "links=$(ip -o link | wc -l)"
	echo "rules=$(iptables-save | grep -vc -e '^#' -e '^:')"
	echo "netns=$(ls "$R/exec/netns" 2>/dev/null | wc -l)"
	echo "files=$(find "$R/data" "$R/exec" | wc -l)"
}
anonymous() { awk '/^RssAnon/ { print $2 }' "/proc/$daemon/status"; }
# fewer is no fault: what an earlier round left to be cleared away later; of descriptors a few are connections kept for the next request
grown() {
	join -t= <(sort <<<"$before") <(count | sort) |
		awk -F= '$3 > $2 + ($1 ~ /fds$/ ? 12 : 0) { print $1 ": " $2 " before, now " $3 }'
}
# The daemon clears away behind everybody's back, and connections end behind their clients': it gets some requests' time for it.
settled() {
	local i
	for i in $(seq 100); do
		[ -n "$(grown)" ] || return 0
		docker version >/dev/null
	done
}
nothing_grew() { # AFTER-WHAT
	settled
	is "after $1 no count has grown" "" "$(grown)"
}

round 10
many lives 8 && many execs 8 && many watch 4 # what is made once is there now
before=$(count)
round 10
settled
before=$(count)
rss=$(anonymous)
round 100
nothing_grew "100 run/rm cycles"
grew=$(($(anonymous) - rss))
if [ "$grew" -lt 1024 ]; then pass "memory grew by less than 1 MiB"; else fail "memory grew by less than 1 MiB" "$grew KiB"; fi

works "$lives containers up and down, 16 at a time" many lives $lives
nothing_grew "$lives lives"
works "$churn containers made and removed" many churn $churn
nothing_grew "$churn creations"
works "$execs exec sessions in one container" many execs $execs
nothing_grew "$execs sessions"
works "$clients clients of logs -f and as many attached ones are told the same" many watch $clients
nothing_grew "$clients clients"
works "a list of $listed containers" many list $listed
echo "# $out lists of $listed containers a second"
if [ "${SCALE-}" = full ]; then
	if [ "$out" -ge 50 ]; then pass "at least 50 a second"; else fail "at least 50 a second" "$out"; fi
fi
nothing_grew "$listed listed containers"
# pools and tables keep some room for the next time, but not for each of them
once=$(anonymous)
many lives $lives && many churn $churn && many execs $execs && many watch $clients
nothing_grew "all of it again"
grew=$(($(anonymous) - once))
if [ "$grew" -lt 2048 ]; then pass "memory grew by less than 2 MiB since the first time"; else fail "memory grew by less than 2 MiB since the first time" "$grew KiB"; fi
echo "# anonymous memory: $rss KiB at first, $once KiB after all of it, $(anonymous) KiB after all of it again"
finish
