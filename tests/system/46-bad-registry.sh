# SPDX-License-Identifier: Apache-2.0
# Registries that misbehave, connections that break, clients that go away, a daemon that is killed in the middle.
. "$TOP/tests/lib/system.sh"
. "$TOP/tests/lib/registries.sh"
trap stop_servers EXIT
H=127.0.0.1:5010
python_server hostile 5010 "$R/hostile"
python_server elsewhere 5011 "$R/elsewhere"
start_daemon
pull() { # REPOSITORY TAG: its stream and status on one line
	pull_by_api "$H/$1" "${2:-t}" "${@:3}" | tr -d '\r\n'
}
settle() { docker image prune -f >/dev/null; } # which waits for what was removed to leave the disk
nothing_kept() {
	settle
	is "$1: no image" "" "$(docker images -qa)"
	is "$1: no layer" "" "$(ls "$R/data/image"/*/layerdb/sha256 "$R/data/image"/*/layerdb/tmp | grep -v :)"
	is "$1: no file" "" "$(ls -A "$R/data/tmp")"
}

# ---- what is not what it says ---------------------------------------------------------------------------------------------------------
like "a good one" 'Status: Downloaded newer image.*200$' "$(pull good-one)"
docker rmi -f $(docker images -q) >/dev/null
like "a layer with a wrong digest" 'errorDetail.*filesystem layer verification failed for digest sha256:' "$(pull wrong-layer)"
nothing_kept "wrong layer"
like "a configuration with a wrong digest" 'image config verification failed for digest' "$(pull wrong-config)"
like "a manifest with a wrong digest" 'manifest verification failed for digest' "$(pull wrong-manifest)"
like "an archive that is not the configuration's" 'failed to register layer: layer is damaged: its digest is sha256:' "$(pull wrong-diff)"
nothing_kept "wrong archive"
like "a layer longer than the manifest says" 'it is longer than the [0-9]+ bytes of the manifest' "$(pull long-layer)"
like "a manifest without end" 'is larger than 4194304 bytes' "$(pull endless-manifest)"
like "tags without end" 'lists more than 50000 tags' "$(pull_by_api "$H/endless-tags" "" | tr -d '\r\n')"
like "pages of tags without end" 'list of tags has no end' "$(pull_by_api "$H/empty-pages" "" | tr -d '\r\n')"
like "a tag that is a book" 'list of tags is malformed' "$(pull_by_api "$H/long-tag" "" | tr -d '\r\n')"
like "headers without end" '"message":"Head' "$(pull endless-headers)"
like "a configuration of a terabyte" 'is too large: 1099511627776 bytes' "$(pull huge-claim)"
like "a negative size" 'has no valid size' "$(pull negative)"
like "an image that is a list as well" 'it is both an image and a list of images' "$(pull both)"
like "fewer layers than the configuration has" "layers from manifest don't match image configuration" "$(pull fewer)"
like "a layer that is no layer" 'unsupported media type ..application/x-executable' "$(pull strange-layer)"
like "a digest that is a path" 'has the invalid digest' "$(pull traversal)"
like "lists without end" 'manifest verification failed for digest|no matching manifest' "$(pull list-of-itself)"
like "redirects without end" 'stopped after 10 redirects' "$(pull round-and-round)"
like "a repository that is not there" 'repository 127.0.0.1:5010/nosuch not found: name unknown: repository name not known to registry.*404$' "$(pull nosuch)"
nothing_kept "all of them"

# ---- other kinds of images --------------------------------------------------------------------------------------------------------------
like "an OCI index with a plain layer" 'Downloaded newer image' "$(pull oci)"
is "is the same image" "$(python3 "$TOP/tests/lib/registry.py" image "$R" && tar -xOf "$R/image.tar" c.json | sha256sum | cut -d' ' -f1)" \
	"$(docker inspect -f '{{.Id}}' $H/oci:t | cut -d: -f2)"
like "another platform of the index is not taken for it" 'manifest verification failed|no matching manifest|manifest unknown' \
	"$(api POST "/v1.51/images/create?fromImage=$H/oci&tag=t&platform=linux/s390x" | tr -d '\r\n')"
docker rmi -f $(docker images -q) >/dev/null
like "schema 1" 'Downloaded newer image' "$(pull schema1)"
is "with its command" '["/old"]' "$(docker inspect -f '{{json .Config.Cmd}}' $H/schema1:t)"
is "and history" "newest oldest" "$(docker history --no-trunc --format '{{.CreatedBy}}' $H/schema1:t | xargs)"
docker rmi -f $(docker images -q) >/dev/null

# ---- credentials -------------------------------------------------------------------------------------------------------------------------
like "a layer behind a redirect to another host" 'Downloaded newer image' "$(pull locked t -H "X-Registry-Auth: $(auth_header u p)")"
grep -q 'GET /v2/locked/.* Basic' "$R/hostile/log" && pass "the registry got the password" || fail "the registry got the password"
is "the other host was asked" 3 "$(wc -l <"$R/elsewhere/log")"
unlike "without it" Basic "$(cat "$R/elsewhere/log")"
docker rmi -f $(docker images -q) >/dev/null

like "a blob that asks for a password elsewhere" 'unauthorized|401' "$(pull asked-elsewhere t -H "X-Registry-Auth: $(auth_header u p)")"
like "a URL that two readers understand differently" 'refused URL' "$(pull confused t -H "X-Registry-Auth: $(auth_header u p)")"
grep -q ' /ask ' "$R/elsewhere/log" && pass "the other host asked" || fail "the other host asked"
unlike "and got no password" 'Basic|Bearer' "$(cat "$R/elsewhere/log")"
nothing_kept "credentials"

# ---- documents with two faces ---------------------------------------------------------------------------------------------------------------
honest=$(curl -sI "http://$H/v2/two-faced/manifests/t" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //Ip')
like "a digest of a part that is not read" '"errorDetail"' "$(pull two-faced "$honest")"
like "an empty row before a damaged one" 'v1Compatibility' "$(pull throwaway)"
nothing_kept "two faces"
works "the daemon is still there" docker version

# ---- what breaks on the way ----------------------------------------------------------------------------------------------------------------
out=$(pull cut)
like "a connection cut twice" 'Downloaded newer image' "$out"
like "is tried again, counting down" 'Retrying in 5 seconds.*Retrying in 1 second' "$out"
docker rmi -f $(docker images -q) >/dev/null

# ---- one layer for two ---------------------------------------------------------------------------------------------------------------------
: >"$R/hostile/log"
exec 7< <(api POST "/v1.51/images/create?fromImage=$H/gated&tag=a" -N)
timeout 60 sed '/Downloading/q' <&7 >/dev/null
exec 6< <(api POST "/v1.51/images/create?fromImage=$H/gated&tag=b" -N)
timeout 60 sed '/Pulling fs layer/q' <&6 >/dev/null
curl -s -o /dev/null http://$H/open-the-gate
like "two pulls of one layer: the first" 'Status: Downloaded newer image' "$(cat <&7)"
like "and the second" 'Status: Downloaded newer image' "$(cat <&6)"
layer=$(grep -c 'GET /v2/gated/blobs' "$R/hostile/log")
is "the layer came once (and the configuration for each)" 3 "$layer"
exec 7<&- 6<&-
docker rmi -f $(docker images -q) >/dev/null

# ---- a client that goes away -------------------------------------------------------------------------------------------------------------------
exec 7< <(exec curl -sN --max-time 60 --unix-socket "$R/sock" -X POST "http://d/v1.51/images/create?fromImage=$H/abandoned&tag=t")
reader=$!
timeout 60 sed '/Downloading/q' <&7 >/dev/null
kill $reader
exec 7<&-
is "whose client leaves ends its downloads" 200 "$(curl -s -o /dev/null -w '%{http_code}' http://$H/wait-for-the-end)"
works "the daemon goes on" docker version
nothing_kept "cancelled"
exec 7< <(api POST "/v1.51/images/create?fromImage=$H/abandoned&tag=t" -N)
timeout 60 sed '/Downloading/q' <&7 >/dev/null
kill "$daemon"
works "a daemon that ends does not wait for downloads" wait_pid "$daemon"
like "which end with it" 'context canceled|^$' "$(cat <&7)"
exec 7<&-
start_daemon
nothing_kept "ended"

# ---- kill -9 at every step: the old state or the new one ---------------------------------------------------------------------------------------
stop_daemon
if ! grep -q 'define ENABLE_FAULTS 1' "$BUILD/config.h"; then
	skip "kills" "built without fault points"
else
	for point in registry.fetch.after-download image.layer.after-prepare image.layer.after-extract image.layer.after-draft image.layer.after-draft@2 image.layer.after-sync image.layer.after-publish \
		image.layer.after-publish@2 image.stack.before-put image.put.after-content registry.pull.after-image image.tags.before-write \
		registry.pull.between-references image.tags.after-write; do
		DOCKERD_FAULT="${point%@*}=kill${point#"${point%@*}"}" start_daemon
		pull good-one >/dev/null
		wait_pid "$daemon"
		start_daemon
		settle
		left_images=$(docker images -qa | sort -u | wc -l)
		[ "$left_images" -le 1 ] && pass "$point: the old state or the new" || fail "$point: the old state or the new" "$(docker images -a)"
		[ "$left_images" = 1 ] || is "$point: no layer is left" "" "$(ls "$R/data/image"/*/layerdb/sha256 "$R/data/image"/*/layerdb/tmp | grep -v :)"
		is "$point: no file is left" "" "$(ls -A "$R/data/tmp")"
		like "$point: the pull works now" 'Status: .* for 127.0.0.1:5010/good-one:t.*200$' "$(pull good-one)"
		docker rmi -f $(docker images -q) >/dev/null
		nothing_kept "$point"
		stop_daemon
	done
	registry 5012
	python3 "$TOP/tests/lib/registry.py" image "$R"
	for point in registry.push.after-upload registry.push.before-manifest; do
		DOCKERD_FAULT="$point=kill" start_daemon
		docker load -qi "$R/image.tar" >/dev/null
		docker tag hostile:good localhost:5012/$point:1
		status "$point: the push fails" 1 docker push localhost:5012/$point:1
		wait_pid "$daemon"
		start_daemon
		works "$point: and works now" docker push localhost:5012/$point:1
		stop_daemon
	done
	start_daemon
fi
docker rmi -f $(docker images -q) >/dev/null
finish
