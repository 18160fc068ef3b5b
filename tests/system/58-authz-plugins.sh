# SPDX-License-Identifier: Apache-2.0
# Authorization plugins of the classic socket protocol, as processes: asked, denying, silent, gone.
. "$TOP/tests/lib/system.sh"
sockets=$R/plugins
mkdir -p "$sockets" "$R/p1" "$R/p2"
plugin() { plugin=$("$BUILD/tests/lib/plugin" "$@") || fail "plugin starts"; }
trap 'kill $one $two 2>/dev/null' EXIT
two=
decoded() { base64 -d 2>/dev/null; }
# The last question of a kind, or a text of it.
question() { grep "^/AuthZPlugin.$1 " "$R/p1/log" | tail -1 | sed 's/^[^ ]* //'; }
member() { question "$1" | grep -o "\"$2\":\"[^\"]*\"" | head -1 | cut -d'"' -f4; }

printf '{"data-root": "%s", "exec-root": "%s", "pidfile": "%s", "hosts": ["unix://%s"], "authorization-plugins": ["one"]}\n' \
	"$R/data" "$R/exec" "$R/pid" "$R/sock" >"$R/no.json"
status "without the plugin" 1 "$BUILD/dockerd" --config-file "$R/no.json"
like "in moby's words" 'failed to validate authorization plugin: plugin "one" not found; nor is there a driver: ' "$out"
status "--validate, too" 1 "$BUILD/dockerd" --config-file "$R/no.json" --validate
plugin "$sockets/one.sock" "$R/p1" VolumeDriver
status "of another kind" 1 "$BUILD/dockerd" --config-file "$R/no.json"
like "in moby's words" 'failed to validate authorization plugin: legacy plugin: Plugin does not implement the requested driver: plugin="one", requested implementation="authz"' "$out"
kill "$plugin" && wait_pid "$plugin"
plugin "$sockets/one.sock" "$R/p1" authz
one=$plugin
works "--validate" "$BUILD/dockerd" --config-file "$R/no.json" --validate
status "options are for drivers" 1 "$BUILD/dockerd" --config-file "$R/no.json" --authz-opt one.x=1
like "says so" "authz-opt 'one.x=1' is for no driver of --authorization-plugin" "$out"

start_daemon '"authorization-plugins": ["one"]'
is "info" "[one]" "$(docker info -f '{{.Plugins.Authorization}}')"
api POST /v1.51/volumes/create -H 'Content-Type: application/json' -H 'X-Registry-Auth: secret' -H 'x-abc: 1' -H 'X-Abc: 2' -d '{"Name":"v1"}' >/dev/null
is "the request: method, address" "POST /v1.51/volumes/create" "$(member AuthZReq RequestMethod) $(member AuthZReq RequestUri)"
is "body" '{"Name":"v1"}' "$(member AuthZReq RequestBody | decoded)"
like "headers" '"RequestHeaders":\{"Accept":"\*/\*","Content-Length":"13","Content-Type":"application/json","User-Agent":"curl/[^"]*","X-Abc":"2"\}' "$(question AuthZReq)"
unlike "no credentials" "secret" "$(cat "$R/p1/log")"
like "the reply: status" '"ResponseStatusCode":201,' "$(question AuthZRes)"
like "body" '"Name":"v1","Options":null' "$(member AuthZRes ResponseBody | decoded)"
like "headers" '"ResponseHeaders":\{.*"Content-Type":"application/json"' "$(question AuthZRes)"
echo "AuthZReq GET" >"$R/p1/deny"
is "denied" '{"message":"authorization denied by plugin one: not here"}' "$(api GET /v1.51/info)"
is "403" 403 "$(api GET /v1.51/info -o /dev/null -w '%{http_code}')"
works "only that" docker volume create v2
echo "AuthZRes GET" >"$R/p1/deny"
is "the reply is denied" '{"message":"authorization denied by plugin one: not here"} 403' "$(api GET /v1.51/info -w ' %{http_code}' | tr -d '\n')"
echo "!" >"$R/p1/deny"
is "an error denies" '{"message":"plugin one failed with error: out of order"} 500' "$(api GET /v1.51/info -w ' %{http_code}' | tr -d '\n')"
: >"$R/p1/deny"
{ printf '{"Name":"v3"}' && head -c 3000000 /dev/zero | tr '\0' ' '; } >"$R/large"
api POST /v1.51/volumes/create -H 'Content-Type: application/json' --data-binary @"$R/large" >/dev/null
is "a large body is shown whole" 3000013 "$(member AuthZReq RequestBody | decoded | wc -c)"
{ printf '{"Name":"v4"}' && head -c 5000000 /dev/zero | tr '\0' ' '; } >"$R/large"
for how in "" "Transfer-Encoding: chunked"; do
	is "one that is too large is refused${how:+, $how}" '{"message":"request body too large for authorization plugin: size exceeds 4194304 bytes"} 500' \
		"$(api POST /v1.51/volumes/create -H 'Content-Type: application/json' -H "$how" --data-binary @"$R/large" -w ' %{http_code}' | tr -d '\n')"
done
unlike "and does nothing" v4 "$(docker volume ls -q)"
: >"$R/p1/log"
api POST /v1.51/auth -H 'Content-Type: application/json' -d '{"username":"u","password":"hidden","serveraddress":"127.0.0.1:1"}' >/dev/null
is "nothing of a login is shown" "/v1.51/auth " "$(member AuthZReq RequestUri) $(member AuthZReq RequestBody)"
kill "$one" && wait_pid "$one"
like "a plugin that is gone denies" '"plugin one failed with error: Post ..http://plugin.moby.localhost/AuthZPlugin.AuthZReq..: dial unix .*connect: connection refused"' "$(api GET /v1.51/info)"
plugin "$sockets/one.sock" "$R/p1" authz
one=$plugin
works "and back" docker info

# a body that the plugin might read otherwise than the engine
twice() { api POST /v1.51/containers/create -H "Content-Type: application/json" -d "$1" -w " %{http_code}" | tr -d "\n"; }
while read -r name body; do
	like "refused: $name twice" "member .+\"$name.+\" stands there more than once.* 400$" "$(twice "$body")"
done <<'LIST'
privileged {"Image":"x","HostConfig":{"Privileged":true,"privileged":false}}
hostconfig {"Image":"x","HostConfig":{"Privileged":true},"HoſtConfig":{"Privileged":false}}
user {"Image":"x","User":"1000","User":null}
readonlyrootfs {"Image":"x","NetworkingConfig":{"EndpointsConfig":{"a":{}}},"HostConfig":{"ReadonlyRootfs":true,"ReadonlyRootfs":false}}
LIST
like "not maps of the client's own" 'No such image: x:latest.* 404$' "$(twice '{"Image":"x","Labels":{"a":"1","A":"2"}}')"
stop_daemon

# a driver and two socket plugins, in order
printf '{"default": "allow", "rules": [{"verdict": "deny", "route": "GET /info", "message": "by a rule"}]}\n' >"$R/rules.json"
plugin "$sockets/two.sock" "$R/p2" authz
two=$plugin
start_daemon '"authorization-plugins": ["one", "rules", "two"], "authz-opts": ["rules.file='"$R"'/rules.json"]'
: >"$R/p1/log"
: >"$R/p2/log"
like "the driver denies" "authorization denied by plugin rules: by a rule" "$(api GET /v1.51/info)"
is "after the first, before the second" "1 0" "$(grep -c ^/AuthZPlugin.AuthZReq "$R/p1/log") $(grep -c ^/AuthZPlugin.AuthZReq "$R/p2/log")"
echo "AuthZReq GET /v1.51/version" >"$R/p2/deny"
like "the second denies" "authorization denied by plugin two: not here" "$(api GET /v1.51/version)"
finish
