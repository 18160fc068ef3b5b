# SPDX-License-Identifier: Apache-2.0
# Images mounted into containers: with every storage driver that works here, over restarts, kills and forced removal of the image.
. "$TOP/tests/lib/system.sh"

# The CLI before 28 can't ask for it. PATH of the API's, name, members of Mounts, command as JSON
make() { # NAME MOUNTS COMMAND
	api POST "${version:-/v1.48}/containers/create?name=$1" -H 'Content-Type: application/json' \
		-d "{\"Image\":\"busybox\",\"Cmd\":[\"sh\",\"-c\",\"$3\"],\"HostConfig\":{\"Mounts\":[$2]}}"
}
x='{"Type":"image","Source":"tools","Target":"/x"}'
run_it() { # NAME MOUNTS COMMAND
	make "$1" "$2" "$3" >"$R/made"
	docker start -a "$1" 2>&1
	docker rm "$1" >/dev/null
}
build() {
	make_image
	mkdir -p "$R/tools/data/sub" && echo hello >"$R/tools/data/f" && echo deep >"$R/tools/data/sub/g"
	ln -sfn /etc "$R/tools/out" && ln -sfn data "$R/tools/in"
	tar -C "$R/tools" -c . | docker import - base >/dev/null
	docker run --name c1 -v "$R/root/bin:/bin:ro" base /bin/sh -c 'echo second >/data/second; rm /data/sub/g' && docker commit c1 tools >/dev/null && docker rm c1 >/dev/null
}

for driver in overlay2 vfs btrfs; do
	if [ $driver = btrfs ]; then
		mkdir -p "$R/data" && mv "$R/data" "$R/others" && mkdir "$R/data"
		if ! { truncate -s 512M "$R/disk" && mkfs.btrfs -q "$R/disk" >/dev/null && mount -o loop "$R/disk" "$R/data"; } 2>/dev/null; then
			skip btrfs "no mkfs.btrfs or no loop device here"
			rmdir "$R/data" && mv "$R/others" "$R/data"
			continue
		fi
	fi
	start_daemon "\"live-restore\": true, \"storage-driver\": \"$driver\""
	build
	is "$driver: the image's files, all layers" $'f\nsecond\nsub\n' "$(run_it m1 "$x" 'ls /x/data; ls /x/data/sub')"$'\n'
	like "$driver: a warning as moby's" '"Warnings":\["Image mount is an experimental feature"\]' "$(cat "$R/made")"
	like "$driver: read-only" 'Read-only file system' "$(run_it m1 "$x" 'echo >/x/data/new')"
	is "$driver: a subpath" hello "$(run_it m1 '{"Type":"image","Source":"tools","Target":"/x","ImageOptions":{"Subpath":"data"}}' 'cat /x/f')"
	is "$driver: a file" hello "$(run_it m1 '{"Type":"image","Source":"tools:latest","Target":"/x","ImageOptions":{"Subpath":"in/f"}}' 'cat /x')"
	is "$driver: twice, and the container's own image" $'hello\nsh' \
		"$(run_it m1 "$x,{\"Type\":\"image\",\"Source\":\"tools\",\"Target\":\"/y\"},{\"Type\":\"image\",\"Source\":\"busybox\",\"Target\":\"/z\",\"ImageOptions\":{\"Subpath\":\"bin\"}}" 'cat /y/data/f; ls /z | grep ^sh$')"
	is "$driver: two containers share it" "hello hello" "$(make m1 "$x" 'sleep 1000' >/dev/null; docker start m1 >/dev/null; run_it m2 "$x" 'cat /x/data/f') $(docker exec m1 cat /x/data/f)"
	kill_daemon
	start_daemon "\"live-restore\": true, \"storage-driver\": \"$driver\""
	is "$driver: it is there after kill -9 of dockerd" hello "$(docker exec m1 cat /x/data/f)"
	is "$driver: and can be mounted again" hello "$(run_it m2 "$x" 'cat /x/data/f')"
	status "$driver: the image is in use" 1 docker rmi tools
	like "$driver: says moby's words" 'conflict: unable to remove repository reference "tools" \(must force\) - container .* is using its referenced image' "$out"
	docker rm -f m1 >/dev/null
	is "$driver: nothing is mounted any more, once the image can be removed" "" "$(docker tag tools t2; docker rmi t2 >/dev/null; docker rmi base >/dev/null 2>&1; left_mounts | grep -v '/mounts/shm$' | grep -v "$R/data\(/$driver\)*\$" )"
	make held "$x" 'cat /x/data/f' >/dev/null
	docker rmi -f tools >/dev/null
	is "$driver: the image removed by force, the container keeps the files" hello "$(docker start -a held)"
	stop_daemon
	start_daemon "\"storage-driver\": \"$driver\""
	is "$driver: after a restart as well" hello "$(docker start -a held)"
	docker rm held >/dev/null
	is "$driver: they go with it" "" "$(stop_daemon; ls "$R/data/image/$driver/held")"
	if [ $driver = btrfs ]; then umount "$R/data" && rmdir "$R/data" && mv "$R/others" "$R/data"; fi
done

start_daemon '"live-restore": true, "storage-driver": "overlay2"'
build
subpath() { run_it m1 "{\"Type\":\"image\",\"Source\":\"tools\",\"Target\":\"/x\",\"ImageOptions\":{\"Subpath\":\"$1\"}}" 'ls /x'; }
like "a subpath that is not there" 'cannot access path .*/nope: lstat .*/nope: no such file or directory' "$(subpath nope)"
like "a link of the image does not lead out of it" 'cannot access path .*/out/hostname: lstat .*: no such file or directory' "$(subpath out/hostname)"
like "nor dots" 'invalid mount config for type \\"image\\": subpath must be a relative path within the volume' \
	"$(make m2 '{"Type":"image","Source":"tools","Target":"/x","ImageOptions":{"Subpath":"../x"}}' x)"
like "no such image" '"No such image: nope:latest"' "$(make m2 '{"Type":"image","Source":"nope","Target":"/x"}' x)"
like "no image" 'field Source must not be empty' "$(make m2 '{"Type":"image","Target":"/x"}' x)"
like "an older API" '"Mount type \\"Image\\" needs API v1.48 or newer"' "$(version=/v1.47 make m2 "$x" x)"
is "nothing is left of what was refused" "" "$(ls "$R/data/image/overlay2/held")"

make m1 "{\"Type\":\"image\",\"Source\":\"tools\",\"Target\":\"/x\",\"ImageOptions\":{\"Subpath\":\"data\"}}" 'sleep 1000' >/dev/null
like "inspect" "^\[\{\"Type\":\"image\",\"Name\":\"tools\",\"Source\":\"$R/data/overlay2/[^\"]*\",\"Destination\":\"/x\",\"Mode\":\"\",\"RW\":false,\"Propagation\":\"rprivate\"\}\]\$" \
	"$(docker inspect -f '{{json .Mounts}}' m1)"
is "docker cp out of it, of the subpath" hello "$(docker cp m1:/x/f - | tar -xO)"
status "docker cp into it" 1 docker cp "$R/tools/data/f" m1:/x/new
like "says so" 'mounted volume is marked read-only' "$out"
docker start m1 >/dev/null
is "--volumes-from takes it along" $'f\nsecond\nsub' "$(docker run --rm --volumes-from m1 busybox ls /x)"
status "a running container's image can't be removed by force" 1 docker rmi -f "$(docker inspect -f "{{.Id}}" tools)"
like "says so, too" 'image is being used by running container' "$out"
kill_daemon
docker_pid=$(left_processes | sed -n 's/process \([0-9]*\):.*dockerd-shim.*/\1/p')
kill -9 $docker_pid
start_daemon
is "container and daemon killed: nothing is mounted" "" "$(docker rm -f m1 >/dev/null; docker rmi -f tools >/dev/null; left_mounts)"
finish
