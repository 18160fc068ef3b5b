# SPDX-License-Identifier: Apache-2.0
# Images go to other tools and come back without a byte changed: skopeo, podman, the CLI's own manifest lists; layers that another host distributes;
# archives of other hosts.
. "$TOP/tests/lib/system.sh"
. "$TOP/tests/lib/registries.sh"
if ! command -v docker-registry >/dev/null; then
	skip "interchange" "docker-registry is not installed"
	echo "1..$n"
	exit
fi
trap stop_servers EXIT
registry 5020 "validation: {manifests: {urls: {allow: ['^http://']}}}"
python_server hostile 5010 "$R/hostile"
python_server elsewhere 5011 "$R/elsewhere"
start_daemon
make_image
H=127.0.0.1:5010 L=localhost:5020
pull() { pull_by_api "$1" "${2:-t}" "${@:3}" | tr -d '\r\n'; }

# ---- import of a URL ------------------------------------------------------------------------------------------------------------------------
works "import of a URL" docker import -c 'CMD ["x"]' http://127.0.0.1:5011/archive.tar from:url
like "says where from" '^Downloading from http://127.0.0.1:5011/archive.tar$' "$out"
is "the image is said last" "$(docker inspect -f '{{.Id}}' from:url)" "$(tail -1 <<<"$out")"
is "with the history moby writes" "Imported from http://127.0.0.1:5011/archive.tar" "$(docker history --format '{{.Comment}}' from:url)"
is "and the changes" '["x"]' "$(docker inspect -f '{{json .Config.Cmd}}' from:url)"
layer_of() { docker inspect -f '{{json .RootFS.Layers}}' "$1"; }
import_url() { api POST "/v1.51/images/create?fromSrc=$1" -w '%{http_code}' | tr -d '\r\n'; }
like "a host and a path are http" 'sha256:[0-9a-f]{64}"}200$' "$(import_url '127.0.0.1:5011/moved&repo=moved')"
is "a redirect leads to the same" "$(layer_of from:url)" "$(layer_of moved)"
like "what is not there" 'failed to GET http://127.0.0.1:5011/none with status 404 Not Found: "}404$' "$(import_url http://127.0.0.1:5011/none)"
like "nobody is there" '"Get .."http://127.0.0.1:1/x.": dial tcp 127.0.0.1:1: connect: connection refused"}500$' "$(import_url http://127.0.0.1:1/x | sed 's/\\"/"/g; s/"Get "/"Get .."/; s/x":/x.":/')"
like "another scheme" 'unsupported protocol scheme ..ftp.."}500$' "$(import_url ftp://127.0.0.1/x)"
like "a bad name is found before" 'must be lowercase"}400$' "$(import_url 'http://127.0.0.1:1/x&repo=UPPER')"
before=$(docker images -qa | wc -l)
like "an archive cut off" 'errorDetail.*200$' "$(import_url 'http://127.0.0.1:5011/cut.tar&repo=cut')"
is "leaves no image" "$before" "$(docker images -qa | wc -l)"
docker rmi -f from:url moved >/dev/null

# ---- layers that another host distributes -----------------------------------------------------------------------------------------------------
like "a foreign layer comes from its second URL" 'Status: Downloaded newer image' "$(pull $H/foreign)"
is "not from the registry" 2 "$(grep -c "GET /\(nosuch\|sha256\)" "$R/elsewhere/log")"
docker tag $H/foreign:t $L/foreign:1
works "its push" docker push $L/foreign:1
like "leaves the layer where it is" 'Skipped foreign layer' "$out"
manifest=$(curl -s -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' http://$L/v2/foreign/manifests/1)
like "and says where" '"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",.*"urls": \[ *"http://127.0.0.1:5011/nosuch", *"http://127.0.0.1:5011/sha256:' "$(tr -d '\n' <<<"$manifest")"
foreign=$(grep -A3 foreign <<<"$manifest" | sed -n 's/.*"digest": "\(.*\)".*/\1/p')
is "the registry has it not" 404 "$(curl -s -o /dev/null -w '%{http_code}' -I http://$L/v2/foreign/blobs/$foreign)"
id=$(docker inspect -f '{{.Id}}' $L/foreign:1)
docker rmi -f $H/foreign:t $L/foreign:1 >/dev/null
like "the pull of that finds it" 'Status: Downloaded newer image' "$(pull $L/foreign 1)"
is "the same image" "$id" "$(docker inspect -f '{{.Id}}' $L/foreign:1)"
docker rmi -f "$id" >/dev/null
like "a foreign layer that is another one" 'filesystem layer verification failed' "$(pull $H/foreign-lie)"
pull $L/foreign 1 >/dev/null
stop_daemon
start_daemon '"allow-nondistributable-artifacts": ["'$L'"]'
works "a registry that may have it" docker push $L/foreign:1
unlike "gets it" 'Skipped foreign layer' "$out"
docker rmi -f $L/foreign:1 >/dev/null
: >"$R/elsewhere/log"
like "and gives it" 'Status: Downloaded newer image' "$(pull $L/foreign 1)"
is "nobody else is asked" "" "$(cat "$R/elsewhere/log")"
docker rmi -f $L/foreign:1 >/dev/null

# ---- the CLI's manifest lists ----------------------------------------------------------------------------------------------------------------
id=$(docker inspect -f '{{.Id}}' busybox)
docker tag busybox $L/box:1
docker push -q $L/box:1 >/dev/null
pushed=$(digest_of $L/box 1)
works "manifest inspect" docker manifest inspect --insecure $L/box:1
works "manifest create" docker manifest create --insecure $L/box:list $L/box:1
works "manifest push" docker manifest push --insecure $L/box:list
docker rmi $L/box:1 >/dev/null
works "pull of the list" docker pull $L/box:list
is "is the image of this platform" "$id" "$(docker inspect -f '{{.Id}}' $L/box:list)"
like "the digest of the list is noted" "^$L/box@sha256:" "$(docker inspect -f '{{index .RepoDigests 0}}' $L/box:list)"
docker tag $L/box:list $L/box:again
works "push of what came by a list" docker push $L/box:again
is "is what was pushed first" "$pushed" "$(digest_of $L/box again)"
docker rmi $L/box:list $L/box:again >/dev/null

# ---- skopeo ----------------------------------------------------------------------------------------------------------------------------------
gone() { docker rmi -f "$id" >/dev/null; }
come() { is "$1: the very image" "$id" "$(docker inspect -f '{{.Id}}' "$2")"; gone; }
if command -v skopeo >/dev/null; then
	copy() { skopeo --insecure-policy copy -q --src-tls-verify=false --dest-tls-verify=false "$@"; }
	layers=$(layer_of busybox)
	docker save -o "$R/saved.tar" busybox
	is "skopeo sees the digest of our push" "$pushed" "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://$L/box:1)"
	gone
	works "our save to a registry" copy docker-archive:"$R/saved.tar" docker://$L/from:save
	docker pull -q $L/from:save >/dev/null
	come "our save, a registry, our pull" $L/from:save
	works "our push to an archive" copy docker://$L/box:1 docker-archive:"$R/a.tar":skopeo/a:1
	docker load -qi "$R/a.tar" >/dev/null
	come "our push, its archive, our load" skopeo/a:1
	works "our push to an OCI layout" copy docker://$L/box:1 oci:"$R/oci":skopeo/b:1
	tar -C "$R/oci" -cf "$R/oci.tar" .
	oci=$(docker load -i "$R/oci.tar" | sed -n 's/.*: \(sha256:.*\|.*:1\)$/\1/p')
	is "its OCI layout, our load: the same layers" "$layers" "$(layer_of "$oci")"
	docker rmi -f "$oci" >/dev/null
	works "its registry copy with zstd" copy -f oci --dest-compress-format zstd docker-archive:"$R/saved.tar" docker://$L/oci:zstd
	docker pull -q $L/oci:zstd >/dev/null
	is "and our pull: the same layers" "$layers" "$(layer_of $L/oci:zstd)"
	docker rmi -f $L/oci:zstd >/dev/null
else
	skip "skopeo" "no skopeo here"
fi

# ---- podman ----------------------------------------------------------------------------------------------------------------------------------
if command -v podman >/dev/null; then
	P=${R%/*}/p # it takes no long paths
	podman() { command podman --root "$P/root" --runroot "$P/run" --tmpdir "$P/tmp" --storage-driver vfs "$@"; }
	[ -e "$DOCKER_CONFIG/config.json" ] || echo "{}" >"$DOCKER_CONFIG/config.json"
	docker pull -q $L/box:1 >/dev/null
	docker save -o "$R/saved.tar" $L/box:1
	gone
	works "podman loads our save" podman load -qi "$R/saved.tar"
	works "and saves" podman save -qo "$R/podman.tar" $L/box:1
	docker load -qi "$R/podman.tar" >/dev/null
	come "which we load" $L/box:1
	podman rmi -f $L/box:1 >/dev/null
	works "podman pulls our push" podman pull -q --tls-verify=false $L/box:1
	works "and pushes" podman push -q --tls-verify=false --format v2s2 $L/box:1 docker://$L/podman:1
	docker pull -q $L/podman:1 >/dev/null
	come "which we pull" $L/podman:1
	umount "$P/root/vfs" 2>/dev/null
	rm -rf "$P"
else
	skip "podman" "no podman here"
fi
docker rmi -f $(docker images -qa) >/dev/null 2>&1
stop_servers
finish
