/** Cuts texts to a width. Measures them outside the page, since measuring in the page would lay out the whole graph each time. */

/** @typedef {CanvasRenderingContext2D | null} Ruler */

/** @type {WeakMap<Element, {name: Ruler, note: Ruler}>} */
const rulers = new WeakMap();

/** `text` with its middle left out, `length` characters in all. @param {string} text @param {number} length */
export function middleCut(text, length) {
  if (text.length <= length) return text;
  const end = Math.floor((length - 1) / 2);
  return `${text.slice(0, length - 1 - end)}…${text.slice(text.length - end)}`;
}

/** A note that is too wide loses its end. @param {string} text @param {number} room in px @param {Element} svg */
export function endCut(text, room, svg) {
  const ruler = rulersOf(svg).note;
  const width = (/** @type {string} */ words) => ruler?.measureText(words).width ?? 0;
  if (width(text) <= room) return text;
  let kept = Math.floor((text.length * room) / width(text));
  while (kept > 6 && width(`${text.slice(0, kept)}…`) > room) kept -= 1;
  return `${text.slice(0, kept).trimEnd()}…`;
}

/** A name that is too wide loses its middle, never its end. @param {string} name @param {number} room in px @param {Element} svg */
export function nameCut(name, room, svg) {
  const ruler = rulersOf(svg).name;
  const width = (/** @type {string} */ words) => ruler?.measureText(words).width ?? 0;
  let text = name;
  const whole = width(name);
  let kept = whole > room ? Math.ceil((name.length * room) / whole) : name.length;
  for (; kept > 6 && width(text) > room; kept -= 1) text = middleCut(name, kept);
  return text;
}

/** What measures the names and the notes of a picture, in its own fonts. @param {Element} svg */
function rulersOf(svg) {
  const found = rulers.get(svg) ?? rulersIn(svg.closest(".fb") ?? svg);
  rulers.set(svg, found);
  return found;
}

/**
 * By the tokens of the view, which are known without laying anything out: how a text in it looks depends, as far as the browser knows,
 * on the view's width.
 *
 * @param {Element} view
 */
function rulersIn(view) {
  const style = getComputedStyle(view);
  const token = (/** @type {string} */ name) => style.getPropertyValue(`--fb-${name}`).trim();
  const family = token("font");
  return {
    name: rulerFor(`${token("strong")} ${token("name-size")} ${family}`),
    note: rulerFor(`${token("weight")} ${token("text-size")} ${family}`),
  };
}

/** @param {string} font @returns {Ruler} */
function rulerFor(font) {
  const ruler = document.createElement("canvas").getContext("2d");
  if (ruler) ruler.font = font;
  return ruler;
}
