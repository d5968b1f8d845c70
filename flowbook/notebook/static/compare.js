/** Two runs side by side: the graph coloured by what differs, the differences in words, and both sides of a task. */

import * as dom from "./dom.js";
import * as format from "./format.js";

/** @typedef {{key: string, states: [string, string], took_s: [number | null, number | null], differs: string, hashes: [string, string], rows: [number | null, number | null], line: string, word: string}} ComparedTask */
/** @typedef {{title: string, runs: [string, string], tasks: ComparedTask[], notes: string[], first: string | null, svg: string}} Comparison */

const HEADS = ["task", "what differs", "state", "took", "rows", "output"];
/** What a look means, in the order of the legend. @type {[string, string][]} */
const LOOKS = [
  ["own", "differ by themselves"],
  ["because", "differ because of what they get"],
  ["same", "are the same"],
];

/** How a task looks. @param {ComparedTask} task */
export const lookOf = ({ differs }) => (differs === "" ? "same" : differs === "input" ? "because" : "own");

/** Both sides in words: the old one, and the new one if it is another. @param {ComparedTask} task @returns {[string, string, string][]} */
export function sidesOf({ states, took_s, rows, hashes }) {
  const told = (/** @type {number | null} */ n, /** @type {(n: number) => string} */ how) => (n === null ? "" : how(n));
  return [
    ["state", ...states],
    ["took", told(took_s[0], format.duration), told(took_s[1], format.duration)],
    ["rows", told(rows[0], format.thousands), told(rows[1], format.thousands)],
    ["output", hashes[0].slice(0, 6), hashes[1].slice(0, 6)],
  ];
}

export class Compare {
  #title = dom.h("b", { tabindex: -1 });
  #said = dom.h("span", { class: "dim grow" });
  #canvas = dom.h("div", { class: "canvas" });
  #aside = dom.h("aside", { class: "rail" });
  #body = dom.h("tbody");
  /** @type {Comparison | null} */
  #shown = null;
  #chosen = "";

  /** @param {{el: HTMLElement, view: string, signal: AbortSignal, onBack: () => void}} given */
  constructor(given) {
    this.given = given;
    const { el, signal } = given;
    const back = dom.button("back-to-runs", "Back to the runs");
    const heads = HEADS.map((name) => dom.h("th", { scope: "col" }, name));
    const table = dom.h("table", { "aria-label": "Differences" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), this.#body);
    el.replaceChildren(
      dom.h("div", { class: "head" }, this.#title, this.#said, back),
      dom.h("div", { class: "beside" }, this.#canvas, this.#aside),
      dom.h("div", { class: "scroll", tabindex: 0 }, table),
    );
    el.addEventListener("click", (event) => this.#choose(event.target), { signal });
    back.addEventListener("click", given.onBack, { signal });
    el.addEventListener("keydown", (event) => (event.key === "Enter" || event.key === " ") && this.#choose(event.target) && event.preventDefault(), { signal });
  }

  /** @param {string} text why there is nothing to show yet */
  wait(text) {
    this.#shown = null;
    this.#title.textContent = "";
    this.#said.textContent = text;
    for (const part of [this.#canvas, this.#aside, this.#body]) part.replaceChildren();
  }

  get isWaiting() {
    return this.#shown === null;
  }

  /** @param {{comparison: Comparison}} answer */
  take({ comparison }) {
    this.#shown = comparison;
    this.#chosen = "";
    const { title, svg, tasks, notes } = comparison;
    dom.say(this.#title, title);
    dom.say(this.#said, notes.at(-1) ?? "");
    const drawing = svg ? dom.parseSvg(svg, this.given.view) : null;
    for (const node of drawing?.querySelectorAll("g.node") ?? []) dom.set(node, { "data-action": "compared", tabindex: 0, role: "button" });
    this.#canvas.replaceChildren(drawing ?? dom.h("p", { class: "pad dim" }, "Too many tasks to be drawn; the table has them all."));
    this.#body.replaceChildren(...tasks.map(rowOf));
    this.#showAside();
    this.#title.focus({ preventScroll: true });
  }

  /** @param {EventTarget | null} target */
  #choose(target) {
    const key = target instanceof Element ? target.closest("g.node, tr")?.getAttribute("data-task") : null;
    if (!key) return false;
    this.#chosen = this.#chosen === key ? "" : key;
    for (const part of this.given.el.querySelectorAll("[data-task]")) part.classList.toggle("selected", part.getAttribute("data-task") === this.#chosen);
    this.#showAside();
    return true;
  }

  #showAside() {
    const { tasks = [], notes = [], first = null } = this.#shown ?? {};
    const chosen = tasks.find(({ key }) => key === this.#chosen);
    const own = tasks.filter((task) => lookOf(task) === "own");
    const parts = chosen
      ? [sideBySide(chosen)]
      : [
          dom.h("section", {}, dom.h("h3", {}, first ? `The first difference is ${first}` : "Nothing differs"), ...notes.map((text) => dom.h("p", {}, text))),
          own.length ? dom.h("section", {}, dom.h("h3", {}, "What differs by itself"), ...own.map(itemOf)) : "",
        ];
    this.#aside.replaceChildren(...parts, legendOf(tasks));
  }
}

/** @param {string} look @param {string} word */
const tile = (look, word) => dom.h("span", { class: "tile", "data-state": look }, dom.icon(glyphOf(word)));

/** @param {string} word @returns {import("./states.js").Shape[]} */
function glyphOf(word) {
  const paths = { "The same": "M2.5 4.5h7M2.5 7.5h7", New: "M2 6h8M6 2v8", Gone: "M2 6h8" };
  const d = paths[/** @type {keyof typeof paths} */ (word)] ?? "M2 7.2c1.3-2.8 2.7-2.8 4-1.2s2.7 1.6 4-1.2";
  return [{ tag: "path", attrs: { d } }];
}

/** @param {ComparedTask} task */
const itemOf = (task) =>
  dom.h(
    "div",
    { class: "item" },
    tile("own", task.word),
    dom.h("div", {}, dom.h("div", { class: "name" }, task.key), dom.h("span", { class: "dim" }, [task.word, task.line].filter(Boolean).join(", "))),
  );

/** @param {ComparedTask} task */
function sideBySide(task) {
  const rows = sidesOf(task).filter(([, old, now]) => old || now);
  const body = rows.map(([name, old, now]) =>
    dom.h("tr", {}, dom.h("th", { scope: "row" }, name), dom.h("td", {}, old || "none"), dom.h("td", {}, now || "none")),
  );
  const heads = ["", "before", "after"].map((name) => dom.h("th", { scope: "col" }, name));
  const title = dom.h(
    "div",
    { class: "row" },
    tile(lookOf(task), task.word),
    dom.h("h3", {}, task.key),
    dom.h("span", { class: "word", "data-state": lookOf(task) }, task.word),
  );
  const table = dom.h("table", { class: "short" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), dom.h("tbody", {}, ...body));
  return dom.h("section", { "data-flowbook": "both-sides", "aria-live": "polite" }, title, task.line ? dom.h("p", { class: "mono" }, task.line) : "", table);
}

/** @param {ComparedTask[]} tasks */
function legendOf(tasks) {
  const lines = LOOKS.map(([look, text]) => {
    const n = tasks.filter((task) => lookOf(task) === look).length;
    return dom.h("div", { class: "row legend-line" }, tile(look, look === "same" ? "The same" : ""), dom.h("b", {}, String(n)), text);
  });
  return dom.h("section", { "aria-label": "Legend" }, ...lines);
}

/** @param {ComparedTask} task */
function rowOf(task) {
  const cells = sidesOf(task).map(([, old, now]) =>
    dom.h("td", {}, ...(old === now ? [now] : [dom.h("del", {}, old || "none"), " ", dom.h("ins", {}, now || "none")])),
  );
  const word = dom.h("span", { class: "row tight" }, dom.icon(glyphOf(task.word)), [task.word, task.line].filter(Boolean).join(", "));
  return dom.h(
    "tr",
    { "data-task": task.key, "data-differs": task.differs, tabindex: 0 },
    dom.h("th", { scope: "row" }, task.key),
    dom.h("td", {}, word),
    ...cells,
  );
}
