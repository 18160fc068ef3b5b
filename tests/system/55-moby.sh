# SPDX-License-Identifier: Apache-2.0
# One data root, two engines in turns: what we have put there a moby finds and runs, and the other way round. DOCKERD_MOBY_ROOT is a root file
# system with moby's dockerd, containerd and runc installed (a Debian chroot with docker.io).
. "$TOP/tests/lib/system.sh"
. "$TOP/tests/lib/registries.sh"
root=${DOCKERD_MOBY_ROOT-}
if ! command -v docker-registry >/dev/null; then
	skip "a moby on our data root" "docker-registry is not installed"
	echo "1..$n"
	exit
fi
if [ -z "$root" ] || [ ! -x "$root/usr/sbin/dockerd" ]; then
	skip "a moby on our data root" "no moby to take turns with (DOCKERD_MOBY_ROOT)"
	echo "1..$n"
	exit
fi
trap 'stop_moby 2>/dev/null; stop_servers' EXIT

# moby in the chroot, on the same paths as ours.
mkdir "$R/moby" "$R/moby.run" "$R/moby.up" "$R/moby.work"
mount -t tmpfs none "$R/moby.up" && mkdir "$R/moby.up/u" "$R/moby.up/w"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$R/moby.up/u,workdir=$R/moby.up/w" "$R/moby"
mount -t proc proc "$R/moby/proc"
mount --rbind /sys "$R/moby/sys"
mount --rbind /dev "$R/moby/dev"
mount -t tmpfs none "$R/moby/run"
mkdir -p "$R/moby$R"
mount --rbind "$R" "$R/moby$R"
start_moby() {
	serve_until 'API listen on' chroot "$R/moby" dockerd --data-root "$R/data" --exec-root "$R/moby.run" -p "$R/moby.pid" -H "unix://$R/sock" \
		--bridge none --iptables=false --ip6tables=false --storage-driver overlay2 --cgroup-parent "$CGROUP_PARENT"
}
stop_moby() {
	kill "${servers[2]}" && wait "${servers[2]}"
	wait "${servers[@]:2}"
	servers=("${servers[@]:0:2}") # the registry's
}
layers() { docker save "$1" | tar -xO manifest.json | grep -o '"Layers":[^]]*' | sort; }

registry 5021

# ---- ours first ----------------------------------------------------------------------------------------------------------------------------
start_daemon '"storage-driver": "overlay2"'
make_image
docker tag busybox second:name
docker run --name ours --network none busybox sh -c 'echo from-ours >/kept; ln /kept /linked; mkdir -p /dir; rm -r /root; echo ran' >/dev/null
docker run --name log-a --network none --log-driver local --log-opt max-size=2k busybox sh -c 'for i in $(seq 300); do echo "$i of ours"; done; head -c 40000 /dev/zero | tr "\0" x' >/dev/null
log=$(docker logs log-a | md5sum)
docker commit ours committed:1 >/dev/null
docker create --name sibling --network none busybox true >/dev/null
changes=$(docker diff ours | sort)
docker volume create ours-volume >/dev/null
docker run --rm --network none -v ours-volume:/v busybox sh -c 'echo in-volume >/v/f'
docker network create --subnet 10.240.0.0/24 --gateway 10.240.0.1 --aux-address x=10.240.0.2 --label l=ours -o com.docker.network.bridge.name=ts-ours ours-net >/dev/null
docker network create ours-plain >/dev/null
docker network create --ipv6 --subnet 10.239.0.0/24 --gateway 10.239.0.1 --subnet 2001:db8:5::/64 --gateway 2001:db8:5::1 --ip-range 2001:db8:5::8000/113 --aux-address y=2001:db8:5::8001 ours-six >/dev/null
docker network create --ipv6 ours-ula >/dev/null
ip link add tsm0 type veth peer name tsm1
docker network create -d macvlan --subnet 10.240.1.0/24 --gateway 10.240.1.1 -o parent=tsm0 ours-mac >/dev/null
show() { docker network inspect -f '{{.Id}} {{.Name}} {{json .IPAM}} {{json .Options}} {{json .Labels}} {{.Created}}' "$@" | sed 's/ +0000 UTC//'; }
nets=$(show ours-net ours-plain ours-six ours-ula ours-mac)
docker tag committed:1 localhost:5021/ours:1
docker tag committed:1 localhost:5021/ours:moby
docker push -q localhost:5021/ours:1 >/dev/null
ours_digest=$(digest_of localhost:5021/ours 1)
ids=$(docker images -q --no-trunc | sort -u)
names=$(docker images --format '{{.Repository}}:{{.Tag}}' | sort)
saved=$(layers committed:1)
stop_daemon
start_moby
is "moby finds our images" "$names" "$(docker images --format '{{.Repository}}:{{.Tag}}' | sort)"
is "with their ids" "$ids" "$(docker images -q --no-trunc | sort -u)"
is "and saves the same bytes" "$saved" "$(layers committed:1)"
run_is "and runs them" here --network none busybox echo here
run_is "and what we committed" from-ours --network none committed:1 cat /kept
run_is "with what it deleted" gone --network none committed:1 sh -c '[ -e /root ] || echo gone'
is "our volume is there" ours-volume "$(docker volume ls -q --filter name=ours)"
run_is "with its content" in-volume --network none -v ours-volume:/v busybox cat /v/f
is "our networks are there" "$nets" "$(show ours-net ours-plain ours-six ours-ula ours-mac)"
run_is "with their addresses" 10.240.0.3/24 --network ours-net busybox sh -c "ip -4 -o addr show eth0 | sed 's/.*inet //; s/ .*//'"
run_is "of IPv6 too" 2001:db8:5::8000/64 --network ours-six busybox sh -c "ip -6 -o addr show eth0 scope global | sed 's/.*inet6 //; s/ .*//'"
ip link set tsm0 up
run_is "on a link of the host" 10.240.1.2/24 --network ours-mac busybox sh -c "ip -4 -o addr show eth0 | sed 's/.*inet //; s/ .*//'"
docker network create --ipv6 --subnet 10.239.1.0/24 --gateway 10.239.1.1 --subnet 2001:db8:6::/64 --gateway 2001:db8:6::9 their-six >/dev/null
docker network create -d macvlan --subnet 10.240.2.0/24 --internal -o parent=tsm0 -o macvlan_mode=private their-mac >/dev/null
docker network create --subnet 10.241.0.0/24 --internal --label l=theirs their-net >/dev/null
docker network rm ours-plain >/dev/null
theirs=$(show their-net their-six their-mac ours-ula)
is "our container is there" "ours Exited" "$(docker ps -a --filter name=ours --format '{{.Names}} {{.Status}}' | cut -d' ' -f1,2)"
is "with its changes" from-ours "$(docker cp ours:/kept - | tar -xO)"
is "what it changed is the same" "$changes" "$(docker diff ours | sort)"
docker commit ours committed:2 >/dev/null
run_is "so is a commit of it" from-ours --network none committed:2 cat /kept
docker rmi committed:2 >/dev/null
works "a container of the same image goes" docker rm sibling
is "it reads our log of the local driver, rotated files and all" "$log" "$(docker logs log-a | md5sum)"
is "and its end" "$(docker logs log-a | tail -3 | md5sum)" "$(docker logs --tail 5 log-a | md5sum)"
works "it pushes what we have pushed" docker push localhost:5021/ours:moby
like "as the layers that are there" 'Layer already exists' "$out"
is "and the digest is ours" "$ours_digest" "$(digest_of localhost:5021/ours moby)"
docker tag second:name localhost:5021/theirs:1
docker push -q localhost:5021/theirs:1 >/dev/null
works "and runs again" docker start -a ours
like "the same program" ran "$out"

# ---- then moby ------------------------------------------------------------------------------------------------------------------------------
docker run --name theirs --network none busybox sh -c 'echo from-moby >/kept; rm -r /tmp; echo done' >/dev/null
docker run --name log-b --network none --log-driver local --log-opt max-size=2k busybox sh -c 'for i in $(seq 300); do echo "$i of theirs"; done; head -c 40000 /dev/zero | tr "\0" x' >/dev/null
log=$(docker logs log-b | md5sum)
docker commit -c 'LABEL by=moby' theirs theirs:1 >/dev/null
docker rmi second:name >/dev/null
docker volume create moby-volume >/dev/null
docker run --rm --network none -v moby-volume:/v busybox sh -c 'echo by-moby >/v/f'
ids=$(docker images -q --no-trunc | sort -u)
names=$(docker images --format '{{.Repository}}:{{.Tag}}' | sort)
saved=$(layers theirs:1)
docker run -d --name alive --network none busybox sleep 1000 >/dev/null
kill -9 "${servers[2]}"
wait "${servers[2]}" 2>/dev/null
servers=("${servers[@]:0:2}")
status "what runs under a moby that was killed" 1 timeout 60 "$BUILD/dockerd" --config-file "$R/daemon.json"
like "is named, and left alone" '1 container of .*/data still runs under another engine: alive ' "$out"
rm -f "$R/moby.pid"
start_moby
docker rm -f alive >/dev/null
stop_moby
start_daemon '"storage-driver": "overlay2"'
is "we find moby's images" "$names" "$(docker images --format '{{.Repository}}:{{.Tag}}' | sort)"
is "with their ids" "$ids" "$(docker images -q --no-trunc | sort -u)"
is "and save the same bytes" "$saved" "$(layers theirs:1)"
run_is "and run them" from-moby --network none theirs:1 cat /kept
run_is "with what was deleted" gone --network none theirs:1 sh -c '[ -e /tmp ] || echo gone'
is "its labels" moby "$(docker inspect -f '{{.Config.Labels.by}}' theirs:1)"
is "moby's volume" by-moby "$(docker run --rm --network none -v moby-volume:/v busybox cat /v/f)"
is "moby's networks" "$theirs" "$(show their-net their-six their-mac ours-ula)"
run_is "with its addresses" 10.241.0.2/24 --network their-net busybox sh -c "ip -4 -o addr show eth0 | sed 's/.*inet //; s/ .*//'"
run_is "of IPv6" 2001:db8:6::1/64 --network their-six busybox sh -c "ip -6 -o addr show eth0 scope global | sed 's/.*inet6 //; s/ .*//'"
run_is "on a link of the host" 10.240.2.1/24 --network their-mac busybox sh -c "ip -4 -o addr show eth0 | sed 's/.*inet //; s/ .*//'"
is "what moby removed is gone" "bridge host none ours-mac ours-net ours-six ours-ula their-mac their-net their-six" "$(docker network ls --format '{{.Name}}' | sort | xargs)"
is "moby's container is there" "theirs Exited" "$(docker ps -a --filter name=theirs --format '{{.Names}} {{.Status}}' | cut -d' ' -f1,2)"
is "we read its log of the local driver" "$log" "$(docker logs log-b | md5sum)"
works "and write on" docker start log-b
docker wait log-b >/dev/null
works "and runs" docker start -a theirs
like "the same program" done "$out"
is "ours has been through both" from-ours "$(docker cp ours:/kept - | tar -xO)"
docker tag localhost:5021/theirs:1 localhost:5021/theirs:2
works "we push what moby has pushed" docker push localhost:5021/theirs:2
is "and the digest is moby's" "$(digest_of localhost:5021/theirs 1)" "$(digest_of localhost:5021/theirs 2)"
docker rm -f ours theirs log-a log-b >/dev/null
docker network rm ours-net ours-six ours-ula ours-mac their-net their-six their-mac >/dev/null
ip link del tsm0
docker volume rm ours-volume moby-volume >/dev/null
docker rmi -f theirs:1 committed:1 busybox localhost:5021/{ours:1,ours:moby,theirs:1,theirs:2} >/dev/null
docker image prune -f >/dev/null # waits for what was removed to leave the disk
is "all of it goes" "" "$(docker images -qa)"
is "layer by layer" "" "$(ls "$R/data/image/overlay2/layerdb/sha256")"
is "from disk" "" "$(ls "$R/data/overlay2" | grep -v -e '^l$' -e '^backingFsBlockDev$')" # moby's own
umount -lR "$R/moby" "$R/moby.up"
stop_servers
EXPECTED_ERRORS='storage-driver' finish
