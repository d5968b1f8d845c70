/** Names of any length: one that doesn't fit loses its middle, never its end, and its title holds it whole. */

import * as dom from "./dom.js";

/** Names up to this length stay in one piece; a wide character counts as two. */
const SHORT = 20;
/** How much of a longer name's end always shows. */
const END = 8;
/** Chinese, Japanese, Korean and emoji. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60]|\p{Extended_Pictographic}|\p{Regional_Indicator}/u;

/** Takes what people see as one character as one: an emoji is up to a dozen code units. */
const SEGMENTER = "Segmenter" in Intl ? new Intl.Segmenter() : null;
/** Texts of these only are cut anywhere. */
const PLAIN = /^[ -~\u00a0-\u02ff]*$/;

/** The characters of a text as people see them. @param {string} text @returns {string[]} */
export const characters = (text) => (SEGMENTER && !PLAIN.test(text) ? [...SEGMENTER.segment(text)].map(({ segment }) => segment) : [...text]);

/** In a name with letters of both directions the browser orders the parts; cut in two it would be another name. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const LEFT_TO_RIGHT = /[A-Za-z\u00c0-\u024f\u0370-\u052f]/;

/**
 * Split a name into the part that may be cut at its end, and the part that always shows; the latter is empty for short names, and those of both directions.
 *
 * @param {string} name
 * @returns {[string, string]}
 */
export function halves(name) {
  const found = characters(name);
  const widths = found.map((character) => (WIDE.test(character) ? 2 : 1));
  if (widths.reduce((all, width) => all + width, 0) <= SHORT || (RIGHT_TO_LEFT.test(name) && LEFT_TO_RIGHT.test(name))) return [name, ""];
  let from = found.length;
  for (let room = END; room >= (widths[from - 1] ?? END); from -= 1) room -= widths[from - 1] ?? 0;
  return [found.slice(0, from).join(""), found.slice(from).join("")];
}

/** The parts of a name, for an element of class `mid`. @param {string} name */
export function nameParts(name) {
  const [start, end] = halves(name);
  return end ? [dom.h("span", {}, start), dom.h("span", {}, end)] : [dom.h("span", {}, start)];
}

/** @param {string} name @param {import("./dom.js").Attrs} [attrs] */
export const nameIn = (name, attrs = {}) =>
  dom.h("span", { ...attrs, dir: "auto", class: ["mid", attrs.class].filter(Boolean).join(" "), title: name }, ...nameParts(name));

/** Show another name in an element, if it differs. @param {Element} element @param {string} name */
export function sayName(element, name) {
  if (element.getAttribute("title") === name && element.firstChild) return;
  element.classList.add("mid");
  dom.set(element, { title: name, dir: "auto" });
  element.replaceChildren(...nameParts(name));
}
