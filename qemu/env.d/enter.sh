# shellcheck shell=bash
# shellcheck disable=SC2153 # CHECKOUT and CACHE are set by the other parts
# SPDX-License-Identifier: GPL-2.0
#
# Running things in the build root. The root is put together in a mount
# namespace that dies with the command: a tmpfs with the root's directories
# (read-only), the machine's /dev, /proc and /sys, and the checkout, the cache
# and the current directory at the paths that they have outside.

# enter_main [--bind=PATH]... [--] CMD...: PATH is shown as well.
enter_main() {
	local binds=${ENV_BIND:-$CACHE} target
	while [[ ${1:-} == --bind=* ]]; do
		binds+=:${1#--bind=}
		shift
	done
	[ "${1:-}" != -- ] || shift
	[ $# -gt 0 ] || die "exec: no command given"
	cache_has "$ROOT_DIR" || die "there is no build root yet; run: qemu/env setup"
	[ "$(id -u)" -eq 0 ] || die "exec: must be root (it makes a mount namespace)"
	target=$(cargo_target)
	mkdir -p "$CACHE/cargo" "$target"
	echo "$CHECKOUT" >"$target/.checkout"
	exec unshare --mount --propagation private "$BASH" -c "
		set -eu
		$(declare -f enter_assemble enter_bind enter_chroot)
		"'enter_chroot "$@"' enter "$ROOT_DIR" "$CACHE" "$target" "$CHECKOUT" "$binds" "$@"
}

# enter_bind NEWROOT PATH [SOURCE]
enter_bind() {
	if [ -d "${3:-$2}" ]; then
		mkdir -p "$1$2"
	else
		mkdir -p "$(dirname "$1$2")"
		[ -e "$1$2" ] || : >"$1$2"
	fi
	mount --rbind "${3:-$2}" "$1$2"
}

# enter_assemble ROOT NEWROOT: what every command sees.
enter_assemble() {
	local entry
	mount -t tmpfs -o mode=755,size=64m stable-pages-root "$2"
	for entry in "$1"/*; do
		if [ -L "$entry" ]; then
			cp -a "$entry" "$2/"
		else
			mkdir "$2/${entry##*/}"
		fi
	done
	for entry in usr etc var; do
		mount --bind "$1/$entry" "$2/$entry"
	done
	for entry in dev proc sys tmp var/tmp; do
		mount --rbind "/$entry" "$2/$entry"
	done
	# How this machine reaches the network, for cargo: names, and whom it trusts.
	for entry in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
		if [ -e "$entry" ] && [ -e "$2$entry" ]; then
			mount --bind "$(readlink -f "$entry")" "$2$entry"
		fi
	done
}

# enter_chroot ROOT CACHE TARGET CHECKOUT BINDS CMD...: does not return. BINDS is what
# is shown besides the checkout and the current directory: PATH or PATH=SOURCE,
# separated by colons. It is the cache, except while an artefact is made: its
# mount point must not appear in there.
enter_chroot() {
	local root=$1 cache=$2 target=$3 checkout=$4 binds=$5 cwd new entry
	shift 5
	cwd=$(pwd -P)
	new=$root/../.enter
	mkdir -p "$new"
	new=$(readlink -f "$new")
	enter_assemble "$root" "$new"
	for entry in "$checkout" "$cwd"; do
		# What is below /tmp is there already.
		if [ ! "$entry" -ef "$new$entry" ] && [ "$entry" != / ]; then
			enter_bind "$new" "$entry"
		fi
	done
	while [ -n "$binds" ]; do
		entry=${binds%%:*}
		binds=${binds#"$entry"}
		binds=${binds#:}
		[ "${entry#*=}" -ef "$new${entry%%=*}" ] ||
			enter_bind "$new" "${entry%%=*}" "${entry#*=}"
	done
	for entry in usr etc var; do
		mount -o remount,bind,ro "$new/$entry"
	done
	export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
	export CARGO_HOME=$cache/cargo CARGO_TARGET_DIR=$target
	unset TMPDIR XDG_CACHE_HOME
	# shellcheck disable=SC2016 # expanded inside
	exec chroot "$new" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$cwd" "$@"
}
