# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The build root: the distribution's toolchain, the very one that the stock
# kernel was built with, so that the Rust crates built here have the symbol
# hashes of that kernel. Also home of the QEMU that runs the guests.

ROOT_SUITE=trixie

# package_list FILE: the packages in it, separated by commas.
package_list() {
	grep -v -e '^#' -e '^$' "$QEMU_DIR/packages/$1" | paste -sd ,
}

# bootstrap DIR LIST: a small Debian with the packages of packages/LIST and
# nothing to read. The mirror is the tool's default.
bootstrap() {
	mmdebstrap --variant=minbase --components=main \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--include="$(package_list "$2")" \
		"$ROOT_SUITE" "$1"
	chmod 755 "$1"
}

root_build() {
	local tmp
	tmp=$(cache_tmp "$ROOT_DIR")
	bootstrap "$tmp/root" root
	mkdir "$tmp/artefact"
	mv "$tmp/root"/* "$tmp/artefact/"
	# Docker and friends leave it out; the machine's own is bound over it.
	[ -e "$tmp/artefact/etc/resolv.conf" ] || : >"$tmp/artefact/etc/resolv.conf"
	cache_publish "$tmp/artefact" "$ROOT_DIR"
	rm -rf "$tmp"
}
