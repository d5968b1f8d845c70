/** Cuts texts to a width. Measures them outside the page, since measuring in the page would lay out the whole graph each time. */

import { characters } from "./names.js";

/** @typedef {CanvasRenderingContext2D | null} Ruler */
/** `isStyled`: whether the style sheets were there. @typedef {{name: Ruler, note: Ruler, isStyled: boolean}} Rulers */

/** By the document, or the shadow root, that a picture is in: all its views have the same fonts. @type {WeakMap<Node, Rulers>} */
const rulers = new WeakMap();

/** `text` with its middle left out, `length` characters in all. @param {string} text @param {number} length */
export function middleCut(text, length) {
  const found = characters(text);
  if (found.length <= length) return text;
  const end = Math.floor((length - 1) / 2);
  return `${found.slice(0, length - 1 - end).join("")}…${found.slice(found.length - end).join("")}`;
}

/** A note that is too wide loses its end. @param {string} text @param {number} room in px @param {Element} svg */
export function endCut(text, room, svg) {
  const ruler = rulersOf(svg).note;
  const width = (/** @type {string} */ words) => ruler?.measureText(words).width ?? 0;
  if (width(text) <= room) return text;
  const found = characters(text);
  const start = (/** @type {number} */ kept) => found.slice(0, kept).join("");
  let kept = Math.floor((found.length * room) / width(text));
  while (kept > 6 && width(`${start(kept)}…`) > room) kept -= 1;
  return `${start(kept).trimEnd()}…`;
}

/** A name that is too wide loses its middle, never its end. @param {string} name @param {number} room in px @param {Element} svg */
export function nameCut(name, room, svg) {
  const ruler = rulersOf(svg).name;
  const width = (/** @type {string} */ words) => ruler?.measureText(words).width ?? 0;
  let text = name;
  const whole = width(name);
  const length = characters(name).length;
  let kept = whole > room ? Math.ceil((length * room) / whole) : length;
  for (; kept > 6 && width(text) > room; kept -= 1) text = middleCut(name, kept);
  return text;
}

/** How wide a name is, and at most a word for a state, in px. @param {string} text @param {Element} svg */
export const nameWidth = (text, svg) => rulersOf(svg).name?.measureText(text).width ?? 0;

/** What measures the names and the notes of a picture, in its own fonts. @param {Element} svg @returns {Rulers} */
function rulersOf(svg) {
  const place = svg.getRootNode();
  const found = rulers.get(place) ?? rulersIn(svg.closest(".fb") ?? svg);
  if (found.isStyled) rulers.set(place, found);
  return found;
}

/**
 * By the tokens of the view. The browser works out the looks of all that is new in the page before it tells them, and of a text in the
 * view even where everything lies; so it is asked once.
 *
 * @param {Element} view
 * @returns {Rulers}
 */
function rulersIn(view) {
  const style = getComputedStyle(view);
  const token = (/** @type {string} */ name) => style.getPropertyValue(`--fb-${name}`).trim();
  const family = token("font");
  return {
    name: rulerFor(`${token("strong")} ${token("name-size")} ${family}`),
    note: rulerFor(`${token("weight")} ${token("text-size")} ${family}`),
    isStyled: family !== "",
  };
}

/** @param {string} font @returns {Ruler} */
function rulerFor(font) {
  const ruler = document.createElement("canvas").getContext("2d");
  if (ruler) ruler.font = font;
  return ruler;
}
