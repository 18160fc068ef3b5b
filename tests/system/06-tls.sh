# SPDX-License-Identifier: Apache-2.0
# TLS of the API: who gets in, what he is told who does not, and everything that a connection does beside HTTP.
. "$TOP/tests/lib/system.sh"

certs=$R/certs port=127.0.0.1:23760
mkdir "$certs" && cd "$certs" || exit 1
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -keyout "$1-key.pem" -out "$1.pem"; }
signed() { # NAME AUTHORITY USAGE [CN]
	openssl req -newkey rsa:2048 -nodes -subj "/CN=${4-$1}" -keyout "$1-key.pem" -out "$1.csr" &&
		openssl x509 -req -days 2 -in "$1.csr" -CA "$2.pem" -CAkey "$2-key.pem" -CAcreateserial -out "$1.pem" \
			-extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost"; echo "extendedKeyUsage=$3")
}
{
	authority ca && authority other && signed server ca serverAuth && signed alice ca clientAuth && signed bob ca clientAuth &&
		signed mallory other clientAuth alice
} >"$R/openssl.log" 2>&1 || fail "certificates" "$(tail -3 "$R/openssl.log")"

start_tls() { # more members of daemon.json
	start_daemon "\"tlscert\": \"$certs/server.pem\", \"tlskey\": \"$certs/server-key.pem\"${1:+, $1}"
}
as() { # USER CLI-argument...
	local user=$1
	shift
	DOCKER_HOST= docker --tlsverify --tlscacert "$certs/ca.pem" --tlscert "$certs/$user.pem" --tlskey "$certs/$user-key.pem" -H "tcp://$port" "$@"
}
https() { curl -sS --max-time 20 --cacert "$certs/ca.pem" "$@"; }
cert() { echo "--cert $certs/$1.pem --key $certs/$1-key.pem"; }

# the unix socket stays as it is
hosts="\"tlsverify\": true, \"tlscacert\": \"$certs/ca.pem\""
EXTRA_HOST=tcp://$port

# ---- who gets in
start_tls "$hosts"
make_image
is "the unix socket needs no certificate" OK "$(api GET /_ping)"
is "a client with a certificate" OK "$(https $(cert alice) https://$port/_ping)"
like "one without is told" "bad certificate|certificate required" "$(https https://$port/_ping 2>&1)"
like "the CLI explains" "tls|certificate" "$(DOCKER_HOST= docker --tls --tlscacert "$certs/ca.pem" -H "tcp://$port" version 2>&1)"
like "a certificate of another authority" "unknown ca" "$(https $(cert mallory) https://$port/_ping 2>&1)"
like "a server's certificate is no client's" "alert|refused|bad certificate|unsupported" "$(https $(cert server) https://$port/_ping 2>&1)"
like "who speaks plain HTTP" "HTTP/1.0 400 Bad Request.*Client sent an HTTP request to an HTTPS server" \
	"$(curl -s -i --http0.9 "http://$port/_ping" | tr -d '\r' | tr '\n' ' ')"
like "an old protocol" "protocol version|alert" "$(https --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 $(cert alice) https://$port/_ping 2>&1)"
is "ALPN" 1.1 "$(https $(cert alice) -o /dev/null -w '%{http_version}' https://$port/_ping)"
is "no warning with verified clients" "null" "$(api GET /info | python3 -c 'import json,sys; print(json.dumps(json.load(sys.stdin)["Warnings"]))')"

# ---- what a connection does
like "version" "Server" "$(as alice version)"
is "run" hello "$(as alice run --rm busybox echo hello)"
is "stdin to its end: half-close both ways" "$(seq 100000 | sha256sum)" "$(seq 100000 | as alice run -i --rm busybox cat | sha256sum)"
status "an exit code" 7 as alice run --rm busybox sh -c 'exit 7'
status "a terminal" 0 pty -- "$DOCKER" --tlsverify --tlscacert "$certs/ca.pem" --tlscert "$certs/alice.pem" --tlskey "$certs/alice-key.pem" \
	-H "tcp://$port" run -it --rm busybox sh -c 'test -t 0 && stty size'
head -c 30000000 /dev/urandom >"$R/big"
is "30 MB there and back" "$(sha256sum <"$R/big")" "$(as alice run -i --rm busybox cat <"$R/big" | sha256sum)"
as alice run -d --name web busybox sh -c 'echo line; exec sleep 1000' >/dev/null
tar -C "$R" -c big | as alice cp - web:/
is "an archive" "$(sha256sum <"$R/big")" "$(as alice exec web cat /big | sha256sum)"
is "many requests on one connection" 200 "$(https $(cert alice) "https://$port/_ping?[1-200]" | grep -o OK | wc -l)"
exec 8< <(DOCKER_HOST= timeout 60 "$DOCKER" --tlsverify --tlscacert "$certs/ca.pem" --tlscert "$certs/alice.pem" --tlskey "$certs/alice-key.pem" \
	-H "tcp://$port" events --since 0 -f event=die --format '{{.Actor.Attributes.name}}' -f container=web)
as alice kill web >/dev/null
read -r name <&8
is "a stream" web "$name"
exec 8<&-

# ---- who holds up whom
python3 - "$port" "$certs" <<'P' >"$R/idle" 2>&1
import socket, ssl, sys
host, port = sys.argv[1].split(":"); certs = sys.argv[2]
ctx = ssl.create_default_context(cafile=certs + "/ca.pem"); ctx.load_cert_chain(certs + "/alice.pem", certs + "/alice-key.pem")
silent = [socket.create_connection((host, int(port))) for _ in range(400)]      # never say a word
half = [socket.create_connection((host, int(port))) for _ in range(50)]
for s in half: s.sendall(b"\x16\x03\x01\x02\x00\x01")                           # begin, and stop
idle = [ctx.wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost") for _ in range(50)]
s = ctx.wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost")
s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
got = b""
while True:
    b = s.recv(4096)
    if not b: break
    got += b
print(got.split(b"\r\n")[0].decode(), got[-2:].decode())
closed = 0
for t in silent:                    # beyond the limit of unfinished handshakes the oldest are let go
    t.setblocking(False)
    try: closed += t.recv(1) == b""
    except (BlockingIOError,): pass
    except ConnectionResetError: closed += 1
print(closed >= 100)
for t in idle:
    t.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert t.recv(4096).startswith(b"HTTP/1.1 200"), "an idle one"
t = ctx.wrap_socket(socket.create_connection((host, int(port))), server_hostname="localhost")
t.sendall(b"GET /containers/json HTTP/1.1\r\nHost: x\r\n\r\n"); t.close()        # gone before the answer
s = socket.create_connection((host, int(port))); s.sendall(bytes(range(255)) * 400)
try: s.recv(100)
except ConnectionResetError: pass
print("done")
P
is "silent, slow, idle and noisy clients hold nobody up" "HTTP/1.1 200 OK OK,True,done," "$(tr '\n' ',' <"$R/idle")"
is "and nothing else" OK "$(https $(cert alice) https://$port/_ping)"

# ---- who has no certificate and does his worst, while programs are being started (a child holds our sockets for a moment)
python3 - "$port" <<'P' >"$R/flood" 2>&1 &
import socket, sys, time
host, port = sys.argv[1].split(":"); held, end, n = [], time.monotonic() + 8, 0
while time.monotonic() < end:
    s = socket.create_connection((host, int(port))); n += 1
    if n % 3 == 0: s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    held.append(s)
    if len(held) > 300:
        for t in held[:60]:
            try: t.sendall(b"\x16"); t.close()
            except OSError: pass
        del held[:60]
print("flood done")
P
flood=$!
while kill -0 $flood 2>/dev/null; do
	api GET '/containers/web/archive?path=/etc' -o /dev/null
	as alice ps >/dev/null || fail "a client with a certificate is served meanwhile"
done
is "a flood without certificates" "flood done" "$(cat "$R/flood")"
is "ends, and all is well" OK "$(https $(cert alice) https://$port/_ping)"
fds=$(ls "/proc/$daemon/fd" | wc -l)
is "few descriptors are held by strangers" yes "$([ "$fds" -lt 650 ] && echo yes || echo "$fds")"

# ---- who it was
cat >"$R/rules.json" <<'J'
{"default": "allow", "rules": [{"verdict": "deny", "user": "bob", "auth-method": "TLS", "route": "GET /version"}]}
J
stop_daemon
start_tls "$hosts, \"authorization-plugins\": [\"rules\"], \"authz-opts\": [\"rules.file=$R/rules.json\"]"
like "a certificate's name is the user: denied" "denied|authorization" "$(https $(cert bob) https://$port/version)"
like "allowed" "ApiVersion" "$(https $(cert alice) https://$port/version)"
like "others' routes" OK "$(https $(cert bob) https://$port/_ping)"

# ---- without verification, and what can't start
stop_daemon
start_tls '"tlsverify": false'
is "encrypted only" OK "$(https https://$port/_ping)"
like "info warns" "API is accessible on https://$port without TLS client verification" "$(api GET /info)"
like "and the log" "accessible on https://$port without TLS client verification" "$(cat "$R/log")"

# ---- a daemon that ends, and still waits for a container
docker run -d --name slow --stop-timeout 2 busybox sh -c 'trap : TERM; echo up; while :; do sleep 0.1; done' >/dev/null
until docker logs slow | grep -q up; do :; done
mkfifo "$R/kills"
docker events --filter event=kill --format '{{.Action}}' >"$R/kills" 2>/dev/null &
exec 9<"$R/kills"
until docker kill -s WINCH slow >/dev/null && read -r -t 0.2 said <&9; do :; done
while read -r -t 0.2 said <&9; do :; done
kill "$daemon"
read -r said <&9
is "the container is told to stop" kill "$said"
like "no new client gets in" "refused|connect to server" "$(https https://$port/_ping 2>&1)"
exec 9<&-
stop_daemon
refused() { # DESCRIPTION PATTERN flags...
	local what=$1 pattern=$2
	shift 2
	status "$what" 1 timeout 20 "$BUILD/dockerd" --data-root "$R/d2" --exec-root "$R/e2" -p "$R/p2" --bridge none --iptables=false -H "tcp://$port" "$@"
	like "$what: says so" "$pattern" "$out"
}
refused "no certificate" 'invalid TLS configuration: Could not load X509 key pair \(cert: "/nope", key: "/nokey"\): open /nope: no such file or directory' \
	--tlsverify --tlscacert "$certs/ca.pem" --tlscert /nope --tlskey /nokey
refused "no authority" 'invalid TLS configuration: could not read CA certificate "/noca": open /noca: no such file or directory' \
	--tlsverify --tlscacert /noca --tlscert "$certs/server.pem" --tlskey "$certs/server-key.pem"
refused "a key of another" "private key does not match public key" --tlsverify --tlscacert "$certs/ca.pem" --tlscert "$certs/server.pem" --tlskey "$certs/alice-key.pem"
refused "an authority that is none" "failed to append certificates from PEM file" --tlsverify --tlscacert /etc/passwd --tlscert "$certs/server.pem" --tlskey "$certs/server-key.pem"
finish
