# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks in TAP, for tests that run on the host: check, then done_testing.

tap_number=0
tap_failed=0
tap_output=$(mktemp)

# check DESCRIPTION COMMAND...: it exits with 0. What it printed is shown if not,
# and is in $tap_output.
check() {
	local description=$1
	shift
	tap_number=$((tap_number + 1))
	if "$@" >"$tap_output" 2>&1 </dev/null; then
		echo "ok $tap_number $description"
	else
		echo "not ok $tap_number $description"
		tail -n 60 "$tap_output" | sed 's/^/# /'
		tap_failed=1
	fi
}

# fails REGEX COMMAND...: it exits with another status than 0, and says that.
fails() {
	local expected=$1 output
	shift
	if output=$("$@" 2>&1); then
		printf '%s\n' "$output" "does not fail: $*"
		return 1
	fi
	grep -q -e "$expected" <<<"$output" || {
		printf '%s\n' "$output" "does not say: $expected"
		return 1
	}
}

done_testing() {
	rm -f "$tap_output"
	echo "1..$tap_number"
	exit "$tap_failed"
}
