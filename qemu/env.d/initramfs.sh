# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The initramfs: busybox, guest/init, and the modules that it takes to reach the
# guest's image and the host's shares.
#
# What the artefact holds: initramfs.cpio

initramfs_build() {
	local tmp
	tmp=$(cache_tmp "$INITRAMFS_DIR")
	(ENV_BIND=$INITRAMFS_DIR=$tmp:$KERNEL_DIR enter_main "$QEMU_DIR/inside/initramfs" \
		"$INITRAMFS_DIR" "$KERNEL_DIR")
	cache_publish "$tmp" "$INITRAMFS_DIR"
}
