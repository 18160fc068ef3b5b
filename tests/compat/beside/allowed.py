# SPDX-License-Identifier: Apache-2.0
"""Differences by choice: (scenario, member path) as regular expressions, and the reason."""
import re

LIST = [
    # scenario, path, reason
]


def differs(scenario, label, path, ours, theirs):
    return any(re.search(s, scenario) and re.fullmatch(p, path) for s, p, _ in LIST)
