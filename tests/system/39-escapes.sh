# SPDX-License-Identifier: Apache-2.0
# Ways out of a container that others have gone before, each tried from inside. What holds them is in docs/security.md.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image
echo secret >"$R/marker" # of the host: no container shall read it
mkdir "$R/outside"
sums=$(sha256sum "$BUILD"/dockerd-{exec,shim,unpack} "$BUILD/docker-init")
up=..$(sed 's|/[^/]*|/..|g' <<<"$R/x/y/z/a/b/c")
docker run -d --name box --cap-add SYS_PTRACE busybox sleep 1000 >/dev/null

# ---- the programs of the host, by /proc/PID/exe: CVE-2019-5736
docker exec -d box sh -c 'while :; do for p in /proc/[0-9]*; do
	case $(readlink $p/exe) in *busybox) ;; *) { echo overwritten >$p/exe; } 2>/dev/null && echo $p >>/tmp/wrote; { cat $p/root'"$R"'/marker $p/cwd'"$R"'/marker; } 2>/dev/null >>/tmp/read ;; esac
done; done'
for i in 1 2 3 4 5 6; do docker exec box true; done
docker exec box /proc/self/exe >/dev/null 2>&1
docker run --rm --entrypoint /proc/self/exe busybox >/dev/null 2>&1
is "who enters can't be overwritten, nor be a way to the host's files" "" "$(docker exec box cat /tmp/wrote /tmp/read 2>/dev/null)"
is "the host's programs are what they were" "$sums" "$(sha256sum "$BUILD"/dockerd-{exec,shim,unpack} "$BUILD/docker-init")"
docker restart -t 0 box >/dev/null

# ---- descriptors and directories that leak in: CVE-2024-21626
got=
for fd in 3 4 5 6 7 8 9 10 11 12; do
	got+=$(docker exec -w /proc/self/fd/$fd box cat "$up$R/marker" 2>/dev/null)
	got+=$(docker run --rm --network none -w /proc/self/fd/$fd busybox cat "$up$R/marker" 2>/dev/null)
done
unlike "no descriptor of ours is a working directory" secret "$got"
is "where that would have been found" secret "$(cd / && cat "$up$R/marker")"
is "nothing but stdio is open" "0 1 2" "$(docker exec box ls /proc/1/fd | xargs)"
like "nothing of ours is in the environment" '^HOME HOSTNAME PATH( PWD)?( SHLVL)?$' "$(docker exec box env | sed 's/=.*//' | grep -v FROM_IMAGE | sort | xargs)"

is "no right is inherited" "0000000000000000 0000000000000000" "$(docker exec -u www box sed -n 's/^Cap\(Inh\|Amb\):.//p' /proc/self/status | xargs)"
is "our sockets and records are root's" "660 700" "$(stat -c %a "$R/sock" "$R/exec/containers"/* | sort -u | xargs)"

# ---- mounts whose target is a link that leads out: CVE-2021-30465
docker run --rm -v share:/v busybox sh -c "mkdir -p /v/real; ln -s '$up$R/outside' /v/link; ln -s /proc/1/root /v/root"
docker run --rm -v share:/v --tmpfs /v/link/pwn --tmpfs /v/root/pwn busybox true >/dev/null 2>&1
is "a link as a mount's target ends inside" "" "$(ls "$R/outside"; ls -d /pwn 2>/dev/null)"
docker run -d --name race -v share:/v busybox sh -c "cd /v; mkdir dir; ln -s '$up$R/outside' out; while :; do mv -T dir aim; mv -T aim dir; mv -T out aim; mv -T aim out; done" >/dev/null
for i in 1 2 3 4 5 6 7 8; do docker run --rm --network none -v share:/v --tmpfs /v/aim/pwn busybox true >/dev/null 2>&1; done
is "nor does one that is changed meanwhile" "" "$(ls "$R/outside"; left_mounts | grep pwn)"
docker rm -f race >/dev/null

# ---- /proc and /sys
is "nothing can be mounted, remounted or unmounted" "1 1 1 1" "$(docker exec box sh -c '
	mount -o remount,rw /proc/sys; a=$?; mount -t proc none /tmp; b=$?; umount /proc/keys; c=$?; mount -o remount,rw /sys; echo $a $b $c $?' 2>/dev/null)"
is "nor with CAP_SYS_ADMIN alone: what is locked stays" "" "$(docker run --rm --userns host --cap-add SYS_ADMIN busybox sh -c 'echo x >/proc/sys/kernel/core_pattern' 2>/dev/null; grep -x x /proc/sys/kernel/core_pattern)"
is "the kernel's knobs are closed" "1 1 1 1" "$(docker exec box sh -c '
	echo c >/proc/sysrq-trigger; a=$?; echo x >/proc/sys/kernel/core_pattern; b=$?; echo x >/sys/kernel/uevent_helper; c=$?
	f=$(ls -d /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/cgroup.procs 2>/dev/null | head -1); echo x >"$f"; echo $a $b $c $?' 2>/dev/null)"
is "masked files have nothing behind them" "0 0" "$(docker exec box sh -c 'echo $(cat /proc/keys /proc/timer_list /proc/kcore 2>/dev/null | wc -c) $(ls /sys/firmware 2>/dev/null | wc -l)')"
is "nor by another way to the same file" "0" "$(docker exec box sh -c 'cat /proc/self/root/proc/keys /proc/1/root/proc/keys /proc/self/task/*/root/proc/keys 2>/dev/null | wc -c')"
echo fake >"$R/fake"
unlike "nor by the image's own in their place" 'fake|secret' "$(docker run --rm -v "$R/fake:/dev/null" busybox cat /proc/keys /proc/timer_list 2>&1)"

# ---- devices
disk=$(lsblk -dno MAJ:MIN 2>/dev/null | head -1 | tr -d ' ')
disk=${disk:-$(awk '$4 != "" && NR > 2 { print $1 ":" $2; exit }' /proc/partitions)}
is "no device but the few" "1 1 1" "$(docker exec box sh -c "mknod /tmp/disk b ${disk/:/ }; head -c1 /tmp/disk; a=\$?; mknod /tmp/mem c 1 1; head -c1 /tmp/mem; b=\$?; mknod /tmp/kmsg c 1 11; head -c1 /tmp/kmsg; echo \$a \$b \$?" 2>/dev/null)"

# ---- terminals: what is typed into one (TIOCSTI) is read by the container alone
docker run -dt --name tty busybox sleep 1000 >/dev/null
is "a terminal is of the container's own devpts" "same same" "$(docker exec -t tty sh -c '[ $(stat -Lc %d /proc/self/fd/0) = $(stat -c %d /dev/pts/ptmx) ] && echo same' | tr -d '\r') $(docker exec tty sh -c '[ $(stat -Lc %d /proc/1/fd/0) = $(stat -c %d /dev/pts/ptmx) ] && echo same')"
unlike "and no other one can be opened" 'opened' "$(docker exec -t tty sh -c 'for n in 1 2 3 4 5 6 7 8 9; do [ /dev/pts/$n = $(tty) ] || { : >/dev/pts/$n && echo opened; } 2>/dev/null; done')"

# ---- signals and tracing end at the namespace
shim=$(awk '/^PPid/ { print $2 }' "/proc/$(docker inspect -f '{{.State.Pid}}' box)/status")
docker exec box sh -c 'kill -9 -1' >/dev/null 2>&1
is "kill -9 -1 reaches the container alone" "true alive alive" "$(docker inspect -f '{{.State.Running}}' tty) $(kill -0 "$daemon" && echo alive) $(kill -0 "$shim" 2>/dev/null && echo alive)"
is "no process of ours is seen" "" "$(docker exec box sh -c 'cat /proc/[0-9]*/cmdline' 2>/dev/null | tr '\0' '\n' | grep dockerd)"

# ---- images that lie about users and directories
hostile() { # NAME COMMAND: busybox with a changed root
	rm -rf "$R/evil" && cp -a "$R/root" "$R/evil" && (cd "$R/evil" && eval "$2") && tar -C "$R/evil" -c . | docker import - "$1" >/dev/null
}
hostile users "rm etc/passwd etc/group; ln -s '$up$R/marker' etc/passwd; mkfifo etc/group"
out=$(STEP=20 docker run --rm -u nosuch:nosuch users id 2>&1)
is "a link and a pipe as user lists: 125, not a wait" 125 $?
unlike "and nothing of the host's is told" secret "$out"
hostile groups "rm etc/group; mkfifo etc/group"
out=$(STEP=20 docker run --rm -u www:nosuch groups id 2>&1)
is "a pipe as list of groups" 125 $?
hostile dirs "ln -s '$up$R/outside' work; ln -s /proc/1/root rootlink"
docker run --rm -w /work/made dirs true >/dev/null 2>&1
docker run --rm -w /rootlink/pwned dirs true >/dev/null 2>&1
is "a working directory is made inside" "" "$(ls "$R/outside"; ls -d /pwned 2>/dev/null)"
for user in 4294967296 -1 '0:-1' '../../../etc/passwd' '%s%n'; do
	out=$(docker run --rm -u "$user" busybox id -u 2>&1) && [ "$out" = 0 ] && fail "user $user" "$out" || true
done
pass "users that are none are no root"
hostile etc "rm -rf etc; ln -s '$up$R/outside' etc"
docker run --rm etc true >/dev/null 2>&1
is "the files that we bind are bound inside" "" "$(ls "$R/outside")"
is "the host's file was never read" "secret" "$(cat "$R/marker")"
EXPECTED_ERRORS='OCI runtime|unable to find user' finish
