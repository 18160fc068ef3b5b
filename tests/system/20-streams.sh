# SPDX-License-Identifier: Apache-2.0
# Output and input: logs, attach, exec, terminals.
. "$TOP/tests/lib/system.sh"
start_daemon
make_image

# ---- logs -------------------------------------------------------------------------------------------------------------------------------
docker run --name l1 busybox sh -c 'echo one; echo two; echo three; echo err >&2' >/dev/null 2>&1
is "logs" $'one\ntwo\nthree' "$(docker logs l1 2>/dev/null)"
is "logs: stderr apart" err "$(docker logs l1 2>&1 >/dev/null)"
is "logs --tail" $'three' "$(docker logs --tail 2 l1 2>/dev/null)"
like "logs --timestamps" '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z one$' "$(docker logs -t l1 2>/dev/null | head -1)"
is "logs --details" "k=v" "$(docker run -d --name l2 --label k=v --log-opt labels=k busybox echo x >/dev/null; docker wait l2 >/dev/null; docker logs --details l2 | cut -d' ' -f1)"
docker run -d -i --name l3 busybox cat >/dev/null
mkfifo "$R/in"
docker attach l3 <"$R/in" >"$R/attached" 2>&1 &
attach=$!
exec 7>"$R/in"
echo first >&7
is "logs -f sees what comes" "first" "$(lines_until l3 first)"
docker logs -f l3 >"$R/followed" 2>/dev/null &
follow=$!
echo second >&7
exec 7>&-
# stdin of "run -d -i" stays open when a client's ends, as with moby
wait_log l3 second
docker kill l3 >/dev/null
wait $attach
is "attach shows it too" $'first\nsecond' "$(cat "$R/attached")"
wait $follow
is "logs -f ends with the container" $'first\nsecond' "$(cat "$R/followed")"
second=$(docker logs -t l3 | sed -n 's/ second$//p')
is "logs --since" second "$(docker logs --since "$second" l3)"
is "logs --until" first "$(docker logs --until "$(docker logs -t l3 | sed -n 's/ first$//p')" l3)"
is "run -i: end of stdin ends the program" 0 "$(docker run --rm -i busybox cat </dev/null; echo $?)"
docker run --name l4 --log-driver none busybox echo unseen >/dev/null
status "logs of driver none" 1 docker logs l4
like "says that it can't be read" 'configured logging driver does not support reading' "$out"
is "json-file is the default" json-file "$(docker inspect -f '{{.HostConfig.LogConfig.Type}}' l1)"
docker run --name l5 --log-opt max-size=4k --log-opt max-file=3 busybox sh -c 'i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done' >/dev/null
dir=$R/data/containers/$(docker inspect -f '{{.Id}}' l5)
is "max-file files are kept" 3 "$(ls "$dir"/*-json.log* | wc -l)"
is "the newest line is there" "line 499" "$(docker logs --tail 1 l5)"
big=$(find "$dir" -name '*-json.log*' -size +5k)
is "max-size is kept" "" "$big"
status "an unknown log option" 125 docker run --rm --log-opt nosuch=1 busybox true
like "is refused" "unknown log opt 'nosuch' for json-file log driver" "$out"
status "an unknown log driver" 125 docker run --rm --log-driver nosuch busybox true
is "a long line is whole" 100001 "$(docker run --rm busybox sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo' | wc -c)"
is "a megabyte of binary" "$(head -c 1000000 /bin/busybox | sha256sum)" "$(docker run --rm busybox head -c 1000000 /bin/busybox | sha256sum)"
is "and through stdin" "$(head -c 1000000 /bin/busybox | sha256sum)" "$(head -c 1000000 /bin/busybox | docker run -i --rm busybox cat | sha256sum)"

# ---- attach -----------------------------------------------------------------------------------------------------------------------------
docker run -d -it --name a1 busybox sh >/dev/null
out=$(pty 'send=echo at$((40+2))tached\n' expect=at42tached 'send=\x10\x11' expect=read -- "$DOCKER" attach a1)
is "attach to a terminal and detach by ctrl-p ctrl-q: the CLI says 1" 1 $?
is "the container goes on" true "$(docker inspect -f '{{.State.Running}}' a1)"
pty 'send=echo ok$((1+1))\n' expect=ok2 'send=\x18' -- "$DOCKER" attach --detach-keys ctrl-x a1 >/dev/null
is "other detach keys" "1 true" "$? $(docker inspect -f '{{.State.Running}}' a1)"
pty 'send=exit 5\n' -- "$DOCKER" attach a1 >/dev/null
is "attach ends with the program's code" 5 $?
pty 'expect=#' 'send=exit 7\n' -- "$DOCKER" run --rm -it busybox sh >/dev/null
is "run -it" 7 $?
docker run -d --name a2 busybox sh -c 'trap "exit 3" TERM; trap "echo here" USR1; touch /ready; while :; do sleep 1000 & wait $!; done' >/dev/null
docker exec a2 sh -c 'until [ -e /ready ]; do :; done'
mkfifo "$R/a2"
"$DOCKER" attach a2 >"$R/a2" 2>&1 &
attach=$!
exec 8<>"$R/a2"
# attached is who sees what the program says
until docker kill -s USR1 a2 >/dev/null && read -r -t 1 <&8; do :; done
status "stop while attached" 0 docker stop -t 30 a2
wait $attach
is "attach has the code" 3 $?

# ---- exec -------------------------------------------------------------------------------------------------------------------------------
docker run -d --name e1 -e FROM_RUN=1 -w /tmp busybox sleep 1000 >/dev/null
is "exec" hi "$(docker exec e1 echo hi)"
is "exec: environment and directory of the container" "1 /tmp" "$(docker exec e1 sh -c 'echo $FROM_RUN $PWD')"
is "exec -e -w -u" "x /etc 33" "$(docker exec -e A=x -w /etc -u www e1 sh -c 'echo $A $PWD $(id -u)')"
status "exec's code" 9 docker exec e1 sh -c 'exit 9'
status "exec of nothing" 127 docker exec e1 nope
like "says so" 'executable file not found in \$PATH' "$out"
status "exec of a directory" 126 docker exec e1 /etc
is "exec -i" "through exec" "$(echo through exec | docker exec -i e1 cat)"
is "exec: stderr apart" err "$(docker exec e1 sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
pty 'expect=[#$] ' 'send=tty; exit 4\n' expect=/dev/pts -- "$DOCKER" exec -it e1 sh >/dev/null
is "exec -it has a terminal and the code" 4 $?
out=$(pty 'expect=[#$] ' size=33x99 'send=until [ "$(stty size)" = "33 99" ]; do :; done; echo re$((1+1))sized; exit\n' expect=re2sized -- "$DOCKER" exec -it e1 sh)
is "exec -it follows the window's size" 0 $?
works "exec -d" docker exec -d e1 touch /made
docker exec e1 sh -c 'until [ -e /made ]; do :; done'
is "runs behind" 0 $?
is "exec --privileged" "$(sed -n 's/CapBnd:.//p' /proc/self/status)" "$(docker exec --privileged e1 sed -n 's/CapEff:.//p' /proc/self/status)"
is "no exec is left in inspect" '[]' "$(docker inspect -f '{{if .ExecIDs}}{{.ExecIDs}}{{else}}[]{{end}}' e1)"
docker stop -t 0 e1 >/dev/null
status "exec in a stopped container" 1 docker exec e1 true
like "is refused" 'is not running' "$out"
EXPECTED_ERRORS='nosuch|oci runtime|OCI runtime|not running' finish
