# SPDX-License-Identifier: Apache-2.0
# Log drivers beside json-file.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

# local
docker run --name lo --log-driver local busybox sh -c 'echo one; echo two >&2; head -c 40000 /dev/zero | tr "\0" x; echo; printf end' >/dev/null 2>&1
is "local: both streams" "one two" "$(echo $(docker logs lo 2>&1 | grep -xE 'one|two' | sort))"
is "a long line is whole" 40000 "$(docker logs lo 2>/dev/null | awk 'length > 100 { print length }')"
is "the end without a newline" end "$(docker logs lo 2>/dev/null | tail -c 3)"
is "stderr alone" two "$(docker logs lo 2>&1 >/dev/null)"
docker run --name pa --log-driver local busybox sh -c 'head -c 40000 /dev/zero | tr "\0" x; echo; printf end' >/dev/null 2>&1
is "--tail counts parts of lines as moby" end "$(docker logs --tail 1 pa 2>/dev/null)"
like "--timestamps" '^20[0-9-]*T[0-9:.]*Z one$' "$(docker logs -t lo 2>/dev/null | head -1)"
is "--since the future" "" "$(docker logs --since 2100-01-01 lo 2>&1)"
is "no LogPath" "" "$(docker inspect -f '{{.LogPath}}' lo)"
is "json-file has one" "$R/data" "$(docker run --name js busybox true; docker inspect -f '{{.LogPath}}' js | sed 's,/containers/.*-json.log$,,')"
docker run --name ro --log-driver local --log-opt max-size=2k --log-opt max-file=3 busybox sh -c 'i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done' >/dev/null
is "rotated and compressed" "container.log container.log.1.gz container.log.2.gz" "$(echo $(ls "$R/data/containers/$(docker inspect -f '{{.Id}}' ro)/local-logs"))"
is "read across files, the oldest gone" "line 171 line 299 129" "$(docker logs ro | sed -n '1p;$p' | xargs) $(docker logs ro | wc -l)"
is "--tail across files" "line 200" "$(docker logs --tail 100 ro | head -1)"
docker run -d --name fo --log-driver local --log-opt max-size=1k --stop-signal KILL busybox sh -c 'read x; i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done; echo done; exec sleep 600' </dev/null >/dev/null
is "a follower goes on over rotations" done "$(lines_until fo done | tail -1)"
for bad in "max-size=x|invalid value for max-size: x: invalid size: 'x'" "max-file=1|compression cannot be enabled when max file count is 1" \
	'compress=x|error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax'; do
	docker create --name bad --log-driver local --log-opt "${bad%%|*}" busybox true >/dev/null
	like "refused at the start: ${bad%%|*}" "failed to create task for container: failed to initialize logging driver: ${bad#*|}" "$(docker start bad 2>&1)"
	docker rm bad >/dev/null
done
works "options of the cache mean nothing to a driver that reads" docker create --name bad --log-opt cache-max-size=1k --log-opt cache-disabled=true busybox true
docker rm bad >/dev/null
like "but are looked at" "invalid value for option cache-disabled: x" "$(docker create --log-driver local --log-opt cache-disabled=x busybox true 2>&1)"
docker run -d --name ki --log-driver local --stop-signal KILL busybox sh -c 'echo before; exec sleep 600' >/dev/null
wait_log ki before
printf '\0\0\0\031half' >>"$R/data/containers/$(docker inspect -f '{{.Id}}' ki)/local-logs/container.log"
docker restart -t 0 ki >/dev/null
is "half a record behind a kill goes" "before before" "$(echo $(lines_until ki before; wait_log ki before 2; docker logs ki | tail -1))"
finish
