#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The promise of the ABI: headers that stand alone as C99 and C++11, fields that stay where they were in every frozen version, drivers built against
# frozen headers, and against later ones, that load. TAP. Needs a compiler.
set -u
top=${DOCKERD_LIBEXECDIR:-$PWD}
here=$(cd "$(dirname "$0")" && pwd)
now=$here/../include
tmp=$(mktemp -d /var/tmp/dockerd-test-abi.XXXXXX) || exit 99
trap 'rm -rf "$tmp"' EXIT
cc=${CC:-cc} cxx=${CXX:-c++}
n=0 failed=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else failed=1; echo "not ok $n - $2"; sed 's/^/# /' "$tmp/out"; fi
}

for h in driver storage exec log authz network; do
	echo "#include <dockerd/$h.h>" >"$tmp/alone.c"
	$cc -std=c99 -pedantic -Wall -Wextra -Werror -I"$now" -fsyntax-only "$tmp/alone.c" >"$tmp/out" 2>&1
	result $? "dockerd/$h.h alone, C99"
	if command -v "$cxx" >/dev/null; then
		$cxx -x c++ -std=c++11 -pedantic -Wall -Wextra -Werror -I"$now" -fsyntax-only "$tmp/alone.c" >"$tmp/out" 2>&1
		result $? "dockerd/$h.h alone, C++11"
	fi
done

# Offsets stay; sizes may grow.
$cc -std=c99 -pedantic -I"$now" -o "$tmp/print" "$here/print.c" >"$tmp/out" 2>&1 && "$tmp/print" >"$tmp/now.txt"
result $? "print.c covers today's headers"
if [ "$(getconf LONG_BIT)" = 64 ]; then
	for frozen in "$here"/0.*.txt; do
		awk 'NR == FNR { now[$1] = $2; next }
		     $1 ~ /\./ && now[$1] != $2 { print $1, "was at", $2, "and is at", now[$1]; bad = 1 }
		     $1 !~ /\./ && now[$1] + 0 < $2 + 0 { print $1, "had", $2, "bytes and has", now[$1]; bad = 1 }
		     END { exit bad }' "$tmp/now.txt" "$frozen" >"$tmp/out"
		result $? "every field is where ABI $(basename "$frozen" .txt) had it"
	done
fi

# Between two releases of the ABI the headers are those of the last one, but for comments: who changes them raises DOCKERD_ABI_MINOR and adds a copy.
bare() { sed -e ':a' -e 'N' -e '$!ba' -e 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/::g' "$1" | tr -s ' \t\n' ' '; }
minor=$(sed -n 's/^#define DOCKERD_ABI_MINOR //p' "$now/dockerd/driver.h")
for h in driver storage exec log authz network; do
	bare "$now/dockerd/$h.h" >"$tmp/a" && bare "$here/0.$minor/dockerd/$h.h" >"$tmp/b" && cmp "$tmp/a" "$tmp/b" >"$tmp/out" 2>&1
	result $? "dockerd/$h.h is that of ABI 0.$minor"
done

for dir in "$here"/0.*/; do
	abi=$(basename "$dir")
	$cc -std=c99 -I"$dir" -o "$tmp/print" "$here/print.c" 2>/dev/null && "$tmp/print" >"$tmp/frozen.txt"
	if [ "$(getconf LONG_BIT)" = 64 ]; then
		cmp "$tmp/frozen.txt" "$here/$abi.txt" >"$tmp/out" 2>&1
		result $? "the frozen headers of $abi are those of its table"
	fi
	for kind in storage exec log authz network; do
		for age in tiny future; do
			so=$tmp/$age-$kind.so
			flag=; [ $age = tiny ] || flag=-DFUTURE
			$cc -std=gnu99 -Wall -fPIC -shared -fvisibility=hidden -I"$dir" -DKIND_$kind $flag -o "$so" "$here/tiny.c" >"$tmp/out" 2>&1 &&
				"$top/dockerd" --dump-plugin "$kind/$so" >"$tmp/out" 2>&1 &&
				grep -q "^name=$age-$kind\$" "$tmp/out" && grep -q '^option=some type=int .*default=7' "$tmp/out"
			result $? "$kind driver loads: headers of $abi$([ $age = tiny ] || echo ', with later fields behind')"
		done
	done
done
echo "1..$n"
exit $failed
