#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The KUnit tests of the crate storage: what can only be seen inside a kernel.
# Needs a kernel with KUnit built in (KERNEL=debug).

. "$(dirname "$(readlink -f "$0")")/lib.sh"

readonly SUITE=/sys/kernel/debug/kunit/storage_block
if [ ! -d /sys/kernel/debug/kunit ] || ! modprobe --dry-run storage_kunit 2>/dev/null; then
	ktap_print_header
	ktap_skip_all "this kernel has no KUnit (make check KERNEL=debug)"
	exit "$KSFT_SKIP"
fi
begin 5

unload
check "the module with the tests loads" modprobe storage_kunit
check "its suite runs" tee $SUITE/run <<<1
check "eight tests passed" is passed "$(grep -c '^    ok ' $SUITE/results)" 8
none_failed() {
	! grep -B 8 'not ok' $SUITE/results
}
check "none failed" none_failed
check "it unloads" rmmod storage_kunit
ktap_finished
