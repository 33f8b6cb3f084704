# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What a person sees: messages, numbered steps with their times, and the tail of
# the log of a step that failed.

STEPS=7

say() {
	printf '%s\n' "$*" >&2
}

die() {
	printf 'qemu/env: %s\n' "$*" >&2
	exit 1
}

# duration SECONDS: 75 -> 1m15s
duration() {
	if [ "$1" -ge 60 ]; then
		printf '%dm%02ds' $(($1 / 60)) $(($1 % 60))
	else
		printf '%ds' "$1"
	fi
}

# step NUMBER LOG WHAT COMMAND...: run COMMAND with its output in the file LOG.
step() {
	local number=$1 log=$CACHE/log/$2.log what=$3 begin=$SECONDS pid status=0
	shift 3
	say "[$number/$STEPS] $what ..."
	# In a child with errexit of its own: '||' would switch it off inside.
	(set -e; "$@") >"$log" 2>&1 </dev/null &
	pid=$!
	wait "$pid" || status=$?
	if [ "$status" -ne 0 ]; then
		{
			echo "[$number/$STEPS] $what: FAILED after $(duration $((SECONDS - begin)))"
			tail -n 15 "$log" | sed 's/^/    | /'
			echo "    the whole log: $log"
		} >&2
		return 1
	fi
	say "[$number/$STEPS] $what ...  $(duration $((SECONDS - begin)))"
}

# step_cached NUMBER WHAT: the same line for a step that has nothing to do.
step_cached() {
	say "[$1/$STEPS] $2: in the cache"
}
