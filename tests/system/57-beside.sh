# SPDX-License-Identifier: Apache-2.0
# Hundreds of scenarios on our daemon and on a moby beside it, compared word for word (tests/compat/beside). Takes half an hour, so it is asked for:
#	DOCKERD_PEER=SOCKET-OF-A-MOBY LIMIT=3600 [SCENARIOS=PATTERN] tests/system/run BUILD 57-beside
# Volumes of plugins are left out, unless DOCKERD_PEER_PLUGINS names the directory where that moby looks for sockets: it would ask the test's plugin for ever.
. "$TOP/tests/lib/system.sh"
peer=${DOCKERD_PEER-}
if [ ! -S "$peer" ]; then
	skip "scenarios beside moby" "no moby here to compare with: DOCKERD_PEER names no socket"
	echo "1..$n"
	exit
fi
bridge= # the daemon makes its own, as moby does
start_daemon
"$TOP/tests/compat/beside/run" "$R/sock" "$peer" "$DOCKER" ${SCENARIOS:+"$SCENARIOS"} >"$R/beside" 2>&1
cat "$R/beside"
n=$(grep -cE '^(not )?ok ' "$R/beside")
finish
