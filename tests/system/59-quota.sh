# SPDX-License-Identifier: Apache-2.0
# Sizes of local volumes and of containers on overlay2, by project quotas of the file system that holds them: ext4 and XFS, on loop devices.
. "$TOP/tests/lib/system.sh"
filled() { # VOLUME MEGABYTES: how much of that can be written
	docker run --rm -v "$1:/x" busybox sh -c "dd if=/dev/zero of=/x/f bs=1M count=$2 2>&1; sync; stat -c %s /x/f" 2>&1
}
project() { lsattr -pd "$R/data/volumes/$1/_data" | awk '{print $1}'; }

mkdir "$R/data"
start_daemon
status "without project quotas" 1 docker volume create -o size=5m lim
like "in moby's words" "create lim: quota size requested but no quota support" "$out"
make_image
status "a container's size" 125 docker run --rm --storage-opt size=5m busybox true
like "in moby's words, too" "supported only for overlay over xfs with 'pquota' mount option" "$out"
status "an option that no driver has" 125 docker run --rm --storage-opt colour=blue busybox true
like "is named" "Unknown option colour" "$out"
works "no size is none" docker volume create -o size=0 nolim
stop_daemon
rm -rf "$R/data"

for fs in ext4 xfs; do
	options="-q -O quota,project -E quotatype=prjquota"
	[ $fs = ext4 ] || options=-q
	truncate -s 400M "$R/disk"
	mkdir -p "$R/data"
	# shellcheck disable=SC2086
	if ! command -v mkfs.$fs >/dev/null || ! mkfs.$fs $options "$R/disk" >/dev/null || ! mount -o loop,prjquota "$R/disk" "$R/data" 2>/dev/null ||
		! grep -q " $R/data $fs .*prjquota" /proc/mounts; then
		umount "$R/data" 2>/dev/null
		rm -f "$R/disk"
		skip "$fs" "no project quotas of $fs here"
		continue
	fi
	start_daemon
	make_image
	works "$fs: a volume of 5 MB" docker volume create -o size=5m lim
	is "opts.json as moby's" '{"MountType":"","MountOpts":"","MountDevice":"","Quota":{"Size":5242880}}' "$(cat "$R/data/volumes/lim/opts.json")"
	like "no more goes in" "No space left on device|Disk quota exceeded" "$(filled lim 8)"
	like "than that" "^[45][0-9]{6}\$" "$(filled lim 8 | tail -1)"
	docker volume create -o size=3m other >/dev/null
	like "another has its own" "^[23][0-9]{6}\$" "$(filled other 8 | tail -1)"
	unlike "and its own project" "^$(project lim)\$" "$(project other)"
	is "one without a size has no limit" 8388608 "$(filled free 8 | tail -1)"
	is "nor a project" 0 "$(project free)"
	stop_daemon
	start_daemon
	like "after a restart" "^[45][0-9]{6}\$" "$(filled lim 8 | tail -1)"
	docker volume create -o size=1.5m third >/dev/null
	like "a new one" "^1[0-9]{6}\$" "$(filled third 8 | tail -1)"
	is "three projects" 3 "$(for v in lim other third; do project $v; done | sort -u | grep -vc '^0$')"
	works "copy-up" docker run --rm --mount type=volume,src=up,dst=/bin,volume-opt=size=30m busybox test -x /bin/busybox
	status "of more than goes in" 125 docker run --rm --mount type=volume,src=up2,dst=/bin,volume-opt=size=100k busybox true
	like "says so" "No space left on device|Disk quota exceeded" "$out"
	docker volume rm -f up2 >/dev/null 2>&1
	was=$(project lim)
	docker volume rm lim >/dev/null
	docker volume create lim >/dev/null
	is "removed: its name has no limit" 8388608 "$(filled lim 8 | tail -1)"
	like "nor has its project" "^ok\$" "$(repquota -P -n "$R/data" 2>/dev/null | awk -v p="#$was" '$1 == p && $5 > 0 {bad = 1} END {print bad ? "limited" : "ok"}')"
	status "a container of 6 MB" 1 docker run --name small --storage-opt size=6m busybox dd if=/dev/zero of=/f bs=1M count=12
	like "no more goes in" "No space left on device|Disk quota exceeded" "$out"
	like "than that" "^[56][0-9]{6}\$" "$(docker run --rm --storage-opt size=6m busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=12; stat -c %s /f' 2>/dev/null)"
	is "one without a size has no limit" 12582912 "$(docker run --rm busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=12; stat -c %s /f' 2>/dev/null)"
	box=$(docker inspect -f '{{.GraphDriver.Data.UpperDir}}' small)
	was=$(lsattr -pd "$box" | awk '{print $1}')
	docker rm small >/dev/null
	stop_daemon
	like "removed: its project has no limit" "^ok\$" "$(repquota -P -n "$R/data" 2>/dev/null | awk -v p="#$was" '$1 == p && $5 > 0 {bad = 1} END {print bad ? "limited" : "ok"}')"
	start_daemon '"storage-opts": ["overlay2.size=4m"]'
	like "the daemon's size" "^[34][0-9]{6}\$" "$(docker run --rm busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=12; stat -c %s /f' 2>/dev/null)"
	is "a container's own is another" 7340032 "$(docker run --rm --storage-opt size=16m busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=7; stat -c %s /f' 2>/dev/null)"
	like "prune leaves sized ones" "^other\$" "$(docker volume prune -af >/dev/null; docker volume ls -q)"
	stop_daemon
	umount "$R/data"
	rm "$R/disk"
done
finish
