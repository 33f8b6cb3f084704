# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The browser that tests look at pages with: a headless Chromium, in a small Debian of
# its own. Nobody else needs it, so it is made when it is first asked for.

browser_build() {
	local tmp
	tmp=$(cache_tmp "$BROWSER_DIR")
	bootstrap "$tmp/root" browser
	mkdir "$tmp/artefact"
	mv "$tmp/root"/* "$tmp/artefact/"
	cache_publish "$tmp/artefact" "$BROWSER_DIR"
	rm -rf "$tmp"
}

browser_complete() {
	cache_has "$BROWSER_DIR"
}

browser_inside() {
	# shellcheck disable=SC2034 # for step
	STEPS=2
	step 2 browser "the browser (mmdebstrap)" browser_build
}

# browser_main [ARGUMENT]...: it, in the current directory. Does not return.
browser_main() {
	fill browser_complete browser-inside
	ROOT_DIR=$BROWSER_DIR enter_main -- chromium-headless-shell "$@"
}
