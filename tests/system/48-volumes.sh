# SPDX-License-Identifier: Apache-2.0
# Volumes: copy-up, options, labels, filters, prune, events; volumes of other containers.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image
cd "$R" || exit 1

# an image with files worth copying
cp -r root with
mkdir -p with/data/sub with/empty
echo text >with/data/f && chmod 640 with/data/f && chown 5:6 with/data/f && ln with/data/f with/data/hard
ln -s f with/data/l && mkfifo with/data/p && touch -d 2001-02-03 with/data/sub
ln -s /data with/link
chmod 1750 with/data && chown 7:8 with/data && touch -d 2002-03-04 with/data && chown 9:9 with/empty
tar -C with -c . | docker import -c 'VOLUME /data' -c 'CMD ["sh"]' - filled >/dev/null

# copy-up
docker create --name up -v named:/data -v other:/link -v ee:/empty filled true >/dev/null
v=$R/data/volumes
is "the volume has the image's files" "f hard l p sub" "$(ls "$v/named/_data" | tr '\n' ' ' | sed 's/ $//')"
is "its owner and mode" "7:8 1750" "$(stat -c '%u:%g %a' "$v/named/_data")"
is "its time" 2002-03-04 "$(stat -c %y "$v/named/_data" | cut -c1-10)"
is "owner, mode and links of a file" "5:6 640 2" "$(stat -c '%u:%g %a %h' "$v/named/_data/f")"
is "a link" f "$(readlink "$v/named/_data/l")"
is "time of a directory" 2001-02-03 "$(stat -c %y "$v/named/_data/sub" | cut -c1-10)"
is "through a link of the image" text "$(cat "$v/other/_data/f")"
is "an empty directory gives its owner" 9:9 "$(stat -c %u:%g "$v/ee/_data")"
run_is "the container sees it" text -v named:/data filled cat /data/f
run_is "an anonymous one, too" text filled cat /data/f
run_is "nocopy" "" -v bare:/data:nocopy filled ls /data
docker run --rm -v bare:/data busybox touch /data/mine
run_is "what is not empty stays" mine -v bare:/data filled ls /data
mkdir host
run_is "a bind gets nothing" "" -v "$R/host:/data" filled ls /data
status "a file is no directory" 1 docker create -v onfile:/etc/passwd filled
like "says so" "/etc/passwd is not directory" "$out"
is "nothing is left of the copies" "" "$(ls -A "$v" | grep '^\.')"
docker rm -v up >/dev/null

# subpaths
docker run --rm -v parts:/v busybox sh -c 'mkdir -p /v/a/b; echo deep >/v/a/b/f; ln -s /etc /v/out; ln -s a/b /v/in'
sub() { docker run --rm --mount "type=volume,src=parts,dst=/x,volume-subpath=$1" busybox cat "/x${2-}" 2>&1; }
is "a directory of a volume" deep "$(sub a/b /f)"
is "a file" deep "$(sub a/b/f)"
is "a link inside" deep "$(sub in /f)"
like "a link that leads out leads nowhere" "cannot access path .*/parts/_data/out: lstat .*/out: no such file or directory" "$(sub out /passwd)"

# copy-up against kill -9: empty or full, never half
for at in volume.fill.copied volume.fill.complete volume.fill.moving; do
	stop_daemon
	DOCKERD_FAULT=$at=kill start_daemon
	docker create -v "k-$at:/data" filled true >/dev/null 2>&1
	wait_pid "$daemon"
	start_daemon
	case $at in
	*copied) is "killed at $at: empty" "" "$(ls -A "$v/k-$at/_data")" ;;
	*) is "killed at $at: full" "f hard l p sub 7:8" "$(echo $(ls -A "$v/k-$at/_data") $(stat -c %u:%g "$v/k-$at/_data"))" ;;
	esac
	run_is "and then it is used" text -v "k-$at:/data" filled cat /data/f
	is "nothing is left" "" "$(ls -A "$v" | grep '^\.')"
done

# the API: labels, options, filters
docker volume create --label a=b --label c lab >/dev/null
docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=33 tmp >/dev/null
is "labels" "b" "$(docker volume inspect -f '{{.Labels.a}}' lab)"
is "options" "size=1m,uid=33" "$(docker volume inspect -f '{{.Options.o}}' tmp)"
is "opts.json" '{"MountType":"tmpfs","MountOpts":"size=1m,uid=33","MountDevice":"tmpfs","Quota":{"Size":0}}' "$(cat "$v/tmp/opts.json")"
is "filter label" lab "$(docker volume ls -q -f label=a=b -f label=c)"
is "another value" "" "$(docker volume ls -q -f label=a=c)"
is "filter name" "lab tmp" "$(echo $(docker volume ls -q -f 'name=^la' -f name=tm))"
is "filter driver" "" "$(docker volume ls -q -f driver=x)"
like "a filter that is none" "invalid filter 'x'" "$(docker volume ls -f x=y 2>&1)"
like "dangling of nothing" "invalid filter 'dangling=\[x\]'" "$(docker volume ls -f dangling=x 2>&1)"
while IFS='|' read -r words options; do
	status "refused: $words" 1 docker volume create $options bad
	like "in moby's words" "create bad: $words" "$out"
done <<-'EOF'
	invalid option: "typo"|-o typo=1
	missing required option: "device"|-o type=nfs
	missing required option: "type"|-o device=/x
	invalid size: 'abc'|-o size=abc
	error looking up volume plugin nope: plugin "nope" not found|-d nope
EOF
status "a used one stays" 1 docker volume rm "$(docker inspect -f '{{(index .Mounts 0).Name}}' "$(docker create -v used:/x busybox true)")"
like "in moby's words" "remove used: volume is in use - \[[0-9a-f]{64}\]" "$out"
stop_daemon
start_daemon
is "labels after a restart" "b" "$(docker volume inspect -f '{{.Labels.a}}' lab)"
is "options after a restart" "tmpfs" "$(docker volume inspect -f '{{.Options.type}}' tmp)"

# mounted at the first use, unmounted at the last
works "tmpfs" docker run -d --stop-signal KILL --name t1 -v tmp:/x busybox sleep 1000
works "in two containers" docker run -d --stop-signal KILL --name t2 -v tmp:/x busybox sleep 1000
like "is a tmpfs" "^tmpfs /x tmpfs .*size=1024k,uid=33" "$(docker exec t1 cat /proc/mounts)"
docker exec t1 touch /x/shared
is "the same one" shared "$(docker exec t2 ls /x)"
docker rm -f t1 >/dev/null
like "stays for the other" " $v/tmp/_data " "$(cat /proc/self/mountinfo)"
kill_daemon
start_daemon
docker rm -f t2 >/dev/null 2>&1
unlike "is gone with the last" " $v/tmp/_data " "$(cat /proc/self/mountinfo)"
mkdir dev && echo dev >dev/f
docker volume create -o type=none -o o=bind,ro -o device="$R/dev" bound >/dev/null
run_is "a bind" dev -v bound:/x busybox cat /x/f
run_like "read-only" "Read-only" -v bound:/x busybox touch /x/g
docker volume create -o type=none -o o=bind -o device="$R/nope" missing >/dev/null
run_like "a device that is missing" "error while mounting volume '$v/missing/_data': failed to mount local volume: mount $R/nope:$v/missing/_data, flags: 0x1000: no such file or directory" -v missing:/x busybox true

# volumes-from
docker create --name from -v named:/n -v "$R/dev:/b:ro" -v /anon busybox true >/dev/null
docker run --rm --volumes-from from busybox touch /anon/x
run_is "volumes-from: all" "f dev x" --volumes-from from busybox sh -c 'echo $(basename /n/f) $(cat /b/f) $(ls /anon)'
run_like "read-only" "Read-only" --volumes-from from:ro busybox touch /n/g
run_is "our own win" "" --volumes-from from -v fresh:/n busybox ls /n
status "from nobody" 1 docker create --volumes-from nobody busybox true
like "says so" "No such container: nobody" "$out"
docker run -d --stop-signal KILL --name heir --volumes-from from busybox sleep 1000 >/dev/null
docker rm -v from >/dev/null
docker restart -t 0 heir >/dev/null
is "an heir keeps them" x "$(docker exec heir ls /anon)"
docker rm -fv heir >/dev/null

# prune, df, events
docker volume create >/dev/null
is "df" 1 "$(api GET '/v1.51/system/df?type=volume' | grep -o '"Name":"named".*' | grep -c '"UsageData":{"RefCount":0,"Size":[1-9]')"
is "prune takes the anonymous" 1 "$(api POST /v1.51/volumes/prune | grep -oE '"[0-9a-f]{64}"' | wc -l)"
like "not the named" '^named$' "$(docker volume ls -q)"
like "with a label" '"VolumesDeleted":\["lab"\]' "$(api POST '/v1.51/volumes/prune?filters=%7B%22all%22%3A%5B%221%22%5D%2C%22label%22%3A%5B%22a%22%5D%7D')"
api POST /v1.41/volumes/prune >/dev/null
is "an old client's: all that are unused and have no options" "bound missing tmp used" "$(echo $(docker volume ls -q))"
docker run --name ev -v ev:/x busybox true
docker rm ev >/dev/null
docker volume rm ev >/dev/null
is "events" "create mount unmount destroy" "$("$DOCKER" events --since 0 --until "$(date +%s.%N)" --filter type=volume --filter volume=ev --format '{{.Action}}' | head -4 | tr '\n' ' ' | sed 's/ $//')"
finish
