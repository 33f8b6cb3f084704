// SPDX-License-Identifier: GPL-2.0
//
// Run in the page, in a window of that width: opens what is behind each square (the first ones, up to a most),
// and looks at what a person would see. What is wrong comes back as lines, with how many squares there were.
(width, most) => {
	const wrong = new Set();
	const root = document.documentElement;

	// Nothing has to be scrolled sideways, neither the page nor a part of it.
	function sideways(where) {
		if (root.scrollWidth > width)
			wrong.add(`${where}: the page has ${root.scrollWidth} pixels of ${width}`);
		for (const part of document.querySelectorAll("aside, .detail:target pre"))
			if (part.scrollWidth > part.clientWidth)
				wrong.add(`${where}: ${part.localName} has to be scrolled sideways`);
	}

	// The parts of a colour, 0 to 1, the last one how opaque it is.
	function parts(colour) {
		const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
		return [red / 255, green / 255, blue / 255, alpha];
	}

	// As WCAG has it: the relative luminance.
	function luminance(colour) {
		const [red, green, blue] = parts(colour)
			.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
		return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
	}

	function background(element) {
		for (; element; element = element.parentElement) {
			const colour = getComputedStyle(element).backgroundColor;
			if (parts(colour)[3] > 0)
				return colour;
		}
		return "rgb(255, 255, 255)";
	}

	// Text has a contrast of 4.5 at least: WCAG, level AA.
	const known = new Set();
	function contrast(where, element) {
		const style = getComputedStyle(element);
		const ink = element.closest("svg") ? style.fill : style.color;
		const paper = background(element);
		if (known.has(ink + paper))
			return;
		known.add(ink + paper);
		const [dark, light] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
		const ratio = (light + 0.05) / (dark + 0.05);
		if (ratio < 4.5)
			wrong.add(`${where}: ${ink} on ${paper} has a contrast of ${ratio.toFixed(2)}`);
	}

	function look(where, within) {
		sideways(where);
		const texts = document.createTreeWalker(within, NodeFilter.SHOW_TEXT);
		while (texts.nextNode()) {
			const element = texts.currentNode.parentElement;
			if (texts.currentNode.data.trim() && element.checkVisibility())
				contrast(where, element);
		}
	}

	look("page", document.body);
	const squares = [...document.querySelectorAll(".square a")].slice(0, most);
	for (const square of squares) {
		const name = square.hash.slice(1);
		square.click();
		const detail = document.getElementById(name);
		if (!detail?.checkVisibility()) {
			wrong.add(`${name}: nothing is shown`);
			continue;
		}
		for (const one of detail.querySelectorAll("details:not([open]) > summary"))
			one.click();
		for (const one of detail.querySelectorAll("dd, pre, svg"))
			if (!one.checkVisibility())
				wrong.add(`${name}: ${one.localName} is not shown`);
		look(name, detail);
	}
	if (document.scripts.length || performance.getEntriesByType("resource").length)
		wrong.add("page: there is a script, or something from elsewhere");
	return { squares: squares.length, wrong: [...wrong] };
}
