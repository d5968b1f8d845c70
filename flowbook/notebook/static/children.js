/** A mapped task, opened: a square for each child, and a table that the kernel filters, sorts and pages. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import { Squares } from "./squares.js";
import * as states from "./states.js";

/** @typedef {{key: string, index: number, label: string, state: string, word: string, since: number | null, duration_s: number | null, message: string, rows: number | null, cpu_s?: number | null, memory?: string, told?: import("./wire.js").Told}} Child */
/** @typedef {{key: string, keys?: string[], width: number, counts: Record<string, number>, squares: [string, number][], total: number, offset: number, rows: Child[], durations: [number, number, number] | null, kept?: number | null}} Children */
/** @typedef {{state: string, query: string, order: string, offset: number, limit: number}} Wish */

/** Rows of the table on one page. */
export const LIMIT = 25;
const TYPED_MS = 200;
/** @type {[string, string][]} */
const ORDERS = [
  ["trouble", "failed first"],
  ["slowest", "slowest first"],
  ["fastest", "fastest first"],
  ["index", "as mapped"],
];

/** The columns after the first. */
const COLUMNS = ["", "state", "rows", "duration", "cpu", "memory", "message"];
const NUMBERS = new Set(["rows", "duration", "cpu", "memory"]);
const COSTS = new Set(["cpu", "memory"]);
/** @type {Record<string, string>} */
const TITLES = { cpu: "Processor time of the last attempt", memory: "Its peak; with a plus, by how much the process grew that it shared with others" };

/** `1 to 25 of 200; fastest 0.4 s, median 0.7 s, slowest 4.1 s`. @param {Children} children */
export function footing({ total, offset, rows, durations, kept, width }) {
  const which = rows.length ? `${format.thousands(offset + 1)} to ${format.thousands(offset + rows.length)} of ${format.thousands(total)}` : "No child matches";
  const part = kept ? `; ${format.thousands(kept)} of ${format.thousands(width)} are kept here` : "";
  if (!durations) return `${which}${part}`;
  const [fastest, median, slowest] = durations.map(format.duration);
  return `${which}${part}; fastest ${fastest}, median ${median}, slowest ${slowest}`;
}

/** @returns {Wish} */
const atFirst = () => ({ state: "", query: "", order: "trouble", offset: 0, limit: LIMIT });

export class ChildrenView {
  /** @type {Children | null} */
  #shown = null;
  #key = "";
  #wish = atFirst();
  /** @type {(() => void) | null} */
  #stopTyping = null;
  #crumbs = dom.h("span", { class: "row tight dim crumbs grow" });
  #cells = dom.h("div");
  #counts = dom.h("div", { class: "counts grow" });
  #table = dom.h("tbody");
  #first = dom.h("th", { scope: "col" });
  /** The heads of all columns after the first. @type {HTMLElement[]} */
  #heads = [];
  #foot = dom.h("span", { class: "grow" });
  #previous = dom.button("child-page", dom.icon(states.SIGNS.previous ?? []), { class: "icon", "data-step": -1, "aria-label": "Previous rows" });
  #next = dom.button("child-page", dom.icon(states.SIGNS.next ?? []), { class: "icon", "data-step": 1, "aria-label": "Next rows" });
  #query = dom.h("input", {
    "data-action": "child-query",
    placeholder: "Input or message",
    "aria-label": "Find a child",
    class: "search",
    spellcheck: "false",
  });
  #order = dom.h("select", { "data-action": "child-order", "aria-label": "Order" }, ...ORDERS.map(([value, text]) => dom.h("option", { value }, text)));

  /**
   * @param {{el: HTMLElement, signal: AbortSignal, clock: import("./wire.js").Clock, now: () => number, ask: (key: string, wish: Wish) => void, isHeardLast?: () => boolean, words?: Record<string, string>, heads?: Record<string, string>}} given
   *   `words` for states, and `heads` of the table, where something else is told of the tasks than how they run
   */
  constructor(given) {
    this.given = given;
    const { el, signal } = given;
    this.squares = new Squares({ el: this.#cells, signal });
    el.replaceChildren(...this.#parts());
    this.#order.hidden = Boolean(given.words);
    if (given.words) this.#query.placeholder = "Find a task";
    this.#query.addEventListener("input", () => this.#typed(), { signal });
    this.#order.addEventListener("change", () => this.#want({ order: this.#order.value, offset: 0 }), { signal });
    el.addEventListener("click", (event) => this.#click(event), { signal });
  }

  /** Open a mapped task, or a group. @param {{key: string, up: string[], down: string[], isGroup: boolean}} node */
  open({ key, up, down, isGroup }) {
    if (key !== this.#key) {
      this.#key = key;
      this.#shown = null;
      this.#wish = atFirst();
      this.#query.value = "";
      this.#order.value = this.#wish.order;
      this.#table.replaceChildren();
      this.#cells.scrollTop = 0;
      this.#name(up, down, isGroup);
    }
    this.refresh();
  }

  get key() {
    return this.#key;
  }

  /** Ask again: something changed. */
  refresh() {
    this.given.ask(this.#key, this.#wish);
  }

  /** @param {Children} children @param {string | null} chosen the child in the card */
  update(children, chosen) {
    if (children.key !== this.#key) return;
    this.#shown = children;
    this.#wish.offset = children.offset;
    this.show(chosen);
  }

  /** @param {string | null} chosen */
  show(chosen) {
    const shown = this.#shown;
    if (!shown) return;
    const isHeardLast = this.given.isHeardLast?.() ?? false;
    const words = this.given.words ?? (isHeardLast ? states.WAS : {});
    const rows = isHeardLast ? shown.rows.map(states.asHeardLast) : shown.rows;
    this.squares.update({ key: shown.key, keys: shown.keys, runs: shown.squares, chosen, words });
    this.#showCounts(shown, words);
    const now = this.given.now();
    const hidden = COLUMNS.filter((name) => isLeftOut(name, rows, now));
    dom.keyed(
      this.#table,
      rows,
      ({ key }) => key,
      rowOf,
      (tr, child) => fill(tr, child, { now, isChosen: child.key === chosen, hidden }),
    );
    for (const [at, head] of this.#heads.entries()) head.hidden = hidden.includes(COLUMNS[at] ?? "");
    dom.say(this.#foot, footing(shown));
    const isLast = shown.offset + shown.rows.length >= shown.total;
    dom.set(this.#previous, { "aria-disabled": shown.offset > 0 ? null : "true", title: shown.offset > 0 ? "Previous rows" : "These are the first rows" });
    dom.set(this.#next, { "aria-disabled": isLast ? "true" : null, title: isLast ? "These are the last rows" : "Next rows" });
  }

  /** Previous child or after in the table, or null. @param {string} key @param {1 | -1} step */
  beside(key, step) {
    const rows = this.#shown?.rows ?? [];
    const at = rows.findIndex((row) => row.key === key);
    return at < 0 ? null : (rows[at + step]?.key ?? null);
  }

  #parts() {
    const { heads: other = {} } = this.given;
    this.#heads = COLUMNS.map((name) =>
      dom.h("th", { scope: "col", class: NUMBERS.has(name) ? "num" : null, title: TITLES[name] ?? null }, other[name] ?? name),
    );
    const heads = [this.#first, ...this.#heads];
    const back = dom.button("back-to-graph", "Back to the graph");
    const tools = dom.h("div", { class: "row find" }, this.#counts, this.#query, this.#order);
    const table = dom.h("table", {}, dom.h("thead", {}, dom.h("tr", {}, ...heads)), this.#table);
    const scroll = dom.h("div", { class: "scroll part", tabindex: 0, role: "region", "aria-label": "Children as a table" }, table);
    const foot = dom.h("div", { class: "foot" }, this.#foot, dom.h("span", { class: "group" }, this.#previous, this.#next));
    return [dom.h("div", { class: "head" }, this.#crumbs, back), this.#cells, tools, scroll, foot];
  }

  /** @param {string[]} up @param {string[]} down @param {boolean} isGroup */
  #name(up, down, isGroup) {
    const link = (/** @type {string} */ k) => dom.button("go-to-node", nameIn(k), { "data-task": k, class: "plain" });
    const arrow = () => dom.icon(states.SIGNS.next ?? []);
    const before = up[0] !== undefined ? [link(up[0]), arrow()] : [];
    const after = down[0] !== undefined ? [arrow(), link(down[0])] : [];
    dom.say(this.#first, isGroup ? "task" : "input");
    const own = isGroup
      ? dom.h("b", {}, nameIn(this.#key))
      : dom.button("inspect", dom.h("b", {}, nameIn(this.#key)), { "data-task": this.#key, class: "plain" });
    this.#crumbs.replaceChildren(...before, own, ...after);
  }

  /** @param {Children} shown @param {Record<string, string>} words */
  #showCounts({ counts, width }, words) {
    const all = /** @type {[string, number][]} */ ([["", width], ...states.inOrder(counts)]);
    dom.keyed(
      this.#counts,
      all,
      ([state]) => `count:${state}:${words[state] ?? ""}`,
      ([state]) =>
        dom.button("child-state", [state && dom.icon(states.glyphOf(state)), dom.h("b"), words[state] ?? (state || "All")], {
          class: "count",
          "data-state": state || null,
          "data-only": state,
        }),
      (item, [state, n]) => {
        dom.say(/** @type {Element} */ (item.querySelector("b")), format.thousands(n));
        dom.set(item, { "aria-pressed": state === this.#wish.state ? "true" : "false", title: state ? `Only ${words[state] ?? state}` : "All" });
      },
    );
  }

  #typed() {
    this.#stopTyping?.();
    this.#stopTyping = this.given.clock.later(TYPED_MS, () => this.#want({ query: this.#query.value.trim(), offset: 0 }));
  }

  /** @param {Partial<Wish>} change */
  #want(change) {
    Object.assign(this.#wish, change);
    this.refresh();
  }

  /** @param {Event} event */
  #click(event) {
    const control = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const action = control?.getAttribute("data-action");
    if (!control || control.getAttribute("aria-disabled") === "true") return;
    if (action === "child-state") this.#want({ state: control.getAttribute("data-only") ?? "", offset: 0 });
    if (action === "child-page") this.#want({ offset: Math.max(0, this.#wish.offset + Number(control.getAttribute("data-step")) * LIMIT) });
  }
}

/** @param {Child} child */
const rowOf = ({ key, label, index }) =>
  dom.h(
    "tr",
    { "data-task": key, "data-action": "inspect" },
    dom.h("th", { scope: "row" }, dom.button("inspect", nameIn(label || key), { "data-task": key, class: "plain" })),
    dom.h("td", { class: "mono num dim" }, label === key ? "" : `[${index}]`),
    dom.h("td"),
    dom.h("td", { class: "num" }),
    dom.h("td", { class: "num" }),
    dom.h("td", { class: "num", hidden: true }),
    dom.h("td", { class: "num", hidden: true }),
    dom.h("td", { class: "said-cell" }),
  );

/** Whether a column isn't there, since none of these rows has anything in it: how they run is always told. @param {string} name @param {Child[]} rows @param {number} now */
export function isLeftOut(name, rows, now) {
  if (COSTS.has(name)) return !rows.some(({ cpu_s: cpu }) => typeof cpu === "number");
  if (name === "rows") return rows.every((child) => child.rows === null);
  if (name === "duration") return rows.every((child) => child.told && !format.timeOf(child, now));
  return name === "message" && rows.every((child) => child.told && !child.message);
}

/** @param {Element} tr @param {Child} child @param {{now: number, isChosen: boolean, hidden: string[]}} given */
function fill(tr, child, { now, isChosen, hidden }) {
  const [, , state, rows, time, cpu, memory, message] = [...tr.children];
  if (!state || !rows || !time || !cpu || !memory || !message) return;
  const word = states.saidOf(child);
  if (state.textContent !== word)
    state.replaceChildren(dom.h("span", { class: "row tight" }, dom.icon(states.glyphOfTask(child)), dom.h("span", { class: "word" }, word)));
  dom.set(tr, { "data-state": child.state, "data-word": child.word || null, "aria-selected": isChosen ? "true" : null });
  dom.say(rows, child.rows === null ? "" : format.thousands(child.rows));
  dom.say(time, format.timeOf(child, now));
  dom.say(cpu, typeof child.cpu_s === "number" ? format.duration(child.cpu_s) : "");
  dom.say(memory, child.memory ?? "");
  dom.say(message, child.message.split("\n")[0] ?? "");
  dom.set(message, { title: child.message });
  for (const [at, cell] of [...tr.children].slice(1).entries()) dom.set(cell, { hidden: hidden.includes(COLUMNS[at] ?? "") });
}
