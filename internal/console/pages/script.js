// Two helps for pages that work without them.
//
// What runs long moves by itself: the page is asked for again every few seconds, and its region "moving" takes the
// place of the one that is shown. When nothing moves any more, the whole page is loaded once.
"use strict";

const pause = 3000; // milliseconds

async function lookAgain() {
	if (document.hidden) {
		return;
	}
	let answer;
	try {
		answer = await fetch(location.href, {redirect: "manual"});
	} catch {
		return; // no connection just now
	}
	if (answer.status >= 500) {
		return;
	}
	const page = answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
	const fresh = page && page.getElementById("moving");
	if (fresh) {
		document.getElementById("moving").replaceWith(fresh);
	} else {
		location.reload();
	}
}

if (document.getElementById("moving")) {
	setInterval(lookAgain, pause);
}

// In a list whose rows can be chosen, each button says how many it is for, and with Shift all rows from the one that was
// chosen last to this one are chosen.
const list = document.querySelector("form.choices");
if (list) {
	const boxes = [...list.querySelectorAll("input[type=checkbox]")];
	const buttons = [...list.querySelectorAll("button[data-many]")].map((button) => [button, button.textContent]);
	let last = null;
	const say = () => {
		const n = boxes.filter((box) => box.checked).length;
		for (const [button, none] of buttons) {
			const {single, many} = button.dataset;
			button.textContent = n === 0 ? none : n === 1 ? single : many.replace("#", n);
		}
	};
	list.addEventListener("click", (event) => {
		const at = boxes.indexOf(event.target);
		if (at < 0) {
			return;
		}
		if (event.shiftKey && last !== null) {
			for (const box of boxes.slice(Math.min(at, last), Math.max(at, last) + 1)) {
				box.checked = event.target.checked;
			}
		}
		last = at;
		say();
	});
	addEventListener("pageshow", say);
}
