/** A value that isn't a table: its text, its parts as a tree, its picture, or its HTML in a frame that can't reach the page. */

import * as dom from "./dom.js";
import { plural, thousands } from "./format.js";

/** @typedef {{label?: string, type?: string, text: string, parts?: TreeNode[]}} TreeNode */
/** @typedef {{mime: string, data: string}} Picture */
/** @typedef {{kind: string, type: string, text: string, repr?: string | null, body?: TreeNode[] | Picture | string | null}} Shown */

/** How many levels of a tree are open at first, as long as it is short. */
const OPEN_LEVELS = 2;
const MANY_PARTS = 12;
/** How the text of a value ends that is kept in part. */
const MORE = /\n… and [\d,]+ more characters$/;
/** What a frame for HTML may do: run what is in it, and nothing else. It has no origin, so it reaches neither the page nor a network. */
const POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:";

/** @param {Shown} value @param {(() => void) | null} onRender asks the kernel for the HTML; null if there is no kernel */
export function valueBody(value, onRender = null) {
  const { kind, body } = value;
  if (kind === "tree" && Array.isArray(body)) return treeOf(body);
  if (kind === "picture" && body && typeof body === "object" && "mime" in body) return pictureOf(body, value.text);
  if (kind === "html") return typeof body === "string" ? htmlFrame(body, value.text) : htmlLater(value, onRender);
  if (kind === "text" && typeof body === "string") return linesOf(body);
  return dom.h("pre", { class: "code text", tabindex: 0 }, value.repr || value.text);
}

/** What a value's preview showed, where only its words are kept. @type {Record<string, string>} */
const UNKEPT = {
  array: "There was no room to keep its rows here.",
  frame: "There was no room to keep its rows here.",
  html: "There was no room to keep its HTML here.",
  picture: "There was no room to keep the picture here.",
  series: "There was no room to keep its rows here.",
  tree: "There was no room to keep its parts here.",
};

/** Why there is nothing to see of a value but its words; "" if there is. @param {Shown & {page?: unknown}} value */
export const whyUnseen = ({ kind, page, repr, body }) => (page || repr || body ? "" : (UNKEPT[kind] ?? ""));

/** Whether the words for a value are all that there is to see of it. @param {Shown} value */
export const isSaid = ({ kind, text, repr, body }) => kind === "text" && !body && text === repr;

/**
 * What a value is, in words, where the value itself stands below: its kind first, then the rest.
 *
 * @param {Shown} value
 * @returns {[string, string]}
 */
export function headOf(value) {
  const { kind, type, text, body } = value;
  if (kind === "text" && typeof body === "string") return [type, MORE.test(body) ? "" : plural(body.split("\n").length, "line")];
  if (isSaid(value) || (kind === "tree" && !text.startsWith(`${type} of `))) return [type, ""];
  const [first = "", ...rest] = text.split(", ");
  return [first, rest.join(", ")];
}

/** A text by its lines. @param {string} text */
function linesOf(text) {
  const lines = text
    .split("\n")
    .map((line, i) => dom.h("div", {}, dom.h("span", { class: "ln" }, thousands(i + 1)), dom.h("span", { class: "wrap" }, line || " ")));
  return dom.h("div", { class: "code lines", tabindex: 0 }, ...lines);
}

/** @param {TreeNode[]} nodes */
function treeOf(nodes) {
  return dom.h("div", { class: "tree code", tabindex: 0, role: "group", "aria-label": "Its parts" }, ...nodes.map((node) => nodeOf(node, 1)));
}

/** @param {TreeNode} node @param {number} level @returns {HTMLElement} */
function nodeOf(node, level) {
  if (node.label === undefined) return dom.h("div", { class: "rest dim" }, node.text);
  const head = [dom.h("b", {}, node.label), dom.h("span", { class: "dim" }, node.type ?? ""), dom.h("span", { class: "leaf" }, node.text)];
  if (!node.parts) return dom.h("div", { class: "part" }, ...head);
  const isOpen = level < OPEN_LEVELS && node.parts.length <= MANY_PARTS;
  return dom.h("details", { class: "part", open: isOpen }, dom.h("summary", {}, ...head), ...node.parts.map((part) => nodeOf(part, level + 1)));
}

/** @param {Picture} picture @param {string} text */
function pictureOf({ mime, data }, text) {
  if (!/^image\/(png|jpeg|svg\+xml)$/.test(mime)) return dom.h("p", { class: "dim" }, text);
  const source = mime === "image/svg+xml" ? `data:${mime};charset=utf-8,${encodeURIComponent(data)}` : `data:${mime};base64,${data}`;
  return dom.h("div", { class: "picture" }, dom.h("img", { src: source, alt: text }));
}

/** HTML of a library's or a user's: it may run scripts, in a frame without an origin. @param {string} html @param {string} title */
export function htmlFrame(html, title) {
  const page = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}"><body style="margin:8px">${html}`;
  const frame = dom.h("iframe", { sandbox: "allow-scripts", referrerpolicy: "no-referrer", title, class: "html" });
  const empty = document.querySelector('meta[name="flowbook-frame"]')?.getAttribute("content");
  if (empty) fill(frame, empty, page);
  else frame.srcdoc = page;
  return dom.h("div", { class: "htmlbox" }, frame, dom.h("p", { class: "dim" }, "In a frame of its own: its scripts run, but reach nothing outside."));
}

/**
 * Where the page's policy allows no inline scripts, its frames inherit that; so there the server has an empty document with a policy
 * of its own, which writes what it is told first. It has no origin either.
 *
 * @param {HTMLIFrameElement} frame
 * @param {string} address
 * @param {string} page
 */
function fill(frame, address, page) {
  frame.addEventListener("load", () => frame.contentWindow?.postMessage(page, "*"), { once: true });
  frame.src = address;
}

/** @param {Shown} value @param {(() => void) | null} onRender */
function htmlLater(value, onRender) {
  const text = dom.h("pre", { class: "code text", tabindex: 0 }, value.repr || value.text);
  if (!onRender) return text;
  const button = dom.button("render", "Show it", { title: "Draws it in a frame whose scripts reach nothing outside" });
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    button.setAttribute("aria-disabled", "true");
    button.title = "Waiting for an answer";
    onRender();
  });
  // Where no kernel has the run, the button isn't there.
  return dom.h(
    "div",
    {},
    dom.h("div", { class: "row pad" }, button, dom.h("span", { class: "dim else" }, "A live panel draws it."), dom.h("span", { class: "said dim" })),
    text,
  );
}
