# SPDX-License-Identifier: Apache-2.0
# Plugins of the classic socket protocol, as processes: volumes of plugins, against kill -9 as well.
. "$TOP/tests/lib/system.sh"
sockets=$R/plugins specs=$R/specs
mkdir -p "$sockets/deep" "$specs" "$R/p1" "$R/p2" "$R/p3"
plugins=
# plugin LISTEN ROOT KIND...: its pid is in $plugin
plugin() {
	plugin=$("$BUILD/tests/lib/plugin" "$@") || { fail "plugin starts"; exit 1; }
	plugins="$plugins $plugin"
}
trap 'kill $plugins 2>/dev/null' EXIT
end_plugins() {
	local p
	kill $plugins
	for p in $plugins; do wait_pid "$p"; done
	plugins=
}
asked() { grep -c "^/$1 " "$R/p1/log"; }
seen() { [ "$(grep -m"${3:-1}" -- "$1" < <(timeout 60 tail -n +1 -f "$2") | wc -l)" = "${3:-1}" ]; } # PATTERN FILE [COUNT]: waits until it is there
mounts() { ls "$R/p1/mounts" | tr '\n' ' '; }
start_daemon
make_image
cd "$R" || exit 1

# found: as a socket, as a socket in a directory of its own, by an address in a file
status "nobody is there" 1 docker volume create -d one x1
like "in moby's words" 'create x1: error looking up volume plugin one: plugin "one" not found' "$out"
plugin "$sockets/one.sock" "$R/p1" VolumeDriver
plugin "$sockets/deep/deep.sock" "$R/p2" VolumeDriver
plugin tcp:41999 "$R/p3" VolumeDriver
echo ' tcp://127.0.0.1:41999 ' >"$specs/bytcp.spec"
printf '{"Name": "x", "Addr": "unix://%s"}\n' "$sockets/one.sock" >"$specs/byjson.json"
printf '{"Addr": "tcp://127.0.0.1:1", "TLSConfig": {"InsecureSkipVerify": true}}\n' >"$specs/bytls.json"
echo nowhere >"$specs/odd.spec"
for p in one deep bytcp byjson; do works "plugin $p" docker volume create -d $p -o k=v "of-$p"; done
is "asked to activate once" 2 "$(asked Plugin.Activate)" # as one, and as byjson
is "and told of options" '{"Name":"of-one","Opts":{"k":"v"}}' "$(sed -n 's|^/VolumeDriver.Create ||p' "$R/p1/log" | head -1)"
status "TLS is refused" 1 docker volume create -d bytls x1
like "clearly" "legacy plugin: .*bytls.json: TLSConfig: plugins are not asked over TLS" "$out"
status "an address that is none" 1 docker volume create -d odd x1
like "in moby's words" "error looking up volume plugin odd: legacy plugin: Unknown protocol" "$out"
plugin "$sockets/authz1.sock" "$R/p2" authz
status "of another kind" 1 docker volume create -d authz1 x1
like "in moby's words" 'legacy plugin: Plugin does not implement the requested driver: plugin="authz1", requested implementation="VolumeDriver"' "$out"
status "no path" 1 docker volume create -d ../plugins/one x1
like "is a name" 'plugin "../plugins/one" not found' "$out"
is "known plugins" "byjson bytcp deep local one" "$(docker info -f '{{join .Plugins.Volume " "}}')"

# errors of plugins
while IFS='|' read -r name words; do
	status "refused: $words" 1 docker volume create -d one "$name"
	like "in its words" "create $name: $words\$" "$out"
done <<-'EOT'
	bad1|no luck
	worse1|VolumeDriver.Create: less luck
	plain1|VolumeDriver.Create: plain text
	garbage1|VolumeDriver.Create: unexpected end of JSON input
	cut1|Post "http://plugin.moby.localhost/VolumeDriver.Create": unexpected EOF
	lie1|Post "http://plugin.moby.localhost/VolumeDriver.Create": unexpected EOF
	huge1|Post "http://plugin.moby.localhost/VolumeDriver.Create": the reply is larger than 16 MiB
EOT
status "the name is taken" 1 docker volume create -d deep of-one
like "says so" "create of-one: driver 'one' already has volume 'of-one': volume name must be unique" "$out"
docker volume create mine >/dev/null
status "by a local one" 1 docker volume create -d one mine
like "says so" "driver 'local' already has volume 'mine': volume name must be unique" "$out"

# lists, inspect
docker volume create -d one --label a=b lab >/dev/null
mkdir "$R/p1/volumes/unheard" # made behind our back
is "list" "byjson:unheard deep:of-deep local:mine" "$(docker volume ls --format '{{.Driver}}:{{.Name}}' | grep -E 'unheard|deep|mine' | sed 's/one:unheard/byjson:unheard/' | sort -u | tr '\n' ' ' | sed 's/ $//')"
is "filter driver" of-deep "$(docker volume ls -q -f driver=deep)"
is "filter label" lab "$(docker volume ls -q -f label=a=b)"
is "mountpoint" "$R/p1/volumes/lab" "$(docker volume ls -f name=^lab\$ --format '{{.Mountpoint}}')"
is "inspect" "one global 2020-01-02T03:04:05Z map[kind:test mounts:0] map[a:b]" \
	"$(docker volume inspect -f '{{.Driver}} {{.Scope}} {{.CreatedAt}} {{.Status}} {{.Labels}}' lab)"
like "what nobody has heard of" "get nothing: no such volume" "$(docker volume inspect nothing 2>&1)"
like "found by asking around" "^(one|byjson)\$" "$(docker volume inspect -f '{{.Driver}}' unheard)"
works "used without naming its driver" docker run --rm -v unheard:/x busybox touch /x/f
is "where the plugin has it" f "$(ls "$R/p1/volumes/unheard")"
is "and given back" "" "$(mounts)"
rm "$specs/byjson.json"

# containers
works "run" docker run -d --stop-signal KILL --name c1 -v c1v:/x -v c1v:/y --volume-driver one busybox sleep 1000
: >"$R/p1/log"
is "a mount for each place" 2 "$(ls "$R/p1/mounts" | grep -c '^c1v,[0-9a-f]\{64\}$')"
docker exec c1 touch /x/f
is "the same volume" f "$(docker exec c1 ls /y)"
is "inspect of the container" "one c1v  true" "$(docker inspect -f '{{with index .Mounts 0}}{{.Driver}} {{.Name}} {{.Mode}} {{.RW}}{{end}}' c1)"
before=$(mounts)
is "cp has mounts of its own" "f" "$(docker cp c1:/x/f - | tar t)"
seen '^done /VolumeDriver.Unmount .*c1v' "$R/p1/log" 2
is "and gives them back" "$before" "$(mounts)"
is "status counts" 2 "$(docker volume inspect -f '{{.Status.mounts}}' c1v)"
status "in use" 1 docker volume rm c1v
like "in moby's words" "remove c1v: volume is in use - \[[0-9a-f]{64}\]" "$out"
docker stop -t 0 c1 >/dev/null
is "unmounted at the stop" "" "$(mounts)"
docker rm c1 >/dev/null
works "removed" docker volume rm c1v
is "the plugin has it no more" "" "$(ls "$R/p1/volumes" | grep '^c1v$')"
works "--mount" docker run --rm --mount type=volume,src=mv,dst=/x,volume-driver=one,volume-opt=a=b busybox true
like "with options" '"Name":"mv","Opts":\{"a":"b"\}' "$(cat "$R/p1/log")"
works "anonymous" docker run --rm -v /x --volume-driver one busybox true
is "goes with its container" "" "$(ls "$R/p1/volumes" | grep -E '^[0-9a-f]{64}$')"
works "copy-up" docker run --rm -v filled:/bin --volume-driver one busybox test -e /bin/busybox
like "into the plugin's volume" busybox "$(ls "$R/p1/volumes/filled")"
status "can't be mounted" 125 docker run --name unm -v unm1:/x --volume-driver one busybox true
like "in moby's words" "error while mounting volume '': can't mount" "$out"
is "nothing stays" "" "$(mounts)"
docker rm unm >/dev/null
docker volume create -d one keep1 >/dev/null
status "can't be removed" 1 docker volume rm keep1
like "in its words" "remove keep1: kept" "$out"
docker volume rm -f keep1 >/dev/null 2>&1
is "by force: only its record goes" "map[]" "$(docker volume inspect -f '{{.Labels}}' keep1)"
is "prune leaves plugins alone" "" "$(docker volume prune -af | grep lab)"
like "events" "create one,mount one,unmount one,destroy one" \
	"$(docker volume create -d one ev >/dev/null; docker run --rm -v ev:/x busybox true; docker volume rm ev >/dev/null
	timeout 20 "$DOCKER" events --since 0 --until "$(date +%s.%N)" --filter type=volume --filter volume=ev --format '{{.Action}} {{.Actor.Attributes.driver}}' | tr '\n' ',')"

# one that hangs holds up who asks it, and nobody else
plugin "$sockets/slow.sock" "$R/p1" VolumeDriver
mkfifo "$R/p1/go"
docker volume create -d slow slow1 >/dev/null
docker create --name hung -v slow1:/x busybox true >/dev/null
docker start hung >"$R/hung" 2>&1 &
job=$!
seen '^/VolumeDriver.Mount .*slow1' "$R/p1/log"
works "meanwhile: a list" docker volume ls
works "a volume of the same plugin" docker volume create -d slow quick
works "a container" docker run --rm -v mine:/x busybox true
works "with a volume of the same plugin" docker run --rm -v quick:/x busybox true
works "the volume itself" docker volume inspect slow1
echo >"$R/p1/go"
wait $job
is "then it starts" hung "$(cat "$R/hung")"
docker rm -f hung >/dev/null

# away and back again
docker run -d --stop-signal KILL --name stays -v lab:/x busybox sleep 1000 >/dev/null
end_plugins
status "a plugin that is not up" 1 docker volume inspect lab
like "in moby's words" "get lab: error while checking if volume \"lab\" exists in driver \"one\": Post \"http://plugin.moby.localhost/VolumeDriver.Get\": dial unix $sockets/one.sock: connect: connection refused" "$out"
like "listed from memory" "^lab\$" "$(docker volume ls -q 2>/dev/null)"
like "with a warning" '"list one: Post .*VolumeDriver.List.*connection refused' "$(api GET /v1.51/volumes)"
works "local ones are made as ever" docker volume create other
status "the name stays taken" 1 docker volume create lab
like "in moby's words" "create lab: found reference to volume 'lab' in driver 'one', but got an error while checking the driver: error while checking if .*connection refused: volume name must be unique" "$out"
plugin "$sockets/one.sock" "$R/p1" VolumeDriver
is "asked again" 1 "$(docker volume inspect -f '{{.Status.mounts}}' lab)"
docker rm -f stays >/dev/null
is "and unmounted" "" "$(mounts)"
rm -r "$R/p1/volumes/lab"
like "lost by the plugin" "get lab: no such volume" "$(docker volume inspect lab 2>&1)"
rm -f "$sockets/slow.sock" "$sockets/authz1.sock" "$sockets/deep/deep.sock" "$specs"/*

# one that comes up late is waited for
stop_daemon
end_plugins
DOCKERD_PLUGIN_PATIENCE=30 start_daemon
docker volume create -d one late >"$R/late" 2>&1 &
job=$!
seen "plugin is not up: trying again" "$R/log"
plugin "$sockets/one.sock" "$R/p1" VolumeDriver
wait $job
is "late" late "$(cat "$R/late")"

# kill -9: no mount outlives its container
docker volume create -d one killed >/dev/null
docker create --name k1 -v killed:/x busybox sleep 1000 >/dev/null
for at in volume.mount.recorded volume.mount.plugin container.start.volumes container.start.created container.start.saved container.start.started; do
	stop_daemon
	DOCKERD_FAULT=$at=kill start_daemon
	: >"$R/p1/log"
	docker start k1 >/dev/null 2>&1
	wait_pid "$daemon"
	[ $at = volume.mount.recorded ] || like "killed at $at: mounted" '^killed,' "$(mounts)"
	start_daemon
	seen '^done /VolumeDriver.Unmount .*killed' "$R/p1/log"
	is "killed at $at: nothing stays mounted" "" "$(mounts)"
	is "unmounted once" 1 "$(asked VolumeDriver.Unmount)"
	works "and it starts" docker start k1
	docker stop -t 0 k1 >/dev/null
done
stop_daemon
DOCKERD_FAULT=volume.create.plugin=kill start_daemon
docker volume create -d one --label a=b broken >/dev/null 2>&1
wait_pid "$daemon"
start_daemon
is "killed between the plugin's creation and the record: it is found" "one map[]" "$(docker volume inspect -f '{{.Driver}} {{.Labels}}' broken)"
stop_daemon
DOCKERD_FAULT=volume.remove.plugin=kill start_daemon
docker volume rm broken >/dev/null 2>&1
wait_pid "$daemon"
start_daemon
unlike "killed between its removal and the record's: it is gone" "^broken\$" "$(docker volume ls -q)"
works "its name is free" docker volume create -d local broken
stop_daemon
start_daemon '"live-restore": true'
docker start k1 >/dev/null
before=$(mounts)
kill_daemon
: >"$R/p1/log"
start_daemon '"live-restore": true'
is "live-restore: the mount goes on" "$before" "$(mounts)"
docker exec k1 touch /x/alive
is "and the container" alive "$(ls "$R/p1/volumes/killed")"
docker rm -f k1 >/dev/null
is "unmounted at its end" "1 " "$(asked VolumeDriver.Unmount) $(mounts)"
docker run -d --stop-signal KILL --name k2 -v killed:/x --restart always busybox sleep 1000 >/dev/null
stop_daemon
is "live-restore: not unmounted by a stop" 1 "$(ls "$R/p1/mounts" | wc -l)"
start_daemon
docker rm -f k2 >/dev/null
is "but with the container" "" "$(mounts)"

# one that is down at the end of a container
EXPECTED_ERRORS="plugin did not unmount a volume"
docker run -d --stop-signal KILL --name k3 -v killed:/x busybox sleep 1000 >/dev/null
end_plugins
works "a container stops without it" docker rm -f k3
like "its mount stays" "^killed," "$(mounts)"
plugin "$sockets/one.sock" "$R/p1" VolumeDriver
: >"$R/p1/log"
stop_daemon
start_daemon
seen '^done /VolumeDriver.Unmount .*killed' "$R/p1/log"
is "until the next daemon" "" "$(mounts)"
finish
