# SPDX-License-Identifier: Apache-2.0
# Registries that behave: pull, push, login, search with Debian's docker-registry: plain, TLS, passwords, tokens.
. "$TOP/tests/lib/system.sh"
. "$TOP/tests/lib/registries.sh"
if ! command -v docker-registry >/dev/null; then
	skip "registries" "docker-registry is not installed"
	echo "1..$n"
	exit
fi
trap stop_servers EXIT
memory() { awk '/^Pss_Anon:/ { print $2 }' "/proc/$daemon/smaps_rollup"; }

registry 5000
start_daemon '"max-concurrent-downloads": 2'
make_image
small=$(memory)

# ---- push and pull ------------------------------------------------------------------------------------------------------------------
id=$(docker inspect -f '{{.Id}}' busybox)
docker tag busybox localhost:5000/a/box:1
works "push" docker push localhost:5000/a/box:1
like "says where to" 'The push refers to repository \[localhost:5000/a/box\]' "$out"
like "and what came of it" '^1: digest: sha256:[0-9a-f]{64} size: [0-9]+$' "$out"
pushed=$(sed -n 's/^1: digest: \([^ ]*\) .*/\1/p' <<<"$out")
is "the registry has that digest" "$pushed" "$(digest_of localhost:5000/a/box 1)"
is "the digest is noted" "localhost:5000/a/box@$pushed" "$(docker inspect -f '{{index .RepoDigests 0}}' localhost:5000/a/box:1)"
works "push again" docker push localhost:5000/a/box:1
like "uploads nothing" 'Layer already exists' "$out"
docker tag busybox localhost:5000/b/other:2
works "push to another repository" docker push localhost:5000/b/other:2
like "mounts the layer" 'Mounted from a/box' "$out"
is "with the same digest" "$pushed" "$(digest_of localhost:5000/b/other 2)"
docker rmi -f "$id" >/dev/null
is "nothing is here" "" "$(docker images -q)"
works "pull" docker pull localhost:5000/a/box:1
like "names the repository" '^1: Pulling from a/box$' "$out"
like "unpacks" '^[0-9a-f]{12}: Pull complete$' "$out"
like "and says the digest" "^Digest: $pushed\$" "$out"
like "and that it is new" '^Status: Downloaded newer image for localhost:5000/a/box:1$' "$out"
is "the very image" "$id" "$(docker inspect -f '{{.Id}}' localhost:5000/a/box:1)"
run_is "that runs" pulled localhost:5000/a/box:1 echo pulled
works "pull again" docker pull localhost:5000/a/box:1
like "is up to date" '^Status: Image is up to date for localhost:5000/a/box:1$' "$out"
docker rmi -f "$id" >/dev/null
works "pull by digest" docker pull "localhost:5000/a/box@$pushed"
is "gives it no tag" "<none>" "$(docker images --format '{{.Tag}}' localhost:5000/a/box)"
docker tag "$id" localhost:5000/a/box:1
docker tag "$id" localhost:5000/a/box:2
works "push of all tags" docker push -a localhost:5000/a/box
docker rmi -f "$id" >/dev/null
works "pull of all tags" docker pull -a localhost:5000/a/box
is "brings both" "1 2" "$(docker images --format '{{.Tag}}' localhost:5000/a/box | sort | xargs)"
works "run pulls what is missing" docker run --rm localhost:5000/b/other:2 echo fetched
like "and runs it" fetched "$out"
before=$(docker events --since 1 --until "$(date +%s.%N)" -f type=image --format '{{.Action}} {{.Actor.ID}}')
like "the event of a push" '^push localhost:5000/a/box:1$' "$before"
like "the event of a pull" '^pull localhost:5000/b/other:2$' "$before"
like "a layer comes out as it went in" "^$id" "$(docker inspect -f '{{.Id}}' localhost:5000/b/other:2)"

# ---- what is wrong is said in moby's words ---------------------------------------------------------------------------------------------
like "no such tag" '"message":"manifest for localhost:5000/a/box:no not found: manifest unknown: manifest unknown".*404$' \
	"$(pull_by_api localhost:5000/a/box no | tr -d '\n')"
like "no such digest" 'not found: manifest unknown.*404$' "$(pull_by_api localhost:5000/a/box "sha256:$(printf 'a%.0s' {1..64})" | tr -d '\n')"
like "nobody answers" '"Get \\"http://localhost:1/v2/\\": dial tcp .*:1: connect: connection refused".*500$' "$(pull_by_api localhost:1/x 1 | tr -d '\n')"
like "no such host" 'lookup no.such.host.invalid: no such host.*500$' "$(pull_by_api no.such.host.invalid/x 1 | tr -d '\n')"
like "a bad tag" 'invalid tag format.*400$' "$(pull_by_api busybox a:b | tr -d '\n')"
like "scratch" "'scratch' is a reserved name.*403\$" "$(pull_by_api scratch latest | tr -d '\n')"
like "a bad platform" 'cannot parse platform specifier.*400$' "$(api POST '/v1.51/images/create?fromImage=x&tag=y&platform=a/b/c/d' -w '%{http_code}' | tr -d '\n')"
status "push of nothing" 1 docker push localhost:5000/none
like "says so" 'An image does not exist locally with the tag: localhost:5000/none' "$out"
status "push of no such tag" 1 docker push localhost:5000/a/box:9
like "says which" 'tag does not exist: localhost:5000/a/box:9' "$out"

# ---- distribution ------------------------------------------------------------------------------------------------------------------------
like "distribution inspect" "\"Descriptor\":\{\"mediaType\":\"application/vnd.docker.distribution.manifest.v2\+json\",\"digest\":\"$pushed\"" \
	"$(api GET /v1.51/distribution/localhost:5000/a/box:1/json)"
like "with the platform" '"Platforms":\[\{"architecture":"(amd64|arm64)","os":"linux"\}\]' "$(api GET /v1.51/distribution/localhost:5000/a/box:1/json)"
is "of nothing: 404" 404 "$(api GET /v1.51/distribution/localhost:5000/a/box:9/json -o /dev/null -w '%{http_code}')"

# ---- passwords ----------------------------------------------------------------------------------------------------------------------------
htpasswd -Bbn u p >"$R/htpasswd" 2>/dev/null
registry 5001 "auth: {htpasswd: {realm: tests, path: $R/htpasswd}}"
docker tag "$id" localhost:5001/a/box:1
status "push without a password" 1 docker push localhost:5001/a/box:1
like "is refused" 'no basic auth credentials' "$out"
status "login with a wrong one" 1 docker login -u u -p x localhost:5001
like "fails" 'failed with status: 401 Unauthorized' "$out"
works "login" docker login -u u -p p localhost:5001
works "push" docker push localhost:5001/a/box:1
docker rmi localhost:5001/a/box:1 >/dev/null
works "pull" docker pull localhost:5001/a/box:1
like "a wrong password at pull" 'unauthorized: authentication required.*401$' \
	"$(pull_by_api localhost:5001/a/box 1 -H "X-Registry-Auth: $(auth_header u x)" | tr -d '\n')"
works "logout" docker logout localhost:5001

# ---- tokens --------------------------------------------------------------------------------------------------------------------------------
certificate "$R/tokens" tests
rm "$R/tokens/tls.pem" # it speaks HTTP
python_server tokens 5003 "$R/tokens"
registry 5002 "auth: {token: {realm: 'http://127.0.0.1:5003/token', service: registry, issuer: tests, rootcertbundle: $R/tokens/cert.pem}}"
docker tag "$id" localhost:5002/open/box:1
docker tag "$id" localhost:5002/open/box2:1
status "push without credentials" 1 docker push localhost:5002/open/box:1
like "is refused" 'denied: requested access to the resource is denied|unauthorized: authentication required' "$out"
works "login for a token" docker login -u u -p p localhost:5002
like "keeps the token, not the password" '"identitytoken": *"keepme"' "$(cat "$DOCKER_CONFIG/config.json")"
works "push with the identity token" docker push localhost:5002/open/box:1
works "push with a mount" docker push localhost:5002/open/box2:1
like "that the token allows" 'Mounted from|Layer already exists' "$out"
docker logout localhost:5002 >/dev/null
docker rmi localhost:5002/open/box:1 localhost:5002/open/box2:1 >/dev/null
works "pull without credentials, by a token for everybody" docker pull localhost:5002/open/box:1
status "login with a wrong password" 1 docker login -u u -p x localhost:5002
like "says what the token server says" 'unauthorized: incorrect username or password' "$out"
like "a token that a client brings along is used as it is" 'unauthorized' \
	"$(pull_by_api localhost:5002/open/box 1 -H "X-Registry-Auth: $(printf '{"registrytoken":"abc"}' | base64 -w0)")"
like "one that would be a request of its own is not sent" 'invalid header field value' \
	"$(pull_by_api localhost:5002/open/box 1 -H "X-Registry-Auth: $(printf '{"registrytoken":"a\\r\\n\\r\\nDELETE /v2/ HTTP/1.1"}' | base64 -w0)")"

# ---- TLS -----------------------------------------------------------------------------------------------------------------------------------
mkdir "$R/etc" "$R/etc.work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$R/etc,workdir=$R/etc.work" /etc 2>/dev/null || { mount -t tmpfs none "$R/etc.work" &&
	mkdir "$R/etc.work/u" "$R/etc.work/w" && mount -t overlay overlay -o "lowerdir=/etc,upperdir=$R/etc.work/u,workdir=$R/etc.work/w" /etc; }
echo '127.0.0.1 registry.test plain.test' >>/etc/hosts
ip addr add 192.0.2.1/32 dev lo
echo '192.0.2.1 far.test' >>/etc/hosts
certificate "$R/tls" far.test
serve_until 'listening on' docker-registry serve <(printf 'version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "192.0.2.1:5004", tls: {certificate: %s, key: %s}}\n' \
	"$R/registry.5000" "$R/tls/cert.pem" "$R/tls/key.pem")
docker rmi -f "$id" >/dev/null
status "a certificate of nobody we know" 1 docker pull far.test:5004/a/box:1
like "is not accepted" 'tls: failed to verify certificate: x509: certificate signed by unknown authority' "$out"
mkdir -p /etc/docker/certs.d/far.test:5004
cp "$R/tls/cert.pem" /etc/docker/certs.d/far.test:5004/ca.crt
works "with the authority in certs.d it is" docker pull far.test:5004/a/box:1
cp "$R/tls/cert.pem" /etc/docker/certs.d/far.test:5004/client.cert
status "a client certificate without its key" 1 docker pull far.test:5004/a/box:2
like "is refused" 'missing key client.key for client certificate client.cert' "$out"
rm -r /etc/docker/certs.d/far.test:5004
serve_until 'listening on' docker-registry serve <(printf 'version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "192.0.2.1:5005"}\n' "$R/registry.5000")
status "a registry without TLS" 1 docker pull far.test:5005/a/box:1
like "must be named as insecure" 'http: server gave HTTP response to HTTPS client' "$out"
works "its network as insecure, by reload" sed -i 's,"hosts",'\''"insecure-registries": ["192.0.2.0/24"]\, "hosts",' "$R/daemon.json"
sed -i "s/'//g" "$R/daemon.json"
exec 9< <(timeout 60 "$DOCKER" events -f type=daemon --format '{{.Action}}' 2>&1)
kill -HUP "$daemon"
works "pull from it" timeout 60 bash -c 'until "$0" pull far.test:5005/a/box:2; do grep -qm1 reload <&9 || exit 1; done' "$DOCKER"
exec 9<&-
works "and with TLS without looking at the certificate" docker pull far.test:5004/a/box:2

certificate "$R/client" somebody
serve_until 'listening on' docker-registry serve <(printf 'version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "192.0.2.1:5007", tls: {certificate: %s, key: %s, clientcas: [%s]}}\n' \
	"$R/registry.5000" "$R/tls/cert.pem" "$R/tls/key.pem" "$R/client/cert.pem")
status "a registry that wants to know who we are" 1 docker pull far.test:5007/a/box:2
mkdir -p /etc/docker/certs.d/far.test:5007
cp "$R/tls/cert.pem" /etc/docker/certs.d/far.test:5007/ca.crt
cp "$R/client/cert.pem" /etc/docker/certs.d/far.test:5007/us.cert
cp "$R/client/key.pem" /etc/docker/certs.d/far.test:5007/us.key
works "is shown our certificate" docker pull far.test:5007/a/box:2
rm -r /etc/docker/certs.d/far.test:5007

# ---- proxy ---------------------------------------------------------------------------------------------------------------------------------
python_server proxy 5008 "$R/proxy"
stop_daemon
start_daemon '"insecure-registries": ["192.0.2.0/24"], "proxies": {"http-proxy": "http://127.0.0.1:5008", "no-proxy": "localhost,192.0.2.9"}'
docker rmi -f $(docker images -q) >/dev/null
works "pull through a proxy" docker pull far.test:5005/a/box:2
like "that saw it" 'GET http://far.test:5005/v2/a/box/blobs/sha256:' "$(cat "$R/proxy/log")"
is "docker info shows it" http://127.0.0.1:5008 "$(docker info -f '{{.HTTPProxy}}')"
works "pull from this host" docker pull localhost:5000/a/box:2
unlike "goes past it" localhost:5000 "$(cat "$R/proxy/log")"

# ---- search, mirror, memory ----------------------------------------------------------------------------------------------------------------
python_server index 5006 "$R/index"
is "search at a registry" $'first 12 [OK]\nme/second 1 ' "$(docker search --format '{{.Name}} {{.StarCount}} {{.IsOfficial}}' localhost:5006/x)"
is "with a filter" first "$(docker search -f stars=3 --format '{{.Name}}' localhost:5006/x)"
is "with a limit" 1 "$(docker search --limit 1 --format '{{.Name}}' localhost:5006/x | wc -l)"
is "a limit out of range: 400" 400 "$(api GET '/v1.51/images/search?term=x&limit=1000' -o /dev/null -w '%{http_code}')"
is "another filter: 400" 400 "$(api GET '/v1.51/images/search?term=x&filters=%7B%22y%22:%5B%22z%22%5D%7D' -o /dev/null -w '%{http_code}')"
status "a registry without search" 1 docker search localhost:5000/x
like "says so" 'Unexpected status code 404' "$out"
docker tag far.test:5005/a/box:2 localhost:5000/library/hub:1
docker push -q localhost:5000/library/hub:1 >/dev/null
docker rmi -f "$id" >/dev/null
stop_daemon
start_daemon '"registry-mirrors": ["http://localhost:5000"]'
works "a mirror stands in for the Hub" docker pull hub:1
like "under its own name" 'Downloaded newer image for hub:1' "$out"
status "what it does not have is asked of the Hub" 1 docker pull hub:2
like "itself" 'registry-1.docker.io' "$out"
grep -q libcurl "/proc/$daemon/maps" && pass "the registry client is in memory after a pull" || fail "the registry client is in memory after a pull"
stop_daemon
start_daemon
grep -q libcurl "/proc/$daemon/maps" && fail "and not before" || pass "and not before"
umount -l /etc
docker rmi -f "$id" >/dev/null
stop_servers
finish
