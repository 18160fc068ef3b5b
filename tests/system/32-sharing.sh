# SPDX-License-Identifier: Apache-2.0
# What containers share: namespaces of IPC with /dev/shm, of networks with their files.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

# --ipc
docker run -d --stop-signal KILL --name donor --ipc shareable --shm-size 2m busybox sh -c 'echo shared >/dev/shm/f; echo ready; exec sleep 600' >/dev/null
wait_log donor ready
run_is "--ipc container: sees its /dev/shm" shared --ipc container:donor busybox cat /dev/shm/f
run_is "with its size" "size=2048k" --ipc container:donor busybox sh -c "grep ' /dev/shm ' /proc/mounts | grep -o 'size=[0-9]*k'"
is "and its namespace" "$(docker exec donor readlink /proc/self/ns/ipc)" "$(docker run --rm --ipc container:donor busybox readlink /proc/self/ns/ipc)"
docker run -d --name second --ipc container:donor --stop-signal KILL busybox sleep 600 >/dev/null
run_is "shared on" shared --ipc container:second busybox cat /dev/shm/f
like "the name became an id" '^container:[0-9a-f]{64}$' "$(docker inspect -f '{{.HostConfig.IpcMode}}' second)"
is "another's namespace with a limit of its own" 125 "$(docker run --rm --ipc container:donor --sysctl kernel.msgmax=100 busybox true >/dev/null 2>&1; echo $?)"
docker run -d --name private --stop-signal KILL busybox sleep 600 >/dev/null
like "a private one says no" "non-shareable IPC .hint: use IpcMode:shareable for the donor container" "$(docker run --rm --ipc container:private busybox true 2>&1)"
is "private is the default" private "$(docker inspect -f '{{.HostConfig.IpcMode}}' private)"
run_is "--ipc none has no /dev/shm" none --ipc none busybox sh -c '[ -e /dev/shm ] || echo none'
unlike "nor another's namespace" "$(readlink /proc/self/ns/ipc)" "$(docker run --rm --ipc none busybox readlink /proc/self/ns/ipc)"
like "a volume over /dev/shm wins" "^ext4|^overlay|^tmpfs|^/dev" "$(docker run --rm --ipc shareable -v "$R:/dev/shm" busybox awk '$2 == "/dev/shm" { print $1 }' /proc/mounts)"
docker stop -t 0 donor >/dev/null
unlike "a stopped one's is gone" /mounts/shm "$(cat /proc/self/mountinfo)"
docker start donor >/dev/null
wait_log donor ready 2
docker restart -t 0 second >/dev/null
is "and new when it runs again" shared "$(docker exec second cat /dev/shm/f)"

# --network container: uses the other's files and hostname
docker run -d --name web --hostname webby --add-host there:10.1.2.3 --stop-signal KILL busybox sleep 600 >/dev/null
run_is "hostname of the network's owner" webby --network container:web busybox hostname
run_is "its hosts" "10.1.2.3	there" --network container:web busybox grep there /etc/hosts
docker create --name guest --network container:web busybox true >/dev/null
docker start guest >/dev/null
is "as inspect says" "$(docker inspect -f '{{.HostsPath}}' web)" "$(docker inspect -f '{{.HostsPath}}' guest)"

# a daemon that is killed: shared memory outlives it, and goes with its container
docker rm -f second private web guest >/dev/null
docker stop -t 0 donor >/dev/null
stop_daemon
start_daemon '"live-restore": true, "default-ipc-mode": "shareable", "default-shm-size": "3M"'
docker start donor >/dev/null
docker run -d --name usual --stop-signal KILL busybox sleep 600 >/dev/null
is "default-ipc-mode" "shareable 3145728" "$(docker inspect -f '{{.HostConfig.IpcMode}} {{.HostConfig.ShmSize}}' usual)"
kill_daemon
start_daemon '"live-restore": true'
run_is "behind a kill it is joined as before" shared --ipc container:donor busybox cat /dev/shm/f
docker rm -f donor usual >/dev/null
stop_daemon
DOCKERD_FAULT=container.start.shm=kill start_daemon
docker run -d --name cut --ipc shareable --stop-signal KILL busybox sleep 600 >/dev/null 2>&1
wait_pid "$daemon"
start_daemon
unlike "killed behind the mount: nothing is left" /mounts/shm "$(cat /proc/self/mountinfo)"
works "and it starts" docker start cut
finish
