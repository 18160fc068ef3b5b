# SPDX-License-Identifier: Apache-2.0
# A container's life: ps, stop, kill, wait, pause, rename, events, inspect, restart policies.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

begin=$(date +%s.%N)
docker run -d --name c1 --label role=web busybox sleep 1000 >/dev/null
docker create --name c2 --label role=db busybox sh -c 'exit 3' >/dev/null
docker run --name c3 busybox sh -c 'exit 4'
is "ps" c1 "$(docker ps --format '{{.Names}}')"
is "ps -a, newest first" "c3 c2 c1" "$(echo $(docker ps -a --format '{{.Names}}'))"
is "ps -q --no-trunc" "$(docker inspect -f '{{.Id}}' c1)" "$(docker ps -q --no-trunc)"
is "ps -n" c3 "$(docker ps -n 1 --format '{{.Names}}')"
is "ps filter: label" c2 "$(docker ps -a -f label=role=db --format '{{.Names}}')"
is "ps filter: label key" "c2 c1" "$(echo $(docker ps -a -f label=role --format '{{.Names}}'))"
is "ps filter: name" c3 "$(docker ps -a -f name=3 --format '{{.Names}}')"
is "ps filter: status" c2 "$(docker ps -a -f status=created --format '{{.Names}}')"
is "ps filter: exited code" c3 "$(docker ps -a -f exited=4 --format '{{.Names}}')"
is "ps filter: ancestor" 3 "$(docker ps -aq -f ancestor=busybox | wc -l)"
is "ps filter: before" c1 "$(docker ps -a -f before=c2 --format '{{.Names}}')"
is "ps filter: since" c3 "$(docker ps -a -f since=c2 --format '{{.Names}}')"
is "ps filter: id" c1 "$(docker ps -a -f id="$(docker inspect -f '{{.Id}}' c1)" --format '{{.Names}}')"
status "ps filter: unknown" 1 docker ps -f nosuch=1
like "is refused" "invalid filter 'nosuch'" "$out"
like "ps: status of the dead" '^Exited \(4\) (Less than a second|[0-9]+ seconds?|About a minute) ago$' "$(docker ps -a -f name=c3 --format '{{.Status}}')"
like "ps: status of the living" '^Up (Less than a second|[0-9]+ seconds?|About a minute)' "$(docker ps --format '{{.Status}}')"
is "ps: command" '"sleep 1000"' "$(docker ps --format '{{.Command}}')"

works "start" docker start c2
is "wait" 3 "$(docker wait c2)"
is "wait of the dead" 4 "$(docker wait c3)"
status "start -a gives the code" 3 docker start -a c2
"$DOCKER" wait c1 >"$R/waited" &
waiting=$!
docker top c1 >"$R/top"
like "top" 'sleep 1000' "$(cat "$R/top")"
like "top with ps options" '^ *PID +COMMAND|PID.*ARGS|PID.*COMMAND' "$(docker top c1 -o pid,args)"
works "pause" docker pause c1
is "is paused" "paused true" "$(docker inspect -f '{{.State.Status}} {{.State.Paused}}' c1)"
like "ps says so" '\(Paused\)' "$(docker ps -f name=c1 --format '{{.Status}}')"
status "exec in it is refused" 1 docker exec c1 true
like "with moby's words" 'is paused, unpause the container before exec' "$out"
works "unpause" docker unpause c1
is "goes on" running "$(docker inspect -f '{{.State.Status}}' c1)"
works "rename" docker rename c1 renamed
is "by its new name" renamed "$(docker ps --format '{{.Names}}')"
works "and back" docker rename renamed c1
status "rm of the living is refused" 1 docker rm c1
like "with moby's words" 'cannot remove container "/?c1": container is running: stop the container before removing or force remove|You cannot remove a running container' "$out"
works "kill" docker kill c1
wait $waiting
is "a waiter has 137" 137 "$(cat "$R/waited")"
is "inspect has 137" "exited 137" "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' c1)"
status "kill of the dead" 1 docker kill c1
like "is refused" 'is not running' "$out"
works "restart of the dead starts" docker restart c1
docker exec c1 true
is "runs" running "$(docker inspect -f '{{.State.Status}}' c1)"
works "stop -t 0" docker stop -t 0 c1
is "stop by KILL is 137" 137 "$(docker inspect -f '{{.State.ExitCode}}' c1)"
docker run -d --name c4 busybox sh -c 'trap "exit 8" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 1000 & wait $!; done' >/dev/null
wait_log c4 up
docker kill -s USR1 c4 >/dev/null
works "kill -s" wait_log c4 usr1
status "kill -s of no signal" 1 docker kill -s NOSUCH c4
like "is refused" 'cannot kill container: c4: invalid signal: NOSUCH' "$out"
works "stop" docker stop -t 30 c4
is "stop by TERM has the program's code" 8 "$(docker inspect -f '{{.State.ExitCode}}' c4)"
works "rm of several" docker rm c2 c3
status "inspect of nothing" 1 docker inspect nothinghere
like "says so" 'No such object: nothinghere' "$out"
status "rm of nothing" 1 docker rm nothinghere
like "says so" 'No such container: nothinghere' "$out"

# ---- wait conditions (the CLI uses them; here by themselves) --------------------------------------------------------------------------------
id=$(docker create --rm busybox sh -c 'exit 6')
api POST "/v1.43/containers/$id/wait?condition=removed" >"$R/removed" &
w1=$!
api POST "/v1.43/containers/$id/wait?condition=next-exit" >"$R/next" &
w2=$!
# both are known to the daemon when it has answered their heads; the CLI's run relies on the same order
api GET /_ping >/dev/null
docker start "$id" >/dev/null
wait $w1 $w2
like "wait for the next exit" '"StatusCode":6|No such container' "$(cat "$R/next")"
like "wait for the removal" '"StatusCode":6|No such container' "$(cat "$R/removed")"
status "wait for nonsense" 0 api POST "/v1.43/containers/c1/wait?condition=nonsense"
like "is refused" 'invalid condition: \\"nonsense\\"' "$out"

# ---- restart policies -----------------------------------------------------------------------------------------------------------------------
docker run -d --name r1 --restart on-failure:2 busybox sh -c 'echo life; exit 1' >/dev/null
until [ "$(docker inspect -f '{{.State.Status}}' r1)" = exited ]; do docker wait r1 >/dev/null; done
is "on-failure:2 lives three times" 3 "$(docker logs r1 | grep -c life)"
is "and then stays dead" "exited 2 1" "$(docker inspect -f '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}' r1)"
docker run -d --name r2 --restart on-failure busybox sh -c 'exit 0' >/dev/null
docker wait r2 >/dev/null
is "on-failure leaves success alone" "exited 0" "$(docker inspect -f '{{.State.Status}} {{.RestartCount}}' r2)"
docker run -d --name r3 --restart always busybox sh -c 'echo life; exit 0' >/dev/null
works "always lives again" wait_starts r3 2
works "stop ends always" docker stop -t 0 r3
is "for good" false "$(docker inspect -f '{{.State.Running}}' r3)"
docker run -d --name r4 --restart unless-stopped busybox sh -c 'echo life; sleep 1000' >/dev/null
wait_log r4 life
docker exec r4 true
pid=$(docker inspect -f '{{.State.Pid}}' r4)
kill -9 "$pid"
works "unless-stopped lives again after a kill from outside" wait_starts r4 2
docker kill r4 >/dev/null
docker wait r4 >/dev/null
is "docker kill ends it for good" false "$(docker inspect -f '{{.State.Running}}' r4)"
status "--restart with --rm" 125 docker run --rm --restart always busybox true

# ---- events -----------------------------------------------------------------------------------------------------------------------------------
end=$(date +%s.%N)
is "events of a life" "create start kill die" "$(docker events --since "$begin" --until "$end" -f container=c1 --format '{{.Action}}' |
	grep -E '^(create|start|kill|die)$' | head -4 | xargs)"
is "events: rename, pause, unpause" "pause unpause rename rename" "$(docker events --since "$begin" --until "$end" -f container="$(docker inspect -f '{{.Id}}' c1)" \
	-f event=pause -f event=unpause -f event=rename --format '{{.Action}}' | xargs)"
is "events: exit code" 3 "$(docker events --since "$begin" --until "$end" -f event=die --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}' | sed -n 's/c2 //p' | head -1)"
is "events: image" "tag import" "$(docker events --since 0 --until "$end" -f type=image --format '{{.Action}}' | head -2 | xargs)"
"$DOCKER" events -f event=create --format '{{.Actor.Attributes.name}}' >"$R/live" &
live=$!
# the stream is known to be on when an event of it arrived
for i in $(seq 50); do
	docker create --name "ev$i" busybox true >/dev/null
	[ ! -s "$R/live" ] || break
done
like "events as they come" '^ev[0-9]+$' "$(head -1 "$R/live")"
kill $live

# ---- inspect, info, version -----------------------------------------------------------------------------------------------------------------
like "inspect is JSON with the paths" '"LogPath": ".*/containers/[0-9a-f]{64}/[0-9a-f]{64}-json.log"' "$(docker inspect c1)"
like "inspect -s" '"SizeRootFs": [1-9]' "$(docker inspect -s c1)"
is "version" 28 "$(docker version -f '{{.Server.Version}}' | cut -d. -f1)"
works "version in full" docker version
works "info" docker info
like "info: driver" 'Storage Driver: (overlay2|vfs)' "$out"
like "info: counts" 'Containers: [1-9]' "$out"
is "container prune" 0 "$(docker container prune -f >/dev/null; docker ps -aq -f status=exited | wc -l)"
for list in "volume ls" "network ls" "system df" "plugin ls" "image ls"; do
	works "$list" docker $list
done
EXPECTED_ERRORS='nothing' finish
