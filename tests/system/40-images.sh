# SPDX-License-Identifier: Apache-2.0
# Images: import, load, save, tag, list, inspect, history, rmi.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

id=$(docker inspect -f '{{.Id}}' busybox)
like "an id is a digest" '^sha256:[0-9a-f]{64}$' "$id"
is "images" "busybox latest" "$(docker images --format '{{.Repository}} {{.Tag}}')"
is "images -q --no-trunc" "$id" "$(docker images -q --no-trunc)"
works "tag" docker tag busybox registry.example:5000/me/box:v1
is "both names, one id" "$id" "$(docker inspect -f '{{.Id}}' registry.example:5000/me/box:v1)"
is "images REPOSITORY" v1 "$(docker images --format '{{.Tag}}' registry.example:5000/me/box)"
is "images filter: reference" v1 "$(docker images --format '{{.Tag}}' -f 'reference=*/me/*')"
status "a bad tag" 1 docker tag busybox UPPER
like "is refused" 'invalid reference format: repository name .*must be lowercase' "$out"
like "history" 'Imported from -' "$(docker history --format '{{.Comment}}' busybox)"
is "inspect: changes of import" '["sh"]' "$(docker inspect -f '{{json .Config.Cmd}}' busybox)"
works "save" docker save -o "$R/two.tar" busybox registry.example:5000/me/box:v1
like "has a manifest" '"RepoTags":\["(busybox:latest|registry.example:5000/me/box:v1)' "$(tar -xOf "$R/two.tar" manifest.json)"
works "rmi of a name" docker rmi registry.example:5000/me/box:v1
like "unties it only" '^Untagged: registry.example:5000/me/box:v1$' "$out"
docker create --name user busybox true >/dev/null
status "rmi of a used image is refused" 1 docker rmi busybox
like "with moby's words" 'conflict: unable to remove repository reference "busybox" \(must force\) - container [0-9a-f]{12} is using its referenced image' "$out"
docker rm user >/dev/null
works "rmi" docker rmi busybox
like "deletes it" "^Deleted: $id" "$out"
is "nothing is listed" "" "$(docker images -q)"
works "load" docker load -i "$R/two.tar"
like "says what" 'Loaded image: busybox:latest' "$out"
is "with the same id" "$id" "$(docker inspect -f '{{.Id}}' busybox)"
is "and runs" loaded "$(docker run --rm busybox echo loaded)"
is "save by stdout is the same twice" "$(docker save busybox | sha256sum)" "$(docker save busybox | sha256sum)"
docker save busybox | gzip >"$R/b.tar.gz"
works "load of gzip" docker load -i "$R/b.tar.gz"
status "load of rubbish" 1 docker load -i "$R/env.none"
head -c 20000 /dev/urandom >"$R/rubbish"
status "load of random bytes" 1 docker load -i "$R/rubbish"
truncate -s 4000 "$R/two.tar"
status "load of half a file" 1 docker load -i "$R/two.tar"
is "changes nothing" 2 "$(docker images -q --no-trunc | wc -l)"
works "import with a message" docker import -m words "$R/b.tar.gz" other:1
is "is in the history" words "$(docker history --format '{{.Comment}}' other:1)"
works "rmi of several, forced" docker rmi -f other:1 registry.example:5000/me/box:v1
works "image prune" docker image prune -f
is "leaves what is named" 1 "$(docker images -q | wc -l)"
for path in ../../etc/passwd /../../x; do
	mkdir -p "$R/evil" && echo evil >"$R/evil/f"
	tar -C "$R/evil" -P --transform "s,.*,$path," -cf "$R/evil.tar" f 2>/dev/null
	docker import "$R/evil.tar" evil >/dev/null 2>&1
	[ ! -e "$R/data/x" ] && [ "$(head -1 /etc/passwd)" != evil ] && pass "a member $path stays inside" || fail "a member $path stays inside"
done
docker rmi -f evil >/dev/null 2>&1

# ---- what is not there -----------------------------------------------------------------------------------------------------------------------
status "pull where there is no network" 1 docker pull nosuch
like "says what it looked for" 'lookup registry-1.docker.io: no such host' "$out"
is "create without the image: 404" 404 "$(api POST /v1.43/containers/create -H 'Content-Type: application/json' -d '{"Image":"nosuch"}' -o "$R/body" -w '%{http_code}')"
is "in moby's words" '{"message":"No such image: nosuch:latest"}' "$(cat "$R/body")"
status "run: not found, then the pull's error" 125 docker run --rm nosuch
like "the first" "Unable to find image 'nosuch:latest' locally" "$out"
like "the second" 'no such host' "$out"
status "rmi of nothing" 1 docker rmi nosuch
like "says so" 'No such image: nosuch' "$out"
EXPECTED_ERRORS='.' finish
