# shellcheck shell=bash
# shellcheck disable=SC2034 # env.d/ and inside/ use the variables
# SPDX-License-Identifier: GPL-2.0
#
# A small kernel that watches itself: KASAN, lockdep, kmemleak, debug objects,
# fault injection, KUnit, Rust with its assertions. debug.config says with what
# and why. Built with clang: Rust code is sanitized in no other kernel.
#
# See stock.sh for the functions. KERNEL_FROM makes this a kernel that is built
# here, from the source of another; see env.d/derived.sh.

KERNEL_FROM=stock
KERNEL_MAKE_ARGS=LLVM=-19
# About how many object files a build makes, for the progress.
KERNEL_OBJECTS=1800

kernel_configure() {
	local fragment
	fragment=$(dirname "${BASH_SOURCE[0]}")/debug.config
	make $KERNEL_MAKE_ARGS KCONFIG_CONFIG=.config.new \
		KCONFIG_ALLCONFIG="$fragment" allnoconfig
	debug_in_effect "$fragment" .config.new
	# One that is the same is not touched: an interrupted build goes on.
	cmp -s .config.new .config || cp .config.new .config
}

kernel_make() {
	make $KERNEL_MAKE_ARGS -j"$(nproc)" bzImage modules
}

# debug_in_effect FRAGMENT CONFIG: kconfig silently drops an option that it
# doesn't know or whose dependencies are not met.
debug_in_effect() {
	local line option dropped=
	while read -r line; do
		case $line in
		CONFIG_*=*)
			option=${line%%=*}
			! grep -qxF "$line" "$2" || continue
			;;
		'# CONFIG_'*' is not set')
			option=${line#\# }
			option=${option% is not set}
			grep -q "^$option=" "$2" || continue
			;;
		*)	continue ;;
		esac
		dropped+="  $line (it is: $(grep -w "$option" "$2" || echo not there))"$'\n'
	done <"$1"
	[ -z "$dropped" ] || {
		echo "Options of $(basename "$1") that did not take effect:"
		printf '%s' "$dropped"
		return 1
	}
}
