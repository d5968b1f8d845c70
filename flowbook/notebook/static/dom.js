/** Creates and updates elements. Text is always inserted as text, never as HTML. */

/** @typedef {string | Node | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attrs */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an HTML element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attrs} [attrs] null, undefined and false are left out; true is the empty string
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attrs = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attrs);
  element.append(...children.filter(isChild));
  return element;
}

/**
 * Make an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attrs} [attrs]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(tag, attrs = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attrs);
  element.append(...children.filter(isChild));
  return element;
}

/** Set attributes that differ; null, undefined and false take one away. @param {Element} element @param {Attrs} attrs */
export function set(element, attrs) {
  for (const [name, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else if (name === "style") styled(element, String(value));
    else {
      const text = value === true ? "" : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
}

/** By way of the style object: a page's policy may forbid the attribute. @param {Element} element @param {string} text */
function styled(element, text) {
  const { style } = /** @type {HTMLElement} */ (element);
  if (style.cssText !== text) style.cssText = text;
}

/** Set the text, if it differs. @param {Element} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A 12 px drawing for HTML. @param {import("./states.js").Shape[]} shapes */
export function icon(shapes) {
  return s("svg", { class: "g", viewBox: "0 0 12 12", "aria-hidden": "true" }, ...drawn(shapes));
}

/** @param {import("./states.js").Shape[]} shapes */
export const drawn = (shapes) => shapes.map(({ tag, attrs }) => s(tag, attrs));

/**
 * Make a button.
 *
 * @param {string} action
 * @param {Child | Child[]} content
 * @param {Attrs} [attrs]
 */
export function button(action, content, attrs = {}) {
  return h("button", { type: "button", "data-action": action, ...attrs }, ...(Array.isArray(content) ? content : [content]));
}

/**
 * Update the children of `parent` to match `items`; elements are reused by key, so that focus and pressed buttons survive.
 *
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => Element} create
 * @param {(element: Element, item: T) => void} [update]
 */
export function keyed(parent, items, keyOf, create, update) {
  /** @type {Map<string, Element>} */
  const old = new Map();
  for (const child of parent.children) old.set(child.getAttribute("data-key") ?? "", child);
  items.forEach((item, index) => {
    const key = keyOf(item);
    const element = old.get(key) ?? create(item);
    old.delete(key);
    set(element, { "data-key": key });
    update?.(element, item);
    const there = parent.children[index];
    if (there !== element) parent.insertBefore(element, there ?? null);
  });
  for (const element of old.values()) element.remove();
}

/**
 * Parse an SVG string and remove everything active: scripts, foreign content, handlers, links that leave the page.
 *
 * @param {string} text
 * @param {string} suffix put after every id: pictures share one page, and a reference finds the first of its name, even a hidden one
 * @returns {SVGSVGElement | null} null if it did not parse
 */
export function parseSvg(text, suffix) {
  // A style attribute would be refused where a page's policy allows none; as another one it passes.
  const parsed = new DOMParser().parseFromString(text.replaceAll(' style="', ' data-style="'), "image/svg+xml");
  const svg = parsed.documentElement;
  if (svg.localName !== "svg" || svg.namespaceURI !== SVG || parsed.querySelector("parsererror")) return null;
  for (const element of [svg, ...svg.querySelectorAll("*")]) clean(element, suffix);
  const found = /** @type {SVGSVGElement} */ (document.importNode(/** @type {Element} */ (svg), true));
  for (const element of found.querySelectorAll("[data-style]")) {
    set(element, { style: element.getAttribute("data-style"), "data-style": null });
  }
  return found;
}

const BANNED = new Set(["script", "foreignobject", "iframe", "object", "embed", "image", "a", "animate", "set", "style"]);

/** @param {Element} element @param {string} suffix */
function clean(element, suffix) {
  if (BANNED.has(element.localName.toLowerCase()) || element.namespaceURI !== SVG) {
    element.remove();
    return;
  }
  for (const { name, value } of [...element.attributes]) {
    const local = name.toLowerCase();
    const leaves = (local.endsWith("href") && !value.trim().startsWith("#")) || /url\(\s*["']?(?!#)/i.test(value);
    if (local.startsWith("on") || leaves) element.removeAttribute(name);
    else if (local === "data-style") continue;
    else if (local === "id") element.setAttribute(name, `${value}-${suffix}`);
    else if (local.endsWith("href")) element.setAttribute(name, `${value.trim()}-${suffix}`);
    else if (value.includes("url(")) element.setAttribute(name, value.replace(/url\(\s*["']?#([^)"']+)["']?\s*\)/g, `url(#$1-${suffix})`));
  }
}

/** @param {Child} child @returns {child is string | Node} */
const isChild = (child) => child !== null && child !== undefined && child !== false && child !== "";
