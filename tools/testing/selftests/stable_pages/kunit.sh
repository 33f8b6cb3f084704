#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The KUnit tests of the crate storage: what can only be seen inside a kernel.
# Needs a kernel with KUnit built in (KERNEL=debug), where loading the module runs
# them.

. "$(dirname "$(readlink -f "$0")")/lib.sh"

readonly RESULTS=/sys/kernel/debug/kunit/storage_block/results
if [ ! -d /sys/kernel/debug/kunit ] || ! modprobe --dry-run storage_kunit 2>/dev/null; then
	ktap_print_header
	ktap_skip_all "this kernel has no KUnit (make check KERNEL=debug)"
	exit "$KSFT_SKIP"
fi
begin 4

unload
check "the module with the tests loads" modprobe storage_kunit
check "at least eight tests passed" at_least passed "$(grep -c '^ *ok ' "$RESULTS")" 8
none_failed() {
	! grep -B 8 'not ok' "$RESULTS"
}
check "none failed" none_failed
check "it unloads" rmmod storage_kunit
ktap_finished
