# SPDX-License-Identifier: Apache-2.0
# Limits of running and stopped containers: docker update, and what docker stats says of them.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

post() { api POST "$1" -H 'Content-Type: application/json' -d "$2" -w ' %{http_code}' | tr -d '\n'; }
seen() { docker inspect -f "{{.HostConfig.$1}}" box; }
# limit FILE-OF-V1 FILE-OF-V2: as the container sees it
limit() { docker exec box sh -c "cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/$2"; }

docker run -d --name box -m 64m --cpus 1 busybox sleep 1000 >/dev/null
works "update" docker update --memory 32m --cpu-shares 300 --pids-limit 40 box
is "is told" box "$out"
is "memory" 33554432 "$(limit memory/memory.limit_in_bytes memory.max)"
is "processes" 40 "$(limit pids/pids.max pids.max)"
is "is kept" "33554432 300 40" "$(seen Memory) $(seen CpuShares) $(seen PidsLimit)"
works "more cpus" docker update --cpus 2 box
like "reach the kernel" '^200000( 100000)?$' "$(limit cpu/cpu.cfs_quota_us cpu.max)"
works "a restart policy" docker update --restart on-failure:3 box
is "is kept" "{on-failure 3}" "$(seen RestartPolicy)"
is "nothing to change" '{"Warnings":null} 200' "$(post /v1.51/containers/box/update '{}')"
like "too little memory" 'Minimum memory limit allowed is 6MB"} 400$' "$(post /v1.51/containers/box/update '{"Memory":1}')"
like "more memory than swap" 'Cannot update container [0-9a-f]{64}: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"} 409$' \
	"$(post /v1.51/containers/box/update '{"Memory":268435456}')"
like "period beside cpus" 'Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set"} 409$' "$(post /v1.51/containers/box/update '{"CpuPeriod":100000}')"
like "an unknown policy" "unknown policy 'often'; use one of .*400$" "$(post /v1.51/containers/box/update '{"RestartPolicy":{"Name":"often"}}')"
like "a wrong type" 'cannot unmarshal string into Go struct field UpdateConfig.Memory of type int64"} 400$' "$(post /v1.51/containers/box/update '{"Memory":"x"}')"
is "what was refused changed nothing" "33554432 {on-failure 3}" "$(seen Memory) $(seen RestartPolicy)"
docker create --rm --name gone busybox true >/dev/null
like "a policy for what is removed" 'Restart policy cannot be updated because AutoRemove is enabled' "$(docker update --restart always gone 2>&1)"
like "no container" 'No such container: nope' "$(docker update -m 10m nope 2>&1)"
is "the event" box "$(docker events --since 0 --until $(($(date +%s) + 1)) -f event=update -f container=box --format '{{.Actor.Attributes.name}}' | head -1)"
# stats
like "stats" '^box 3[0-9.]+MiB / 32MiB|^box [0-9.]+(KiB|MiB) / 32MiB [1-9]$' "$(docker stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' box)"
one=$(api GET '/v1.51/containers/box/stats?stream=false&one-shot=true')
like "one-shot: what there is" '"pids_stats":\{"current":1,"limit":40\}.*"limit":33554432\},"networks":\{"eth0":\{"rx_bytes":' "$one"
like "nothing came before" '"preread":"0001-01-01T00:00:00Z"' "$one"
two=$(api GET '/v1.51/containers/box/stats?stream=false')
like "else two samples make one" '"preread":"20.*"precpu_stats":\{"cpu_usage":\{"total_usage":[1-9]' "$two"
is "a stream goes on" 2 "$(curl -sN --unix-socket "$R/sock" http://d/v1.51/containers/box/stats | head -2 | grep -c '"name":"/box"')"
like "both wishes" 'cannot have stream=true and one-shot=true' "$(api GET '/v1.51/containers/box/stats?stream=true&one-shot=true')"
like "no container" 'No such container: nope' "$(api GET /v1.51/containers/nope/stats)"
docker run -d --name hosted --network host busybox sleep 1000 >/dev/null
unlike "the host's network is not the container's" '"networks"' "$(api GET '/v1.51/containers/hosted/stats?stream=false&one-shot=true')"
docker stop -t 0 box >/dev/null
like "of a stopped one nothing" '"read":"0001-01-01T00:00:00Z".*"memory_stats":\{\}' "$(api GET '/v1.51/containers/box/stats?stream=false')"
works "update of a stopped one" docker update --memory 20m box
docker start box >/dev/null
is "acts at its start" 20971520 "$(limit memory/memory.limit_in_bytes memory.max)"
kill_daemon
start_daemon '"oom-score-adjust": 300'
is "the daemon's own score" 300 "$(cat "/proc/$daemon/oom_score_adj")"
run_is "is not a container's" 0 busybox cat /proc/self/oom_score_adj
is "is on disk" "20971520 {on-failure 3}" "$(seen Memory) $(seen RestartPolicy)"
docker rm -f $(docker ps -aq) >/dev/null
finish
