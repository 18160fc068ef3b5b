# SPDX-License-Identifier: Apache-2.0
# Files of containers: diff, cp both ways, export, commit, sizes.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image
cd "$R" || exit 1

# diff
docker run --name changed busybox sh -c 'mkdir -p /a/b; touch /a/b/f; rm /bin/yes; chmod 700 /bin/busybox; rm /bin/vi; mkdir /bin/vi; echo x >>/etc/hostname'
is "diff" "A /a A /a/b A /a/b/f C /bin C /bin/busybox C /bin/vi D /bin/yes" "$(docker diff changed | sort -k2 | tr '\n' ' ' | sed 's/ $//')"
docker create --name same busybox true >/dev/null
is "diff of a container that never ran" "" "$(docker diff same)"
is "diff's JSON then" null "$(api GET /v1.51/containers/same/changes)"
like "sizes: what was written" '"SizeRw":[1-9][0-9]*,"SizeRootFs":[1-9]' "$(api GET '/v1.51/containers/changed/json?size=1' | tr -d ' ')"
like "ps -s" 'virtual [0-9.]*MB' "$(docker ps -as --format '{{.Size}}' -f name=changed)"

# cp
mkdir -p dir/e vol && echo text >dir/e/f && ln -s e/f dir/l && echo one >one && echo v >vol/v
works "a container to copy to" docker run -d --name box -v "$R/vol:/bound" -v named:/named --tmpfs /gone -u 1000:1001 busybox sleep 1000
works "cp of a directory into a running container" docker cp dir box:/tmp/
is "with its link" e/f "$(docker exec box readlink /tmp/dir/l)"
is "and its file" text "$(docker exec box cat /tmp/dir/l)"
works "cp to a new name" docker cp one box:/tmp/two
is "has it" one "$(docker exec box cat /tmp/two)"
works "cp into a bind" docker cp one box:/bound/new
is "reaches the host's directory" one "$(cat vol/new)"
works "cp into a volume" docker cp one box:/named
is "is in the volume" one "$(docker run --rm -v named:/n busybox cat /n/one)"
works "cp -a" docker cp -a one box:/tmp/owned
is "gives it to the container's user" 1000:1001 "$(docker exec box stat -c %u:%g /tmp/owned)"
works "cp out of a bind" docker cp box:/bound out
is "has the file" v "$(cat out/v)"
is "cp to stdout is an archive" "etc/passwd" "$(docker cp box:/etc - | tar -t | grep passwd)"
is "of a file" passwd "$(docker cp box:/etc/passwd - | tar -t)"
works "cp of a link" docker cp box:/tmp/dir/l link
is "is the link" e/f "$(readlink link)"
works "cp -L" docker cp -L box:/tmp/dir/l followed
is "is what it leads to" text "$(cat followed)"
works "cp of /dir/. copies what is in it" docker cp box:/tmp/dir/. inside
is "and not the directory" text "$(cat inside/e/f)"
status "cp from nowhere" 1 docker cp box:/nope .
like "says so" "(Could not find the file /nope in container box|No such container:path: box:/nope)" "$out"
status "cp of a tmpfs shows what is below" 1 docker cp box:/gone/x .
status "cp to nowhere" 1 docker cp one box:/nope/x
status "a directory over a file" 1 docker cp dir box:/tmp/two
docker stop -t 0 box >/dev/null
works "cp into a stopped container" docker cp one box:/tmp/three
works "cp out of it" docker cp box:/named/one got
is "the volume's file" one "$(cat got)"
works "a read-only one" docker run -d --name ro --read-only -v "$R/vol:/bound:ro" -v named:/named busybox sleep 1000
status "takes nothing" 1 docker cp one ro:/tmp/
like "in its root" 'container rootfs is marked read-only' "$out"
status "nor" 1 docker cp one ro:/bound/
like "in its read-only volume" 'mounted volume is marked read-only' "$out"
works "but in another" docker cp one ro:/named/again

# volumes inside volumes, in whatever order they were given
mkdir -p outer/sub inner && echo o >outer/o && echo i >inner/i
docker run -d --name nest -v "$R/inner:/vol/sub:ro" -v "$R/outer:/vol" busybox sleep 1000 >/dev/null
is "the inner one is seen" i "$(docker cp nest:/vol/sub/i - | tar -xO)"
status "and is read-only" 1 docker cp one nest:/vol/sub/
works "the outer one takes it" docker cp one nest:/vol/
is "and has it" one "$(cat outer/one)"
mknod node c 1 3
# the source of one mount below that of another, which the container has replaced by a way out of it
mkdir -p own/dir/deep secret/deep && echo in >own/dir/deep/f && echo out >secret/deep/f
docker run -d --name swap -v "$R/own:/own" -v "$R/own/dir/deep:/deep" busybox sleep 1000 >/dev/null
is "a source below another" in "$(docker cp swap:/deep/f - | tar -xO)"
docker exec swap sh -c "mv /own/dir /own/was && ln -s was /own/dir"
is "which has moved, and can be followed" in "$(docker cp swap:/deep/f - | tar -xO)"
docker exec swap sh -c "rm /own/dir && ln -s $R/secret /own/dir"
status "which leads out now" 1 docker cp swap:/deep/f -
like "is not followed" 'which the container can write to: not followed' "$out"
status "nor written to" 1 docker cp one swap:/deep/f
is "so it is as it was" out "$(cat secret/deep/f)"
works "a device goes in" docker cp node nest:/tmp/
is "as it is" "1:3 666" "$(docker exec nest stat -c '%t:%T %a' /tmp/node | sed 's/644/666/')"

# what a container does to lead a copy out of it
works "links that lead out" docker run -d --name sly busybox sh -c 'ln -s / /tmp/up; ln -s /../../../etc /tmp/etc; touch /ready; while :; do ln -sfn /etc /tmp/swap; rm -f /tmp/swap; mkdir /tmp/swap 2>/dev/null; rmdir /tmp/swap 2>/dev/null; done'
docker exec sly sh -c 'until [ -e /ready ]; do :; done'
echo mine >marker-$$
docker cp marker-$$ sly:/tmp/up/ && docker cp marker-$$ sly:/tmp/etc/
is "stay inside" "mine mine" "$(docker exec sly cat /marker-$$ /etc/marker-$$ | tr '\n' ' ' | sed 's/ $//')"
works "nothing came to the host" test ! -e /marker-$$ -a ! -e /etc/marker-$$
for i in 1 2 3 4 5 6 7 8 9 10; do docker cp marker-$$ sly:/tmp/swap/ >/dev/null 2>&1; done
works "nor while links change" test ! -e /etc/marker-$$
is "cp of a host's file through a link shows the container's" "$(docker exec sly cat /etc/passwd)" "$(docker cp sly:/tmp/up/etc/passwd - | tar -xO)"
docker rm -f sly >/dev/null

# the API's own words
docker create --name still busybox true >/dev/null
like "HEAD tells about the path" '^\{"name":"sh","size":[0-9]+,"mode":134218239,"mtime":"[^"]*","linkTarget":"/bin/busybox"\}$' \
	"$(curl -sI --unix-socket sock 'http://d/v1.51/containers/still/archive?path=/bin/sh' | tr -d '\r' | sed -n 's/^X-Docker-Container-Path-Stat: //Ip' | base64 -d)"
is "no path" '{"message":"bad parameter: pathcannot be empty"}' "$(api GET '/v1.51/containers/still/archive')"
is "a file as a directory" '{"message":"lstat /bin/busybox/: not a directory"}' "$(api GET '/v1.51/containers/still/archive?path=/bin/busybox/')"
is "an archive to a file" '{"message":"extraction point is not a directory"} 400' "$(tar -c one | api PUT '/v1.51/containers/still/archive?path=/bin/busybox' -T - -w ' %{http_code}' | tr -d '\n')"

# export, commit
works "export" docker export -o tree.tar box
like "holds the tree" '^tmp/three$' "$(tar -tf tree.tar)"
is "and imports again" one "$(docker import -q tree.tar tree >/dev/null 2>&1 || docker import tree.tar tree >/dev/null; docker run --rm tree cat /tmp/three)"
works "commit" docker commit -a me -m why -c 'CMD ["cat","/tmp/three"]' -c 'ENV A=b' box made:1
like "prints the id" '^sha256:[0-9a-f]{64}$' "$out"
is "the image runs" one "$(docker run --rm made:1)"
is "with the instructions" b "$(docker run --rm made:1 sh -c 'echo $A')"
is "and its author" "me why" "$(docker inspect -f '{{.Author}} {{.Comment}}' made:1)"
is "on its parent" 2 "$(docker history -q made:1 | wc -l)"
works "commit of what has changed nothing" docker commit same made:0
is "adds no layer" "$(docker inspect -f '{{json .RootFS.Layers}}' busybox)" "$(docker inspect -f '{{json .RootFS.Layers}}' made:0)"
docker start ro >/dev/null 2>&1
works "commit of a running one" docker commit ro made:2
is "which goes on" true "$(docker inspect -f '{{.State.Running}} {{.State.Paused}}' ro | cut -d' ' -f1)"
is "unpaused" false "$(docker inspect -f '{{.State.Paused}}' ro)"
status "commit of none" 1 docker commit nope
like "says so" 'No such container: nope' "$out"
is "a deleted file is gone in the image" gone "$(docker commit changed made:3 >/dev/null; docker run --rm made:3 sh -c '[ -e /bin/yes ] || echo gone')"
docker rm -f $(docker ps -aq) >/dev/null
finish
