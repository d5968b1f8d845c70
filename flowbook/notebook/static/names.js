/** Names of any length: one that doesn't fit loses its middle, never its end, and its title holds it whole. */

import * as dom from "./dom.js";

/** Names up to this length stay in one piece. */
const SHORT = 20;
/** How much of a longer name's end always shows. */
const END = 8;

/**
 * Split a name into the part that may be cut at its end, and the part that always shows; the latter is empty for short names.
 *
 * @param {string} name
 * @returns {[string, string]}
 */
export function halves(name) {
  const characters = [...name];
  if (characters.length <= SHORT) return [name, ""];
  return [characters.slice(0, -END).join(""), characters.slice(-END).join("")];
}

/** The parts of a name, for an element of class `mid`. @param {string} name */
export function nameParts(name) {
  const [start, end] = halves(name);
  return end ? [dom.h("span", {}, start), dom.h("span", {}, end)] : [dom.h("span", {}, start)];
}

/** @param {string} name @param {import("./dom.js").Attrs} [attrs] */
export const nameIn = (name, attrs = {}) => dom.h("span", { ...attrs, class: ["mid", attrs.class].filter(Boolean).join(" "), title: name }, ...nameParts(name));

/** Show another name in an element, if it differs. @param {Element} element @param {string} name */
export function sayName(element, name) {
  if (element.getAttribute("title") === name && element.firstChild) return;
  element.classList.add("mid");
  dom.set(element, { title: name });
  element.replaceChildren(...nameParts(name));
}
