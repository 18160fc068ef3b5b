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

# --link
docker rm -f second private web guest >/dev/null
k='--stop-signal KILL'
docker run -d $k --name db --hostname dbhost -e PW="a b" --expose 80-82 --expose 53/udp busybox sleep 600 >/dev/null
ip=$(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' db)
docker run -d $k --name app --link db:my-db --link db busybox sleep 600 >/dev/null
is "/etc/hosts" "$ip my-db dbhost db $ip db dbhost" "$(echo $(docker exec app grep "^$ip" /etc/hosts))"
is "variables of the first port, of all, of a range" "MY_DB_PORT=tcp://$ip:80
MY_DB_PORT_53_UDP_PROTO=udp
MY_DB_PORT_80_TCP_PORT_END=82
MY_DB_PORT_81_TCP=tcp://$ip:81" "$(docker exec app env | grep -E '^MY_DB_PORT(|_53_UDP_PROTO|_80_TCP_PORT_END|_81_TCP)=' | sort)"
is "its environment and name" "MY_DB_ENV_PW=a b
MY_DB_NAME=/app/my-db" "$(docker exec app env | grep -E '^MY_DB_(ENV_PW|NAME)=' | sort)"
is "inspect" '["/db:/app/my-db","/db:/app/db"]' "$(docker inspect -f '{{json .HostConfig.Links}}' app)"
is "names in ps --no-trunc" "db,app/db,app/my-db" "$(docker ps --no-trunc -f name=db --format '{{.Names}}' | grep db,)"
is "exec by the link's name" dbhost "$(docker exec app/my-db hostname)"
docker exec app sh -c 'echo 10.1.1.1 mine >>/etc/hosts'
docker stop -t 0 db >/dev/null
works "exec while the other one is down" docker exec app true
docker run -d $k --name squatter busybox sleep 600 >/dev/null
docker start db >/dev/null
now=$(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' db)
unlike "it has another address" "^$ip\$" "$now"
is "which the other one learns" "$now my-db dbhost db $now db dbhost 10.1.1.1 mine" "$(echo $(docker exec app grep -E "db|mine" /etc/hosts))"
docker rename db db2
docker rename app app2
stop_daemon
start_daemon
is "behind a restart of the daemon" '["/db2:/app2/my-db","/db2:/app2/db"]' "$(docker inspect -f '{{json .HostConfig.Links}}' app2)"
like "a linked one must run" "Cannot link to a non running container: /db2 AS /app2/my-db" "$(docker start app2 2>&1)"
docker start db2 app2 >/dev/null
works "rm --link" docker rm --link app2/my-db
is "only that one is gone" '["/db2:/app2/db"]' "$(docker inspect -f '{{json .HostConfig.Links}}' app2)"
unlike "from /etc/hosts, too" my-db "$(docker exec app2 cat /etc/hosts)"
docker rm -f db2 >/dev/null
works "without the other one it starts" docker restart -t 0 app2
docker rm -f app2 squatter >/dev/null
docker network create mine --subnet 10.111.9.0/24 >/dev/null
docker run -d $k --name db --network mine busybox sleep 600 >/dev/null
like "in a users' network a link is a name" "Address.* 10.111.9.2" "$(docker run --rm --network mine --link db:Alias busybox nslookup alias)"
like "also with the network's" "Address.* 10.111.9.2" "$(docker run --rm --network mine --link db:alias busybox nslookup alias.mine)"
like "that nobody else knows" "can't find alias" "$(docker run --rm --network mine busybox nslookup alias 2>&1)"
docker run -d $k --name app busybox sleep 600 >/dev/null
docker network connect --link db:late mine app
like "also of one that comes later" "Address.* 10.111.9.2" "$(docker exec app nslookup late)"
docker rm -f app db >/dev/null
docker network rm mine >/dev/null

# a daemon that is killed: shared memory outlives it, and goes with its container
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
# rings of containers that use one another's network: none starts, and nobody runs round in them
docker create --name ring --network container:ring busybox true >/dev/null
status "a link to a ring" 125 docker run --rm --link ring busybox true
like "says so" "use one another's" "$out"
status "a ring does not start" 1 docker start ring
docker rm ring >/dev/null
finish
