# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031 # KERNEL is another in a subshell, on purpose
# SPDX-License-Identifier: GPL-2.0
#
# The order in which the artefacts are made, and the paths of what is in them.

setup_main() {
	fill cache_complete setup-inside
}

# fill COMPLETE COMMAND: unless COMPLETE says that all is there, makes it: the outer
# half. It holds the lock; the work is done by a child (qemu/env COMMAND) in mount and
# process namespaces of its own. However this process ends, the kernel then ends
# everything in there and unmounts all that was mounted.
fill() {
	local complete=$1 command=$2 begin=$SECONDS child status=0
	if "$complete"; then
		return 0
	fi
	host_check
	cache_lock
	if "$complete"; then
		return 0
	fi
	trap 'setup_interrupted INT' INT
	trap 'setup_interrupted TERM' TERM
	trap 'setup_interrupted HUP' HUP
	host_prepare
	say "Filling $CACHE; a few minutes, only this once."
	setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child=KILL --mount-proc \
		--propagation private "$ENV_SELF" "$command" </dev/null &
	child=$!
	wait "$child" || status=$?
	cache_drop_tmp
	[ "$status" -eq 0 ] || exit 1
	say "The environment is ready after $(duration $((SECONDS - begin)))."
}

# shellcheck disable=SC2317 # from traps
setup_interrupted() {
	trap '' INT TERM HUP
	kill -KILL "$child" 2>/dev/null || true
	wait "$child" 2>/dev/null || true
	cache_drop_tmp
	say "Interrupted; what was complete stays in the cache."
	trap - "$1"
	kill -s "$1" $$
}

# setup_inside: the inner half. The guest's user space needs nothing of the
# others until it becomes an image, so it is made alongside.
setup_inside() {
	local guest_pid=''
	cd /
	[ -z "$FROM" ] || STEPS=9
	if ! cache_has "$GUEST_DIR"; then
		# shellcheck disable=SC2034 # for the steps
		GUEST_TMP=$(cache_tmp "$GUEST_DIR")
		step 3 guest-root "the guest's user space (mmdebstrap)" guest_bootstrap &
		guest_pid=$!
	fi
	setup_root
	setup_kernel
	[ -z "$guest_pid" ] || wait "$guest_pid"
	setup_images
}

setup_root() {
	if cache_has "$ROOT_DIR"; then
		step_cached 2 "the build root"
		return
	fi
	step 2 root "the build root: toolchain and QEMU (mmdebstrap)" root_build
}

setup_kernel() {
	if cache_has "$KERNEL_DIR"; then
		step_cached 4 "kernel '$KERNEL'"
		return
	fi
	if [ -n "$FROM" ]; then
		(KERNEL=$FROM; cache_resolve; setup_kernel)
		setup_derived
		return
	fi
	# shellcheck disable=SC2034 # for the steps
	KERNEL_TMP=$(cache_tmp "$KERNEL_DIR")
	step 4 kernel-fetch "downloading the kernel, its headers and its source" kernel_fetch
	step 5 kernel-unpack "unpacking kernel $(cat "$KERNEL_TMP/release")" kernel_unpack
	step 6 kernel-build "building the kernel's Rust crates" kernel_build
}

setup_derived() {
	local progress
	if derived_begin; then
		step 7 "kernel-$KERNEL-copy" "copying the source of kernel '$FROM'" derived_copy
	else
		say "[7/$STEPS] a build that was interrupted goes on"
	fi
	derived_progress &
	progress=$!
	step 8 "kernel-$KERNEL-build" "building kernel '$KERNEL'; ten minutes or twenty" \
		derived_build
	kill "$progress"
}

setup_images() {
	if ! cache_has "$GUEST_DIR"; then
		step "$STEPS" guest-image "the guest's disk image" guest_image
	fi
	if ! cache_has "$INITRAMFS_DIR"; then
		step "$STEPS" initramfs "the guest's initramfs" initramfs_build
	fi
}

path_names() {
	echo "cache root kernel kdir release vmlinuz docs make_args append built modules guest initramfs cargo target qemu"
}

# Where modules are built and looked for. Another kernel than the stock one has a
# copy of the sources: objects of two kernels in one tree would get mixed up. Not in
# the checkout, where an editor would find each crate twice.
modules_built() {
	if [ "$KERNEL" = stock ]; then
		echo "$CHECKOUT"
	else
		echo "$CACHE/sources/$KERNEL-$(key_of "$CHECKOUT")"
	fi
}

# Cargo takes what another checkout has built in the same directory for its own.
cargo_target() {
	echo "$CACHE/target/$(key_of "$CHECKOUT")"
}

# Words for the kernel's command line; not in the key, nothing is built with them.
kernel_append() {
	local file=$QEMU_DIR/kernels/$KERNEL.append
	if [ -f "$file" ]; then
		grep -v -e '^#' -e '^$' "$file" | paste -sd ' '
	else
		echo
	fi
}

# path_of NAME
path_of() {
	case $1 in
	cache)		echo "$CACHE" ;;
	root)		echo "$ROOT_DIR" ;;
	kernel)		echo "$KERNEL_DIR" ;;
	kdir)		echo "$KERNEL_DIR/linux" ;;
	release)	cat "$KERNEL_DIR/release" 2>/dev/null || echo unknown ;;
	vmlinuz)	echo "$KERNEL_DIR/vmlinuz" ;;
	docs)		echo "$KERNEL_DIR/linux-docs.tar" ;;
	modules)	echo "$KERNEL_DIR/lib/modules" ;;
	guest)		echo "$GUEST_DIR/guest.img" ;;
	initramfs)	echo "$INITRAMFS_DIR/initramfs.cpio" ;;
	make_args)	kernel_setting KERNEL_MAKE_ARGS ;;
	append)		kernel_append ;;
	built)		modules_built ;;
	cargo)		echo "$CACHE/cargo" ;;
	target)		cargo_target ;;
	qemu)		echo "$ROOT_DIR/usr/bin/qemu-system-x86_64" ;;
	*)		die "path: unknown name '$1'; there is: $(path_names)" ;;
	esac
}

path_main() {
	[ $# -eq 1 ] || die "path: one name is needed: $(path_names)"
	path_of "$1"
}

paths_main() {
	local name
	cache_complete || die "the environment is not complete; run: make setup"
	for name in $(path_names); do
		printf '%s=%s\n' "$name" "$(path_of "$name")"
	done
}
