#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lines executed per source file and folder, from the counts that a build with --enable-coverage has left below the build directory $1. A file
# that is compiled into several programs counts with its best run.
set -euo pipefail
cd "$1"
find . -name '*.gcda' -print0 | xargs -0 -r gcov -n 2>/dev/null | awk '
	/^File / { file = substr($0, 7); gsub(/\x27/, "", file); sub(/^(\.\.\/)+/, "", file); next }
	/^Lines executed:/ && file ~ /^(core|servers|plugins|sdk)\// {
		split(substr($0, 16), p, "% of ")
		if (!(file in lines) || p[1] > best[file]) best[file] = p[1] + 0
		lines[file] = p[2]
	}
	END {
		for (f in lines) {
			n = split(f, part, "/"); dir = part[1] "/" part[2]
			done[dir] += best[f] * lines[f] / 100; all[dir] += lines[f]
			sum += best[f] * lines[f] / 100; total += lines[f]
			printf "  %5.1f %% of %5d  %s\n", best[f], lines[f], f
		}
		for (d in all) printf "%5.1f %% of %5d  %s/\n", 100 * done[d] / all[d], all[d], d
		if (total) printf "%5.1f %% of %5d  all\n", 100 * sum / total, total
	}' | sort -k5,5 -k1,1n
