# SPDX-License-Identifier: Apache-2.0
# userns-remap: ids of containers are others on the host, on disk and in the kernel; what needs the host's is refused in moby's words, or asked for by
# --userns=host. The accounts are those of an /etc of the test's own.
. "$TOP/tests/lib/system.sh"
etc=$R.etc
mkdir "$etc"
mount -t tmpfs none "$etc" && mkdir "$etc/up" "$etc/work" &&
	mount -t overlay -o "lowerdir=/etc,upperdir=$etc/up,workdir=$etc/work" none /etc || { echo "1..0 # SKIP no overlay over /etc here"; exit 0; }
sed -i '/^dockremap:/d' /etc/passwd /etc/group /etc/subuid /etc/subgid
printf 'mapped:x:4321:4321::/:/bin/false\n' >>/etc/passwd
printf 'mapped:x:4321:\nothers:x:4322:\n' >>/etc/group
printf 'mapped:200000:1000\n4321:300000:64536\n' >/etc/subuid
printf 'mapped:400000:65536\n' >/etc/subgid
refuses() { # VALUE PATTERN
	printf '{"userns-remap": "%s"}' "$1" >"$R/bad.json"
	like "userns-remap $1" "$2" "$("$BUILD/dockerd" --validate --config-file "$R/bad.json" 2>&1)"
}
refuses nosuch 'Error during uid lookup for "nosuch": getent unable to find entry "nosuch" in passwd database'
refuses mapped:nosuch 'Error during groupname lookup for "nosuch"'
refuses a:b:c 'Invalid user/group specification in --userns-remap: "a:b:c"'
refuses 4320 'Uid 4320 has no entry in /etc/passwd'
refuses 4321:others '^configuration OK$'

# ---- the default user, who is made
start_daemon '"userns-remap": "default"'
like "the user is made" '^dockremap:.*/bin/false$' "$(grep ^dockremap: /etc/passwd)"
first=$(sed -n 's/^dockremap:\([0-9]*\):65536$/\1/p' /etc/subuid)
is "above all other ranges" 364536 "$first"
is "info" "true $R/data/364536.465536" "$(docker info -f '{{json .SecurityOptions}}' | grep -q name=userns && echo true) $(docker info -f '{{.DockerRootDir}}')"
stop_daemon

# ---- two ranges, by number and name
start_daemon '"userns-remap": "4321", "live-restore": true, "runtimes": {"prog": {"path": "runc"}}'
root=$R/data/200000.400000
like "the data root" '^710 0 400000' "$(stat -c '%a %u %g' "$root" "$R/data" | sort -u)"
mkdir -p "$R/root/home/user" "$R/root/data" && : >"$R/root/data/from-image" && chown 1234:1234 "$R/root/home/user" "$R/root/data" "$R/root/data/from-image"
make_image
is "a map" "0 200000 1000 1000 300000 64536" "$(docker run --rm busybox cat /proc/self/uid_map | xargs)"
is "files of the image" "0:0 1234:1234 0:0" "$(docker run --rm busybox stat -c %u:%g / /home/user /bin/busybox | xargs)"
is "on the host" "200000:400000 300234:401234" "$(find "$root/overlay2" -path '*/diff/home' -printf '%U:%G') $(find "$root/overlay2" -path '*/diff/home/user' -printf '%U:%G')"
docker run -d --name box --ipc shareable -v vol:/data -v "$R/made:/made" -w /new/dir busybox sleep 1000 >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' box)
is "in the kernel" "200000 400000" "$(awk '/^[UG]id:/ { printf "%s ", $2 }' "/proc/$pid/status" | xargs)"
is "what is made for it is its root's" "0:0 0:0 0:0 0:0 0:0 0:0" "$(docker exec box stat -c %u:%g /etc/hosts /etc/hostname /etc/resolv.conf /new /made /dev/shm | xargs)"
works "which may write it" docker exec box sh -c 'echo >>/etc/hosts; : >/dev/shm/x; : >/made/x; : >/new/dir/x'
is "a volume is filled" "1234:1234 1234:1234" "$(docker exec box stat -c %u:%g /data /data/from-image | xargs)"
is "with ids of the host" "300234:401234" "$(stat -c %u:%g "$root/volumes/vol/_data")"
is "a user" "33 33" "$(docker exec -u www box sh -c 'echo $(id -u) $(id -g)')"
is "stdout again" ok "$(docker exec -u www box sh -c 'echo ok >/dev/stdout')"
: >"$R/host-only" && chmod 600 "$R/host-only"
status "the host's files are nobody's" 1 docker run --rm -v "$R/host-only:/f" busybox cat /f
status "no device is made" 1 docker run --rm --cap-add MKNOD busybox mknod /tmp/null c 1 3
status "an id outside" 125 docker run --rm -u 70000 busybox true
like "is told" 'cannot setuid to unmapped uid 70000 in user namespace' "$out"

# ---- in and out
: >"$R/file" && chown 7:8 "$R/file"
docker cp -a "$R/file" box:/copied
is "docker cp in" 7:8 "$(docker exec box stat -c %u:%g /copied)"
is "docker cp out" 7/8 "$(docker cp box:/copied - | tar tvn | awk '{ print $2 }')"
docker commit box snap >/dev/null
like "a commit has the container's ids" '^7/8 ' "$(docker save snap | python3 -c '
import sys, tarfile, io, json
t = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
last = json.load(t.extractfile("manifest.json"))[0]["Layers"][-1]
for e in tarfile.open(fileobj=t.extractfile(last)):
    if e.name.endswith("copied"): print("%d/%d %s" % (e.uid, e.gid, e.name))')"
is "so has an export" "7/8" "$(docker export box | tar tvn | awk '$NF == "copied" { print $2 }')"

# ---- what is the host's
is "--userns=host" "0 4294967295" "$(docker run --rm --userns host busybox awk '{ print $1, $3 }' /proc/self/uid_map)"
works "may be privileged" docker run --rm --userns host --privileged --network host busybox true
refused() { # DESCRIPTION TEXT ARGUMENT...
	local what=$1 text=$2
	shift 2
	status "$what" 125 docker run --rm "$@" busybox true
	like "in moby's words" "$text" "$out"
}
refused "privileged" 'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode' --privileged
refused "the host's network" "cannot share the host's network namespace when user namespaces are enabled" --network host
refused "the host's processes" 'cannot share the host PID namespace when user namespaces are enabled' --pid host

# ---- namespaces of others, programs, and the daemon's death
like "another one's network" "inet $subnet" "$(docker run --rm --network container:box busybox ip -o -4 addr show eth0)"
like "another one's memory" '/dev/shm/x' "$(docker run --rm --ipc container:box busybox ls /dev/shm/x)"
if command -v runc >/dev/null; then
	is "runc" "0 200000 1000 1000 300000 64536 0:0" "$(docker run --rm --runtime prog busybox sh -c 'cat /proc/self/uid_map; stat -c %u:%g /etc/hosts' | xargs)"
	like "runc, another one's processes" 'sleep 1000' "$(docker run --rm --runtime prog --pid container:box busybox ps)"
else
	skip "runc" "runc is not installed"
fi
kill_daemon
start_daemon '"userns-remap": "4321", "live-restore": true'
is "it goes on" "true 0" "$(docker inspect -f '{{.State.Running}}' box) $(docker exec box id -u)"
docker rm -f box >/dev/null
finish
umount /etc
umount "$etc"
