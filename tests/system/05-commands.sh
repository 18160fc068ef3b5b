# SPDX-License-Identifier: Apache-2.0
# How the daemon is called: its own flags, the classic spellings, "docker daemon" through the CLI, files that are missing or wrong.
. "$TOP/tests/lib/system.sh"
mkdir -p "$DOCKER_CONFIG/cli-plugins"
cp "$BUILD/docker-daemon" "$DOCKER_CONFIG/cli-plugins/"
export PATH=$BUILD:$PATH
same="$(dockerd --version)"
like "--version" '^Docker version [0-9.]+, build ' "$same"
is "dockerd daemon, the classic spelling" "$same" "$(dockerd daemon --version)"
is "docker daemon, through the CLI's plugin" "$same" "$(docker daemon --version)"
works "--validate of nothing" dockerd --validate --config-file /dev/null
like "says so" 'configuration OK' "$out"
works "--validate of options that fit" dockerd --validate --config-file /dev/null --storage-driver overlay2 --storage-opt overlay2.override_kernel_check=true --log-opt max-size=10m
status "a storage option of the wrong type" 1 dockerd --validate --config-file /dev/null --storage-driver overlay2 --storage-opt overlay2.size=huge
like "is named" 'storage driver overlay2: .*overlay2.size' "$out"
status "whatever driver will be taken" 1 dockerd --validate --config-file /dev/null --storage-opt overlay2.siz=1g
like "as well" 'overlay2.siz' "$out"
status "an option of no driver" 1 dockerd --validate --config-file /dev/null --storage-opt floppy.size=1
like "too" "no storage driver 'floppy' is installed" "$out"
status "a log option that the driver does not know" 1 dockerd --validate --config-file /dev/null --log-opt max-siz=1
like "too" 'max-siz' "$out"
works "docker daemon passes its options on" docker daemon --validate --config-file /dev/null
status "a missing file that was asked for" 1 dockerd --validate --config-file "$R/none.json"
like "is named" "none.json: no such file or directory" "$out"
echo '{"data-rot": "/x"}' >"$R/wrong.json"
status "an unknown key" 1 dockerd --validate --config-file "$R/wrong.json"
like "in moby's words" "the following directives don't match any configuration option: data-rot" "$out"
echo '{"debug": true}' >"$R/both.json"
status "a flag and a key" 1 dockerd --validate --debug --config-file "$R/both.json"
like "in moby's words" 'the following directives are specified both as a flag and in the configuration file: debug: \(from flag: true, from file: true\)' "$out"
status "an unknown flag" 1 dockerd --no-such-flag
like "in moby's words" 'unknown flag: --no-such-flag' "$out"
works "options of another engine" dockerd --validate --containerd /run/x.sock --config-file /dev/null
like "--help lists them all" '--userland-proxy-path' "$(dockerd --help)"
like "--list-plugins" '^storage/overlay2 ' "$(dockerd --list-plugins)"
like "--dump-plugin" '^name=json-file$' "$(dockerd --dump-plugin log/json-file)"
like "--dump-routes" '^POST /containers/create$' "$(dockerd --dump-routes)"
like "--dump-config" 'data-root' "$(dockerd --dump-config --config-file /dev/null)"
start_daemon
status "metrics at no port" 1 dockerd --config-file /dev/null --data-root "$R/other" --exec-root "$R/other.run" --bridge none -p "$R/pid3" -H "unix://$R/sock3" --metrics-addr localhost
like "says so" 'failed to start metrics server: listen tcp: address localhost: missing port in address' "$out"
stop_daemon
start_daemon '"api-cors-header": "https://page.example"'
is "--api-cors-header" "https://page.example" "$(api OPTIONS /info -i | tr -d '\r' | sed -n 's/^Access-Control-Allow-Origin: //p')"
status "that is none" 1 dockerd --validate --config-file /dev/null --api-cors-header $'x\r\nSet-Cookie: y'
like "says so" 'api-cors-header: a header has no control characters' "$out"
status "a second daemon on the same data" 1 dockerd --config-file "$R/daemon.json" -p "$R/pid2" -H "unix://$R/sock2" --config-file "$R/daemon.json"
finish
