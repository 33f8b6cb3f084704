# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests share: loading the driver, its counters, the kernel log.
#
# A test prints a plan, calls check for each thing that it claims, and ends with
# ktap_finished. Whatever happens, the driver is unloaded when it ends.

HERE=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$HERE/../kselftest/ktap_helpers.sh"

# shellcheck disable=SC2034 # for the tests
readonly DEV=/dev/dif0
# shellcheck disable=SC2034
readonly QUEUE=/sys/block/dif0/queue
readonly COUNTERS=/sys/kernel/debug/dif_blk/dif0
readonly CONFIG=/sys/kernel/config/dif_blk
readonly TRACING=/sys/kernel/tracing

# Tests that take long under emulation divide their sizes and times by this.
# shellcheck disable=SC2034
readonly SHORTEN=${STABLE_PAGES_SHORTEN:-1}

WORK=$(mktemp -d)
MNT=$WORK/mnt
mkdir "$MNT"

# begin N [COMMAND...]: N checks follow. Without the commands the test is skipped.
begin() {
	local command plan=$1
	shift
	ktap_print_header
	for command in modprobe "$@"; do
		command -v "$command" >/dev/null || {
			ktap_skip_all "there is no $command"
			exit "$KSFT_SKIP"
		}
	done
	[ "$(id -u)" -eq 0 ] || {
		ktap_skip_all "must be root"
		exit "$KSFT_SKIP"
	}
	modprobe --dry-run dif_blk 2>/dev/null || {
		ktap_skip_all "there is no module dif_blk (make modules_install)"
		exit "$KSFT_SKIP"
	}
	ktap_set_plan "$plan"
	trap finish EXIT
	unmount_all
	remove_disks
}

# What a test that was killed for its time has left.
unmount_all() {
	local dir
	awk '$1 ~ "^/dev/dif" { print $2 }' /proc/mounts | tac | while read -r dir; do
		umount "$dir"
	done
}

# Disks in configfs: a test may leave its own.
remove_disks() {
	local dir
	for dir in "$CONFIG"/*/; do
		[ ! -d "$dir" ] || rmdir "$dir"
	done
}

# Called when the test ends, also half-way.
finish() {
	local status=$? pid
	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null
	done
	wait
	! mountpoint -q "$MNT" || umount "$MNT"
	remove_disks
	unload || status=$KSFT_FAIL
	# Who forgets ktap_finished hasn't passed.
	[ $((KTAP_CNT_PASS + KTAP_CNT_SKIP + KTAP_CNT_XFAIL)) -eq "${KSFT_NUM_TESTS:-0}" ] ||
		[ "$status" -ne "$KSFT_PASS" ] || status=$KSFT_FAIL
	rm -rf "$WORK"
	exit "$status"
}

# check DESCRIPTION COMMAND...: the command's output is shown if it fails.
check() {
	local description=$1 output
	shift
	if output=$("$@" 2>&1); then
		ktap_test_pass "$description"
	else
		[ -z "$output" ] || printf '# %s\n' "${output//$'\n'/$'\n# '}"
		ktap_test_fail "$description"
	fi
}

# check_not DESCRIPTION COMMAND...: the command must fail.
check_not() {
	local description=$1
	shift
	check "$description" refuse "$@"
}

refuse() {
	! "$@"
}

# load [PARAMETER=VALUE...]: a fresh device.
load() {
	unload
	modprobe dif_blk "$@" || ktap_exit_fail_msg "modprobe dif_blk $* failed"
}

unload() {
	[ ! -d /sys/module/dif_blk ] || modprobe --remove dif_blk
}

# set_to NAME VALUE...: attributes of disk a in configfs.
set_to() {
	while [ $# -gt 0 ]; do
		echo "$2" >"$CONFIG/a/$1" || return
		shift 2
	done
}

counter() {
	cat "$COUNTERS/$1"
}

reset_counters() {
	echo 1 >"$COUNTERS/reset"
}

# sectors OPERATION...: of the disk, see sectors.py.
sectors() {
	"$HERE/sectors.py" "$DEV" "$@"
}

# await_request BEFORE: until the disk has taken on one more than "counter requests" said.
await_request() {
	local i
	for ((i = 0; i < 300; i++)); do
		[ "$(counter requests)" = "$1" ] || return 0
		sleep 0.1
	done
	echo "no request in 30 s"
	return 1
}

# is WHAT ACTUAL EXPECTED
is() {
	[ "$2" = "$3" ] || {
		echo "$1 is '$2', not '$3'"
		return 1
	}
}

# counter_is NAME VALUE
counter_is() {
	is "$1" "$(counter "$1")" "$2"
}

# errno COMMAND...: which one it fails with.
errno() {
	local output
	output=$("$@" 2>&1) && echo 0 && return
	case $output in
	*"Invalid argument"*)		echo EINVAL ;;
	*"Device or resource busy"*)	echo EBUSY ;;
	*"File exists"*)		echo EEXIST ;;
	*"File name too long"*)		echo ENAMETOOLONG ;;
	*"No such file or directory"*)	echo ENOENT ;;
	*)				echo "$output" ;;
	esac
}

# at_least WHAT ACTUAL MINIMUM
at_least() {
	[ "$2" -ge "$3" ] || {
		echo "$1 is $2, less than $3"
		return 1
	}
}

# log_mark: the lines that log_since prints begin here.
log_mark() {
	LOG_MARK="stable_pages: $(basename "$0") $$ $SECONDS $RANDOM"
	echo "$LOG_MARK" >/dev/kmsg
}

log_since() {
	dmesg | sed "1,/$LOG_MARK/d"
}

# log_has PATTERN [COUNT]: so many lines since the mark match (default 1).
log_has() {
	local count
	count=$(log_since | grep -c -e "$1")
	[ "$count" -eq "${2:-1}" ] || {
		echo "$count lines of the log match '$1', not ${2:-1}:"
		log_since
		return 1
	}
}

# For tests that read the events.
mount_tracefs() {
	mountpoint -q "$TRACING" || mount -t tracefs tracefs "$TRACING"
}

# free_kb: memory that is or could be free. What processors keep at hand is not in MemAvailable,
# and can be tens of MiB after much was freed.
free_kb() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemAvailable:/ { kb += $2 } $1 == "count:" { kb += $2 * 4 } END { print kb }' \
		/proc/meminfo /proc/zoneinfo
}

# memory_back BEFORE ALLOWED: what was available before is so again within ten
# seconds, all but ALLOWED kB; three times that in the debug kernel, where KASAN keeps
# what was freed for a while, and kmemleak is there for leaks.
memory_back() {
	local after allowed=$2 i
	[ ! -e /sys/kernel/debug/kmemleak ] || allowed=$((allowed * 3))
	for ((i = 0; i < 20; i++)); do
		after=$(free_kb)
		[ $(($1 - after)) -gt "$allowed" ] || return 0
		sleep 0.5
	done
	echo "$1 kB were available before, $after kB are after"
	return 1
}
