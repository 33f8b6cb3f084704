# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The distribution's own kernel, as people run it: nothing of it is built here
# except the Rust crates that modules are compiled against.
#
# A kernel's file defines the two functions that env.d/kernel.sh calls, with
# the root's toolchain, in the source tree: kernel_configure and kernel_make.
# RELEASE is the release string and PACKAGES the unpacked packages.

kernel_configure() {
	cp "$PACKAGES/usr/src/linux-headers-$RELEASE/.config" .config
	make olddefconfig
	stock_same_config "$PACKAGES/usr/src/linux-headers-$RELEASE/.config" .config
}

kernel_make() {
	local headers=$PACKAGES/usr/src/linux-headers-$RELEASE
	# Those of the real vmlinux, which is not built here. The headers'
	# vmlinux is only the type information that modules' BTF builds upon.
	cp "$headers/Module.symvers" .
	[ ! -f "$headers/vmlinux" ] || cp "$headers/vmlinux" .
	make -j"$(nproc)" LOCALVERSION="$(stock_localversion)" prepare modules_prepare
	stock_same_release
	stock_same_hashes
}

# 7.3.4+deb13-amd64 -> +deb13-amd64
stock_localversion() {
	printf '%s\n' "${RELEASE#"$(make -s kernelversion)"}"
}

stock_same_release() {
	local got
	got=$(cat include/config/kernel.release)
	[ "$got" = "$RELEASE" ] || {
		echo "The tree calls itself $got, the kernel package $RELEASE."
		return 1
	}
}

# A different configuration means different structures, whatever the hashes
# say: a toolchain without pahole silently drops BTF and with it sched_ext, and
# task_struct gets another layout. Only the compiler's name may differ.
stock_same_config() {
	local difference
	difference=$(diff <(stock_options "$1") <(stock_options "$2")) || {
		echo "The toolchain can't make the distribution's configuration:"
		echo "$difference"
		return 1
	}
}

stock_options() {
	grep '^CONFIG_' "$1" | grep -v '^CONFIG_CC_VERSION_TEXT=' | sort
}

# Every symbol that the crates built here export must be one that the real
# kernel exports: their names contain the compiler's hash.
stock_same_hashes() {
	local ours missing
	ours=$(sed -n 's/^EXPORT_SYMBOL_RUST_GPL(\(.*\));$/\1/p' \
		rust/exports_*_generated.h | sort -u)
	missing=$(comm -23 <(echo "$ours") <(cut -f2 Module.symvers | sort -u))
	[ "$(wc -l <<<"$ours")" -gt 100 ] || {
		echo "Too few symbols are exported by rust/: $(wc -l <<<"$ours")"
		return 1
	}
	[ -z "$missing" ] || {
		echo "Rust symbols that the real kernel doesn't have ($(wc -l <<<"$missing")):"
		head -n 10 <<<"$missing"
		echo "$(rustc --version) is not the compiler it was built with, or" \
			"its source is not this one."
		return 1
	}
	echo "$(wc -l <<<"$ours") Rust symbols, each of them in the real kernel"
}
