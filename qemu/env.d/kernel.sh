# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# A kernel: its packages, and a source tree prepared for building modules. How
# it is configured and what is made in the tree is up to kernels/NAME.sh; the
# work is done in the build root by the scripts in inside/.
#
# What the artefact holds:
#   linux/           the tree; KDIR (Documentation/ is in the archive below)
#   linux-docs.tar   the kernel's Documentation/
#   lib/modules/R/   the kernel's modules, not compressed, with modules.dep
#   vmlinuz          the image
#   release          the release string R

kernel_names() {
	local file
	for file in "$QEMU_DIR"/kernels/*.sh; do
		basename "$file" .sh
	done | paste -sd ' '
}

# kernel_inside SCRIPT: run it in the build root, where the artefact that is
# being made has its final path already, since paths get baked in.
kernel_inside() {
	ENV_BIND=$KERNEL_DIR=$KERNEL_TMP enter_main \
		"$QEMU_DIR/inside/$1" "$KERNEL_DIR" "$KERNEL"
}

kernel_fetch() {
	(kernel_inside kernel-fetch)
}

kernel_unpack() {
	(kernel_inside kernel-unpack)
}

kernel_build() {
	(kernel_inside kernel-build)
	rm -rf "$KERNEL_TMP/packages"
	cache_publish "$KERNEL_TMP" "$KERNEL_DIR"
}
