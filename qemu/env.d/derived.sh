# shellcheck shell=bash
# shellcheck disable=SC2153 # CACHE, KERNEL and the like are set by the other parts
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that is built here, from the source tree of another kernel's artefact:
# its file in kernels/ says which (KERNEL_FROM). The artefact is laid out like any
# other kernel's. It takes long, so an interrupted build is kept in building/ and
# goes on; there, too, a directory belongs to one key, and what is not whole is
# never where an artefact is looked for.

# kernel_setting NAME: the value that kernels/$KERNEL.sh gives it, or nothing.
kernel_setting() (
	unset "$1"
	# shellcheck source=/dev/null
	. "$QEMU_DIR/kernels/$KERNEL.sh"
	printf '%s\n' "${!1:-}"
)

# derived_key_of FROM_KEY: of the configuration's fragment, its options count.
derived_key_of() {
	local fragment=$QEMU_DIR/kernels/$KERNEL.config
	key_of env.d/derived.sh "kernels/$KERNEL.sh" inside/kernel-{copy,build,install} \
		"$(grep -e '^CONFIG_' -e '^# CONFIG_' "$fragment")" "$1"
}

derived_inside() {
	ENV_BIND=$KERNEL_DIR=$KERNEL_TMP:$FROM_DIR enter_main \
		"$QEMU_DIR/inside/$1" "$KERNEL_DIR" "$KERNEL" "$FROM_DIR"
}

# derived_begin: sets KERNEL_TMP; whether there is nothing to go on with.
derived_begin() {
	KERNEL_TMP=$CACHE/building/$(basename "$KERNEL_DIR")
	[ ! -e "$KERNEL_TMP/.copied" ] || return 1
	rm -rf --one-file-system "$KERNEL_TMP"
	mkdir -p "$KERNEL_TMP"
}

derived_copy() {
	(derived_inside kernel-copy)
	: >"$KERNEL_TMP/.copied"
}

derived_build() {
	(derived_inside kernel-build)
	(derived_inside kernel-install)
	rm "$KERNEL_TMP/.copied"
	cache_publish "$KERNEL_TMP" "$KERNEL_DIR"
}

# derived_progress: say how far derived_build is, until killed.
derived_progress() {
	local all count begin=$SECONDS
	all=$(kernel_setting KERNEL_OBJECTS)
	while sleep 60; do
		count=$(find "$KERNEL_TMP/linux" -name '*.o' 2>/dev/null | wc -l)
		say "      $count of about $all files after $(duration $((SECONDS - begin)))"
	done
}
