# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What this machine itself must have: very little, since compilers, QEMU and
# everything else live in the build root.

# One "command package" pair a line.
host_needs() {
	grep -v -e '^#' -e '^$' "$QEMU_DIR/packages/host"
}

# Packages that are missing, by the commands they bring.
host_missing_packages() {
	local command package
	host_needs | while read -r command package; do
		case $command in
		/*)	[ -e "$command" ] ;;
		*)	command -v "$command" >/dev/null ;;
		esac || printf '%s\n' "$package"
	done | sort -u | paste -sd ' '
}

# Reasons why this machine can't be used, one a line; empty if it can.
host_obstacles() {
	local free
	[ "$(uname -m)" = x86_64 ] ||
		echo "an x86-64 machine is needed, this one is $(uname -m)"
	[ "$(id -u)" -eq 0 ] ||
		echo "must be root (to install packages and to make the build root)"
	mkdir -p "$CACHE" 2>/dev/null ||
		echo "can't write to $CACHE (set XDG_CACHE_HOME)"
	if [ "$(id -u)" -eq 0 ] && ! unshare --mount --pid --fork true 2>/dev/null; then
		echo "can't make mount and process namespaces (a container? give it CAP_SYS_ADMIN)"
	fi
	if [ -d "$CACHE" ] && ! cache_complete; then
		free=$(df --output=avail -BG "$CACHE" | tail -n 1 | tr -dc 0-9)
		[ "$free" -ge 10 ] ||
			echo "10 GB of space are needed in $CACHE, there are $free"
	fi
}

host_can_apt() {
	[ "$(id -u)" -eq 0 ] && [ -f /etc/debian_version ] &&
		command -v apt-get >/dev/null
}

# host_check: say all that is wrong and can't be put right, and stop.
host_check() {
	local packages obstacles
	packages=$(host_missing_packages)
	obstacles=$(host_obstacles)
	if [ -n "$obstacles" ] || { [ -n "$packages" ] && ! host_can_apt; }; then
		host_report "$packages" "$obstacles"
		exit 1
	fi
}

# host_prepare: install what is missing.
host_prepare() {
	local packages
	packages=$(host_missing_packages)
	[ -n "$packages" ] || return 0
	# shellcheck disable=SC2086 # a list
	step 1 host "installing on this machine: $packages" host_install $packages
}

host_install() {
	export DEBIAN_FRONTEND=noninteractive
	# Without update first: it is slow, and mostly not needed.
	if host_apt install "$@" && [ -z "$(host_missing_packages)" ]; then
		return
	fi
	host_apt update
	host_apt install "$@"
	if [ -n "$(host_missing_packages)" ]; then
		echo "Installed, but still too old or not there: $(host_missing_packages)"
		return 1
	fi
}

host_apt() {
	apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

# host_report PACKAGES OBSTACLES
host_report() {
	local line
	say "This machine can not be used yet:"
	while read -r line; do
		[ -z "$line" ] || say "  - $line"
	done <<<"$2"
	[ -z "$1" ] || say "  - packages are missing: $1"
	[ -z "$1" ] || say "    (as root on Debian they are installed by themselves; else: apt install $1)"
}

host_doctor() {
	local packages obstacles
	packages=$(host_missing_packages)
	obstacles=$(host_obstacles)
	if [ -z "$packages$obstacles" ]; then
		say "This machine has all that is needed."
	elif [ -z "$obstacles" ] && host_can_apt; then
		say "This machine can be used; 'setup' will install: $packages"
	else
		host_report "$packages" "$obstacles"
		cache_doctor
		exit 1
	fi
}
