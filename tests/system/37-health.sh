# SPDX-License-Identifier: Apache-2.0
# Health checks: states, results, events, time limits, start period, restarts of the daemon.
. "$TOP/tests/lib/system.sh"
start_daemon '"live-restore": true'
make_image

# Until the container says of its health what is wanted; events come from the past as well.
wait_health() { # CONTAINER STATUS
	local reader
	exec 9< <(exec timeout 60 "$DOCKER" events --since 0 -f "container=$1" -f event=health_status --format '{{.Action}}{{.Status}}' 2>&1)
	reader=$!
	grep -q -m1 -- "$2" <&9
	set -- $?
	kill $reader 2>/dev/null
	exec 9<&-
	return "$1"
}
health() { docker inspect -f "{{.State.Health.$2}}" "$1"; }

docker run -d --name hc --health-cmd 'echo said; [ -e /ok ]' --health-interval 300ms --health-retries 2 busybox sleep 1000 >/dev/null
like "starting" 'Up .* \(health: starting\)' "$(docker ps -f name=hc --format '{{.Status}}')"
works "two failures" wait_health hc unhealthy
like "make it unhealthy" '\(unhealthy\)' "$(docker ps -f name=hc --format '{{.Status}}')"
like "results are kept" '^\{"Start":"20[^"]*","End":"20[^"]*","ExitCode":1,"Output":"said\\n"\}$' "$(docker inspect -f '{{json (index .State.Health.Log 0)}}' hc)"
docker exec hc touch /ok
works "a success" wait_health hc 'health_status: healthy'
is "makes it healthy" "healthy 0" "$(health hc Status) $(health hc FailingStreak)"
is "filter" hc "$(docker ps -f health=healthy --format '{{.Names}}')"
is "and the others" "" "$(docker ps -f health=unhealthy --format '{{.Names}}')"
like "probes are sessions" 'exec_create: /bin/sh -c echo said; \[ -e /ok \]' "$(docker events --since 0 --until $(($(date +%s) + 1)) -f container=hc --format '{{.Action}}{{.Status}}')"

docker run -d --name slow --health-cmd 'echo part; exec sleep 1000' --health-interval 100ms --health-timeout 500ms --health-retries 1 busybox sleep 1000 >/dev/null
works "a probe that hangs" wait_health slow unhealthy
like "is ended, and says so" '"ExitCode":-1,"Output":"Health check exceeded timeout \(500ms\): part\\n"' "$(docker inspect -f '{{json .State.Health.Log}}' slow)"
docker run -d --name wordy --health-cmd 'yes | head -c 100000' --health-interval 100ms busybox sleep 1000 >/dev/null
works "a probe that talks much" wait_health wordy 'health_status: healthy'
is "is not kept whole" 4096 "$(docker inspect -f '{{len (index .State.Health.Log 0).Output}}' wordy)"
docker run -d --name early --health-cmd false --health-interval 100ms --health-retries 1 --health-start-period 1h busybox sleep 1000 >/dev/null
docker run -d --name cmd --no-healthcheck busybox sleep 1000 >/dev/null
is "no check, no health" "<nil>" "$(docker inspect -f '{{.State.Health}}' cmd 2>&1 | sed 's/.*map has no entry.*/<nil>/')"

kill_daemon
start_daemon '"live-restore": true'
works "a new daemon goes on" wait_health hc 'health_status: healthy'
is "in the start period failures don't count" "starting 0" "$(health early Status) $(health early FailingStreak)"
docker stop -t 0 hc >/dev/null
is "stopped is not healthy" unhealthy "$(health hc Status)"
docker start hc >/dev/null
is "it begins anew" starting "$(health hc Status)"
docker pause hc >/dev/null && docker unpause hc >/dev/null
works "and is healthy again" wait_health hc 'health_status: healthy'
docker import -c 'HEALTHCHECK --interval=100ms CMD ["true"]' - checked <"$R/root.tar" >/dev/null 2>&1 ||
	{ tar -C "$R/root" -cf "$R/root.tar" . && docker import -c 'HEALTHCHECK --interval=100ms CMD ["true"]' "$R/root.tar" checked >/dev/null; }
docker run -d --name imaged checked sleep 1000 >/dev/null
works "the image's own check" wait_health imaged 'health_status: healthy'
docker rm -f $(docker ps -aq) >/dev/null

# restart when unhealthy: by label, by the daemon's setting, which the label overrides
docker run -d --name again --stop-signal KILL --label dockerd.restart-unhealthy=true --health-cmd '[ ! -e /sick ]' --health-interval 100ms --health-retries 1 busybox sh -c 'rm -f /sick; exec sleep 1000' >/dev/null
works "it is healthy" wait_health again 'health_status: healthy'
docker exec again touch /sick
works "restarted when it turns unhealthy" wait_starts again 2
works "as if by hand" grep -q restart <<<"$(docker events --since 0 --until $(($(date +%s) + 1)) -f container=again -f event=start -f event=restart --format '{{.Action}}{{.Status}}')"
is "it runs on" "true 0" "$(docker inspect -f '{{.State.Running}} {{.RestartCount}}' again)"
docker run -d --name left --stop-signal KILL --health-cmd false --health-interval 100ms --health-retries 1 busybox sleep 1000 >/dev/null
works "without being asked to" wait_health left unhealthy
is "no restart" 1 "$(docker events --since 0 --until $(($(date +%s) + 1)) -f container=left -f event=start --format x | wc -l)"
docker rm -f again left >/dev/null
stop_daemon
start_daemon '"restart-unhealthy": true, "metrics-addr": "127.0.0.1:18970"'
docker run -d --name all --stop-signal KILL --health-cmd false --health-interval 100ms --health-retries 1 busybox sleep 1000 >/dev/null
works "by the daemon's setting" wait_starts all 2
docker run -d --name but --stop-signal KILL --label dockerd.restart-unhealthy=false --health-cmd false --health-interval 100ms --health-retries 1 busybox sleep 1000 >/dev/null
works "but not where the label says no" wait_health but unhealthy
is "no restart" 1 "$(docker events --since 0 --until $(($(date +%s) + 1)) -f container=but -f event=start --format x | wc -l)"
docker run --rm busybox true
metrics=$(curl -s http://127.0.0.1:18970/metrics)
metric() { grep -F -- "$1 " <<<"$metrics" | sed 's/.* //'; }
is "--metrics-addr: containers" 2 "$(($(for s in running paused stopped; do metric "engine_daemon_container_states_containers{state=\"$s\"}"; done | paste -sd+)))"
is "  what was done" "3 1" "$(for a in create delete; do metric "engine_daemon_container_actions_seconds_count{action=\"$a\"}"; done | xargs)"
like "  restarts are starts as well" '^([4-9]|[1-9][0-9]+)$' "$(metric 'engine_daemon_container_actions_seconds_count{action="start"}')"
like "  health checks" '^[1-9]' "$(metric engine_daemon_health_checks_total)"
like "  who says so" 'engine_daemon_engine_info\{architecture="[^"]+",.*graphdriver="overlay2",.*version="28\.[0-9.]+"\} 1' "$metrics"
like "  the process" '^process_resident_memory_bytes [1-9]' "$metrics"
is "  is no API" "404 404 405" "$(for u in version v1.51/metrics; do curl -so /dev/null -w '%{http_code} ' http://127.0.0.1:18970/$u; done; curl -so /dev/null -w '%{http_code}' -X POST http://127.0.0.1:18970/metrics)"
docker rm -f $(docker ps -aq) >/dev/null
finish
