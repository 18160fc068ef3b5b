# SPDX-License-Identifier: Apache-2.0
# Counts test results into $passed, $failed, $skipped and shows what failed and what was skipped. To be sourced by bash; $top is the source tree.

# The reason must match a line (an extended regular expression) of tests/allowed-skips.
count_skip() {
	if grep -qE -f <(grep -v -e '^#' -e '^$' "$top/tests/allowed-skips") <<<"$2"; then
		echo "skipped: $1: $2"
		skipped=$((skipped + 1))
	else
		echo "FAILED: $1: skipped for a reason that tests/allowed-skips does not name: $2"
		failed=$((failed + 1))
	fi
}

# count_tap FILE EXIT-STATUS: a status of failure that no case explains is one more failure, shown with the end of the file.
count_tap() {
	local line name was=$failed notes=()
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP '*)
			notes=()
			name=${line#ok }
			count_skip "$(sed 's/^[0-9]* *-* *//; s/ *# SKIP.*//' <<<"$name")" "${line##*# SKIP }"
			;;
		'ok '*)
			notes=()
			passed=$((passed + 1))
			;;
		'not ok '*) # what was noted on the way says why
			echo "FAILED: ${line#not ok }"
			[ ${#notes[@]} = 0 ] || printf '    %s\n' "${notes[@]}"
			notes=()
			failed=$((failed + 1))
			;;
		'# '*) if [ "$failed" -eq "$was" ]; then notes+=("$line"); else echo "    $line"; fi ;;
		esac
	done <"$1"
	if [ "$2" != 0 ] && [ "$failed" = "$was" ]; then
		echo "FAILED: $(basename "$1") ended with status $2; its end:"
		tail -20 "$1"
		failed=$((failed + 1))
	fi
}

# The programs of make check: TAP, cmocka's own words, or one result for a program that prints neither.
count_make_check() {
	local trs log result status
	for trs in $(find "$1/tests" -name '*.trs' | sort); do
		log=${trs%.trs}.log
		result=$(sed -n 's/^:test-result: //p' "$trs")
		status=0
		case $result in FAIL* | ERROR*) status=1 ;; esac
		if grep -qE '^(not )?ok ' "$log"; then
			count_tap "$log" $status
		elif grep -q '^\[       OK \]' "$log"; then
			passed=$((passed + $(grep -c '^\[       OK \]' "$log")))
			if [ $status = 1 ]; then
				echo "FAILED: $(basename "$trs" .trs)"
				grep -E '^\[  (FAILED|ERROR)|SUMMARY: |ERROR: |runtime error' "$log" | cut -c1-300 | head -20
				failed=$((failed + 1))
			fi
		elif [ "$result" = SKIP ]; then
			count_skip "$(basename "$trs" .trs)" "$(sed -n 's/.*# SKIP //p' "$log" | tail -1)"
		elif [ $status = 1 ]; then
			count_tap "$log" 1
		else
			passed=$((passed + 1))
		fi
	done
}
