# SPDX-License-Identifier: Apache-2.0
# Registries for the system suite, sourced after system.sh: Debian's docker-registry, and the servers of tests/lib/registry.py.

servers=()

# Starts a command and waits until a line of its output matches.
serve_until() { # PATTERN COMMAND...
	local pattern=$1 log
	shift
	log=$R/server.${#servers[@]}
	mkfifo "$log"
	"$@" >"$log" 2>&1 &
	servers+=($!)
	exec 8<"$log"
	timeout 60 grep -qm1 -- "$pattern" <&8 || { fail "$1 serves"; exit 1; }
	# it must be able to go on writing
	cat <&8 >>"$R/servers.log" &
	servers+=($!)
	exec 8<&-
}
# registry PORT [more of its configuration]: data in $R/registry.PORT
registry() {
	printf 'version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nhttp:\n  addr: 127.0.0.1:%s\n%s\n' \
		"$R/registry.$1" "$1" "${2-}" >"$R/registry.$1.yml"
	serve_until 'listening on' docker-registry serve "$R/registry.$1.yml"
}
python_server() { serve_until ready python3 "$TOP/tests/lib/registry.py" "$@"; } # MODE PORT DIR
stop_servers() {
	kill "${servers[@]}" 2>/dev/null
	wait "${servers[@]}" 2>/dev/null
	servers=()
}
# certificate DIR NAME: cert.pem and key.pem, signed by itself, for the host
certificate() {
	mkdir -p "$1"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1/key.pem" -out "$1/cert.pem" -days 2 -subj "/CN=$2" \
		-addext "subjectAltName=DNS:$2,IP:127.0.0.1" 2>/dev/null
	cat "$1/cert.pem" "$1/key.pem" >"$1/tls.pem"
}
# digest_of REGISTRY/REPOSITORY TAG
digest_of() {
	curl -sI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://${1%%/*}/v2/${1#*/}/manifests/$2" |
		tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p'
}
auth_header() { printf '{"username":"%s","password":"%s"}' "$1" "$2" | base64 -w0; }
pull_by_api() { # NAME TAG [curl option...]: what the daemon says, its status last
	local name=$1 tag=$2
	shift 2
	api POST "/v1.51/images/create?fromImage=$name&tag=$tag" "$@" -w '%{http_code}'
}
