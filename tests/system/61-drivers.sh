# SPDX-License-Identifier: Apache-2.0
# Each storage driver that was built and that this host has: a container's life, its changes, an image made of it, a killed daemon. All but btrfs on
# one data root in turn: who comes back to a driver finds what was there.
. "$TOP/tests/lib/system.sh"
EXPECTED_ERRORS='fuse-overlayfs failed to mount'

# try_driver NAME STATUS-ROWS SIZE-REFUSED-IN-WORDS
try_driver() {
	local d=$1
	start_daemon "\"storage-driver\": \"$d\", \"live-restore\": true"
	is "$d: docker info" "$d:$2" "$(docker info -f '{{.Driver}}:{{range .DriverStatus}} {{index . 0}}={{index . 1}}{{end}}' 2>/dev/null)"
	make_image
	docker create --name old busybox true >/dev/null
	works "$d: a container changes what it sees" docker run --name box busybox sh -c \
		'echo new >/new && rm /etc/group && mkdir /etc/d && touch /etc/d/f && chmod 600 /etc/passwd && ln /new /hard && mkfifo /pipe'
	is "$d: diff" "C /etc A /etc/d A /etc/d/f D /etc/group C /etc/passwd A /hard A /new A /pipe" \
		"$(docker diff box | LC_ALL=C sort -k2 | tr '\n' ' ' | sed 's/ $//')"
	works "$d: commit" docker commit box two
	is "$d: a container of it" "new 600 2 gone" \
		"$(docker run --rm two sh -c 'cat /new; stat -c %a /etc/passwd; stat -c %h /new; [ -e /etc/group ] || echo gone' | tr '\n' ' ' | sed 's/ $//')"
	is "$d: the image below is as it was" "/etc/group" "$(docker run --rm busybox sh -c 'ls -d /etc/group /new 2>/dev/null')"
	docker run -d --name alive two sh -c 'echo mine >/alive; exec sleep 600' >/dev/null
	works "$d: cp" docker cp alive:/new "$R/copied"
	kill_daemon
	start_daemon "\"storage-driver\": \"$d\", \"live-restore\": true"
	is "$d: a container outlives a killed daemon" "mine new" "$(docker exec alive sh -c 'until [ -s /alive ]; do :; done; cat /alive /new' | tr '\n' ' ' | sed 's/ $//')"
	docker stop -t 0 alive >/dev/null
	works "$d: and starts again" docker start alive
	[ -z "$3" ] || {
		status "$d: a size without quotas" 125 docker run --rm --storage-opt size=5m busybox true
		like "$d: says so" "$3" "$out"
	}
	like "$d: system df" '^Images +2 +' "$(docker system df 2>&1)"
	docker rm -f alive box >/dev/null
	works "$d: the image goes" docker rmi two
}
has() { [ -e "$BUILD/drivers/storage/$1.so" ]; }

fs=$(stat -f -c %T "$R" | sed 's,ext2/ext3,extfs,')
has overlay2 && try_driver overlay2 " Backing Filesystem=$fs Supports d_type=true Using metacopy=false Native Overlay Diff=true userxattr=false" \
	"supported only for overlay over xfs with 'pquota' mount option"
if has fuse-overlayfs && [ -w /dev/fuse ] && command -v fuse-overlayfs >/dev/null; then
	stop_daemon
	try_driver fuse-overlayfs "" "Unknown option size"
	# the server of a mount may die: the container is no more of use, but its layer is
	docker run -d --name box busybox sh -c 'echo kept >/kept; exec sleep 600' >/dev/null
	docker exec box sh -c 'until [ -s /kept ]; do :; done'
	for p in /proc/[0-9]*; do [ "$(readlink "$p/exe")" = "$(readlink -f "$(command -v fuse-overlayfs)")" ] && kill -9 "${p#/proc/}"; done
	docker kill box >/dev/null 2>&1
	docker wait box >/dev/null 2>&1
	works "fuse-overlayfs: after its process was killed, a container starts again" docker start box
	is "fuse-overlayfs: with what it had written" kept "$(docker exec box cat /kept)"
	docker rm -f box >/dev/null
else
	skip fuse-overlayfs "no fuse-overlayfs or /dev/fuse here"
fi
for d in overlay vfs; do
	has $d || continue
	stop_daemon
	if [ $d = overlay ]; then
		try_driver overlay " Backing Filesystem=$fs Supports d_type=true" "Unknown option size"
	else
		try_driver vfs "" "Filesystem does not support, or has not enabled quotas"
	fi
done
if has overlay2 && has vfs; then
	stop_daemon
	start_daemon '"storage-driver": "overlay2"'
	is "back on overlay2: its image" busybox:latest "$(docker images --format '{{.Repository}}:{{.Tag}}')"
	run_is "and its containers" yes busybox echo yes
	works "start" docker start old
fi
docker rm -f old >/dev/null 2>&1
if has btrfs && command -v mkfs.btrfs >/dev/null && truncate -s 512M "$R/disk" && mkfs.btrfs -q "$R/disk" 2>/dev/null && stop_daemon && rm -rf "$R/data" &&
	mkdir "$R/data" && mount -o loop "$R/disk" "$R/data" 2>/dev/null; then
	try_driver btrfs " Btrfs=" ""
	status "btrfs: a container's size" 1 docker run --name box --storage-opt size=20m busybox dd if=/dev/zero of=/f bs=1M count=30
	like "no more goes in" "No space left on device|Disk quota exceeded" "$out"
	is "one without a size has no limit" 31457280 "$(docker run --rm busybox sh -c 'dd if=/dev/zero of=/f bs=1M count=30; stat -c %s /f' 2>/dev/null)"
	is "the size is where moby looks" 20971520 "$(cat "$R"/data/btrfs/quotas/*)"
	docker rm box >/dev/null
	stop_daemon
	is "and goes with the container" "" "$(ls "$R/data/btrfs/quotas")"
	start_daemon '"storage-opts": ["btrfs.min_space=10m"]'
	status "btrfs.min_space" 125 docker run --rm --storage-opt size=5m busybox true
	like "says so" "btrfs: storage size cannot be less than 10.49MB" "$out"
	docker rm -f old >/dev/null 2>&1
	stop_daemon
	umount "$R/data"
	start_daemon
else
	skip btrfs "no mkfs.btrfs or no loop device here"
fi
finish
