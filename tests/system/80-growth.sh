# SPDX-License-Identifier: Apache-2.0
# 100 lives of containers: nothing grows.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image
round() {
	local i
	for i in $(seq "$1"); do
		docker run --rm -p 8080:80 busybox true || fail "run $i of $1" "$(tail -3 "$R/log")"
	done
}
# name=count of what a container uses; files of the data root without their names, which are ids
count() {
	echo "fds=$(ls "/proc/$daemon/fd" | wc -l)"
	echo "threads=$((($(ls "/proc/$daemon/task" | wc -l) + 15) / 16 * 16))" # workers come by load
	echo "mounts=$(wc -l </proc/self/mountinfo)"
	echo "processes=$(left_processes | wc -l)"
	echo "cgroups=$(left_cgroups | wc -l)"
	echo "links=$(ip -o link | wc -l)"
	echo "rules=$(iptables-save | grep -vc -e '^#' -e '^:')"
	echo "netns=$(ls "$R/exec/netns" 2>/dev/null | wc -l)"
	echo "files=$(find "$R/data" "$R/exec" | wc -l)"
}
settled() { # the counts, once no container of the last round is being cleared away
	docker ps -aq >/dev/null
	count
}
round 10
before=$(settled)
rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status")
round 100
# fewer is no fault: what the first round left to be cleared away later
is "after 100 run/rm cycles no count has grown" "" "$(join -t= <(sort <<<"$before") <(settled | sort) | awk -F= '$3 > $2 { print $1 ": " $2 " before, now " $3 }')"
grown=$(($(awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status") - rss))
if [ "$grown" -lt 1024 ]; then pass "memory grew by less than 1 MiB"; else fail "memory grew by less than 1 MiB" "$grown KiB"; fi
finish
