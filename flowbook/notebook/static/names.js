/** Names of any length: one that doesn't fit loses its middle, never its end, and its title holds it whole. */

import * as dom from "./dom.js";

/** Names up to this length stay in one piece. */
const SHORT = 20;
/** How much of a longer name's end always shows. */
const END = 8;

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
  if (found.length <= SHORT || (RIGHT_TO_LEFT.test(name) && LEFT_TO_RIGHT.test(name))) return [name, ""];
  return [found.slice(0, -END).join(""), found.slice(-END).join("")];
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
