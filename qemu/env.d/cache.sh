# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The cache: where artefacts live, what they are keyed by, how they get there.
#
# An artefact is a directory NAME-KEY. KEY is a hash of the recipe files that
# make it and of the keys of the artefacts it is made from, so a changed recipe
# makes a new artefact next to the old one and clones with the same recipes
# share one. It is made in tmp/ and renamed when it is complete: a directory
# with the final name and a file .complete in it is always whole. Only the holder
# of the lock writes to tmp/ (and building/, see derived.sh), so whatever is there
# when the lock is taken belonged to a dead run.

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/stable-pages
KERNEL=${KERNEL:-stock}

# key_of WORD... : the key of something made from the given files and words.
key_of() {
	local word
	{
		for word in "$@"; do
			if [ -f "$QEMU_DIR/$word" ]; then
				printf 'file %s\n' "$word"
				cat "$QEMU_DIR/$word"
			else
				printf 'word %s\n' "$word"
			fi
		done
	} | sha256sum | cut -c1-12
}

# kernel_key_of NAME ROOT_KEY
kernel_key_of() {
	key_of env.d/kernel.sh "kernels/$1.sh" \
		inside/kernel-{fetch,choose.py,unpack,build} "$2"
}

# Paths of the artefacts of the present recipes, whether they exist or not.
# Set once, before anything else runs.
cache_resolve() {
	local root_key kernel_key guest_key initramfs_key
	root_key=$(key_of env.d/root.sh packages/root)
	FROM=$(kernel_setting KERNEL_FROM)
	FROM_DIR=
	kernel_key=$(kernel_key_of "${FROM:-$KERNEL}" "$root_key")
	if [ -n "$FROM" ]; then
		# shellcheck disable=SC2034 # for derived.sh
		FROM_DIR=$CACHE/kernel-$FROM-$kernel_key
		kernel_key=$(derived_key_of "$kernel_key")
	fi
	guest_key=$(key_of env.d/{root,guest}.sh inside/guest-image packages/guest)
	initramfs_key=$(key_of env.d/initramfs.sh inside/initramfs \
		packages/initramfs-modules guest/init "$kernel_key")

	ROOT_DIR=$CACHE/root-$root_key
	KERNEL_DIR=$CACHE/kernel-$KERNEL-$kernel_key
	GUEST_DIR=$CACHE/guest-$guest_key
	BROWSER_DIR=$CACHE/browser-$(key_of env.d/{root,browser}.sh packages/browser)
	INITRAMFS_DIR=$CACHE/initramfs-$KERNEL-$initramfs_key
}

# cache_has ARTEFACT: whether it is there, whole.
cache_has() {
	[ -e "$1/.complete" ]
}

cache_complete() {
	local dir
	for dir in "$ROOT_DIR" "$KERNEL_DIR" "$GUEST_DIR" "$INITRAMFS_DIR"; do
		cache_has "$dir" || return 1
	done
}

# cache_lock: hold the lock for the life of this process and its children.
cache_lock() {
	mkdir -p "$CACHE/tmp" "$CACHE/log"
	exec {CACHE_LOCK_FD}>"$CACHE/lock"
	if ! flock --nonblock "$CACHE_LOCK_FD"; then
		say "Another run is filling $CACHE; waiting for it ..."
		flock "$CACHE_LOCK_FD"
	fi
	cache_drop_tmp
}

cache_drop_tmp() {
	local dir
	for dir in "$CACHE"/tmp/*; do
		[ ! -e "$dir" ] || rm -rf --one-file-system "$dir"
	done
}

# cache_tmp ARTEFACT: a fresh directory to make it in.
cache_tmp() {
	local dir
	dir=$CACHE/tmp/$(basename "$1")
	rm -rf --one-file-system "$dir"
	mkdir -p "$dir"
	printf '%s\n' "$dir"
}

# cache_publish TMP ARTEFACT
cache_publish() {
	: >"$1/.complete"
	[ ! -e "$2" ] || rm -rf --one-file-system "$2"
	mv -T "$1" "$2"
}

cache_doctor() {
	local what dir
	say "Cache: $CACHE"
	for what in root:"$ROOT_DIR" kernel:"$KERNEL_DIR" guest:"$GUEST_DIR" \
		initramfs:"$INITRAMFS_DIR"; do
		dir=${what#*:}
		if ! cache_has "$dir"; then
			say "  ${what%%:*}: missing (qemu/env setup makes it)"
		elif [ "${what%%:*}" = kernel ]; then
			say "  kernel: $(cat "$dir/release") ($KERNEL), $(basename "$dir")"
		else
			say "  ${what%%:*}: $(basename "$dir")"
		fi
	done
	! cache_has "$BROWSER_DIR" || say "  browser: $(basename "$BROWSER_DIR")"
	cache_old | sed 's/^/  no longer made by the recipes: /' >&2
	[ ! -d "$CACHE" ] || say "  size: $(du -sh "$CACHE" 2>/dev/null | cut -f1)"
}

# Names of the artefacts of the kinds that present recipes do not make, and of
# copies and builds of checkouts that are gone.
cache_old() {
	local dir name kernel keep=" "
	for kernel in $(kernel_names); do
		KERNEL=$kernel cache_resolve
		keep+="$ROOT_DIR $KERNEL_DIR $GUEST_DIR $INITRAMFS_DIR $BROWSER_DIR "
	done
	cache_resolve
	for dir in "$CACHE"/{root,kernel,guest,initramfs,browser}-* "$CACHE"/building/*; do
		[ -d "$dir" ] || continue
		name=${dir##*/}
		[[ $keep == *" $CACHE/$name "* ]] || printf '%s\n' "${dir#"$CACHE/"}"
	done
	for dir in "$CACHE"/sources/* "$CACHE"/target/*; do
		[ -d "$dir" ] || continue
		[ -e "$(cat "$dir/.checkout" 2>/dev/null)/Kbuild" ] || printf '%s\n' "${dir#"$CACHE/"}"
	done
}

cache_clean() {
	local name
	[ -d "$CACHE" ] || return 0
	cache_lock
	if [ "${1:-}" = --old ]; then
		cache_old | while read -r name; do
			say "dropping $name"
			rm -rf --one-file-system "${CACHE:?}/$name"
		done
	elif [ $# -eq 0 ]; then
		say "dropping $CACHE"
		rm -rf --one-file-system "$CACHE"
	else
		die "clean: unknown option '$1'"
	fi
}
