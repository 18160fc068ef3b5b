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

# ---- replies by version --------------------------------------------------------------------------------------------------------------------
docker import -c 'LABEL l=1' -c 'EXPOSE 80' "$R/b.tar.gz" shown:1 >/dev/null
like "inspect ends with the configuration" '"Config":\{"Cmd":null,"Entrypoint":null,"Env":null,"ExposedPorts":\{"80/tcp":\{\}\},"Labels":\{"l":"1"\},"OnBuild":null,"User":"","Volumes":null,"WorkingDir":""\}\}$' \
	"$(api GET /v1.51/images/shown:1/json)"
like "with a container's constants before 1.50" '"Config":\{"AttachStderr":false,"AttachStdin":false,"AttachStdout":false,"Cmd":null,"Domainname":""' "$(api GET /v1.49/images/shown:1/json)"
like "and more before 1.44" '"ContainerConfig":\{.*"VirtualSize":[1-9]' "$(api GET /v1.43/images/shown:1/json)"
list='images/json?filters=%7B%22reference%22:%5B%22shown%22%5D%7D'
like "a list counts containers" '"Containers":0' "$(api GET /v1.51/$list)"
like "not before 1.51" '"Containers":-1' "$(api GET /v1.50/$list)"
like "no digests before 1.43" '"RepoDigests":null' "$(api GET /v1.42/$list)"
like "shared with whatever else there is" '"SharedSize":0,' "$(api GET "/v1.51/$list&shared-size=1")"
like "filter: label" 'shown:1' "$(docker images -f label=l=1 --format '{{.Repository}}:{{.Tag}}')"
is "filter: another label" "" "$(docker images -qf label=l=2)"
like "filter: since" 'shown:1' "$(docker images -f since=busybox --format '{{.Repository}}:{{.Tag}}')"
is "filter: before" "" "$(docker images -qf before=busybox)"
is "filter: until, long ago" "" "$(docker images -qf until=1h)"
for f in '{"dangling":["true","false"]} invalid.filter..dangling=.true.false' '{"until":["x"]} failed.to.parse.value.as.time.or.duration' \
	'{"reference":["[x"]} syntax.error.in.pattern' '{"nosuch":["x"]} invalid.filter..nosuch'; do
	like "a bad filter: ${f%% *}" "${f#* }" "$(api GET /v1.51/images/json -G --data-urlencode "filters=${f%% *}")"
done
is "prune by label takes nothing else" "" "$(docker image prune -af --filter label=other | grep deleted)"
like "prune by label" 'untagged: shown:1' "$(docker image prune -af --filter label=l=1)"
like "system df" '^Images +1 ' "$(docker system df)"
mkdir -p "$R/oci/blobs/sha256"
docker save busybox | tar -C "$R/oci" -x --exclude manifest.json --exclude repositories
docker rmi -f busybox >/dev/null
works "load of an OCI layout" docker load -i <(tar -C "$R/oci" -c .)
is "the same image" "$id" "$(docker inspect -f '{{.Id}}' busybox)"

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
# ---- archives lie where DOCKER_TMPDIR says, and a daemon's start leaves alone what another one is at
docker save -o "$R/again.tar" busybox
stop_daemon
mkdir "$R/elsewhere" "$R/elsewhere/docker-import-other" "$R/elsewhere/docker-import-killed"
mkfifo "$R/slow.tar"
DOCKER_TMPDIR=$R/elsewhere
export DOCKER_TMPDIR
exec 8<"$R/elsewhere/docker-import-other"
flock 8
start_daemon
is "what a killed daemon left is swept, what is in use is not" docker-import-other "$(ls "$R/elsewhere")"
docker load -i "$R/slow.tar" >"$R/slow.out" 2>&1 &
{
	head -c 100000 "$R/again.tar"
	until [ -n "$(find "$R/elsewhere" -mindepth 2)" ]; do :; done
	tail -c +100001 "$R/again.tar"
} >"$R/slow.tar"
wait $!
like "an archive is read there" "Loaded image" "$(cat "$R/slow.out")"
is "and nothing of it stays" docker-import-other "$(ls "$R/elsewhere")"
exec 8<&-
unset DOCKER_TMPDIR
docker create --name kin busybox true >/dev/null
docker commit kin parent:1 >/dev/null
docker rm kin >/dev/null
docker create --name kin parent:1 true >/dev/null
works "commit with changes" docker commit -c 'ENTRYPOINT ["x"]' -c 'WORKDIR one' -c 'WORKDIR two' kin kid:1
is "  an entry point drops the arguments of before; directories add up" '["x"] null /one/two' "$(docker inspect -f '{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Config.WorkingDir}}' kid:1)"
docker rm kin >/dev/null
works "the last tag of an image with children goes" docker rmi parent:1
docker rmi kid:1 >/dev/null
EXPECTED_ERRORS='.' finish
