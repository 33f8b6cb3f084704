# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The guest's user space: a small Debian with real tools, as a disk image that
# every guest mounts read-only. It does not depend on the kernel.
#
# What the artefact holds: guest.img

guest_bootstrap() {
	bootstrap "$GUEST_TMP/root" guest
}

guest_image() {
	(ENV_BIND=$GUEST_DIR=$GUEST_TMP enter_main \
		"$QEMU_DIR/inside/guest-image" "$GUEST_DIR")
	rm -rf "$GUEST_TMP/root"
	cache_publish "$GUEST_TMP" "$GUEST_DIR"
}
