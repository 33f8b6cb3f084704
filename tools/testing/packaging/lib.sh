# shellcheck shell=bash
# shellcheck disable=SC2034 # for the tests
# SPDX-License-Identifier: GPL-2.0
#
# What tests of the package share: their option, a place to work in, which kernel.

TOP=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../../..")
KERNEL=stock
[ "${1:-}" != --kernel ] || KERNEL=$2
# shellcheck source=/dev/null
. "$TOP/tools/testing/tap.sh"

WORK=$(mktemp -d)
cd "$TOP" || exit

# Not the job server of the make that runs the tests.
alone() {
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS "$@"
}
