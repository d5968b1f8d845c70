/**
 * One square for each child of a mapped task, in map order: state as colour, and a glyph where something is going on or wrong.
 *
 * Of thousands of children only the rows in view are in the page.
 */

import * as dom from "./dom.js";
import * as states from "./states.js";

/** @typedef {[string, number]} Run a word for a state, and how many children in a row have it */

const SIDE_PX = 14;
const LABEL_PX = 44;
const MOST_A_ROW = 40;
/** Rows drawn above and below those in view. */
const SPARE = 4;
/** The squares of these states have no glyph: they are many, and quiet. */
const QUIET = new Set(["Success", "Pending", "Cached", "same"]);

/** The words of all children, from their runs. @param {Run[]} runs @returns {string[]} */
export const spreadOut = (runs) => runs.flatMap(([word, n]) => Array.from({ length: n }, () => word));

/** How many squares stand in a row. @param {number} width in px */
export const perRow = (width) => Math.min(MOST_A_ROW, Math.max(8, Math.floor((width - LABEL_PX - 24) / SIDE_PX / 4) * 4));

/** The square that a key goes to; null if it goes nowhere. @param {string} key @param {number} at @param {{count: number, columns: number}} grid */
export function goTo(key, at, { count, columns }) {
  /** @type {Record<string, number>} */
  const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns, Home: 0, End: count - 1 };
  const next = moves[key];
  return next === undefined || next < 0 || next >= count ? null : next;
}

export class Squares {
  /** @type {string[]} */
  #words = [];
  #columns = MOST_A_ROW;
  #focused = 0;
  /** @type {string | null} */
  #chosen = null;
  #key = "";
  /** Keys of the squares where they aren't those of children. @type {string[] | null} */
  #keys = null;
  /** What is said of a state. @type {Record<string, string>} */
  #told = {};
  /** What is drawn now: the first and last row, and the words in them. */
  #drawn = "";
  #inner = dom.h("div", { class: "cells-inner" });

  /** @param {{el: HTMLElement, signal: AbortSignal}} given */
  constructor({ el, signal }) {
    this.el = el;
    dom.set(el, { class: "cells", role: "grid" });
    el.replaceChildren(this.#inner);
    el.addEventListener("scroll", () => this.#draw(), { signal, passive: true });
    el.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    const watcher = new ResizeObserver(() => this.#resize());
    watcher.observe(el);
    signal.addEventListener("abort", () => watcher.disconnect(), { once: true });
  }

  /** @param {{key: string, keys?: string[], runs: Run[], chosen: string | null, words?: Record<string, string>}} shown `keys` are those of a group's tasks; `words` are told for states */
  update({ key, keys, runs, chosen, words }) {
    if (key !== this.#key) this.#focused = 0;
    this.#key = key;
    this.#keys = keys ?? null;
    this.#told = words ?? {};
    this.#words = spreadOut(runs);
    this.#chosen = chosen;
    dom.set(this.el, { "aria-label": `Tasks of ${key}, one square each`, "aria-rowcount": this.#rows });
    this.#inner.style.height = `${this.#rows * SIDE_PX}px`;
    this.#draw();
  }

  get #rows() {
    return Math.ceil(this.#words.length / this.#columns);
  }

  #resize() {
    const columns = perRow(this.el.clientWidth);
    if (columns === this.#columns || !this.el.clientWidth) return;
    this.#columns = columns;
    this.#inner.style.height = `${this.#rows * SIDE_PX}px`;
    this.#draw();
  }

  #draw() {
    const { scrollTop, clientHeight } = this.el;
    const first = Math.max(0, Math.floor(scrollTop / SIDE_PX) - SPARE);
    const last = Math.min(this.#rows, Math.ceil((scrollTop + (clientHeight || 280)) / SIDE_PX) + SPARE);
    const words = this.#words.slice(first * this.#columns, last * this.#columns);
    const drawn = JSON.stringify([this.#key, this.#columns, first, this.#chosen, this.#focused, words, this.#told]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const hadFocus = this.el.contains(document.activeElement);
    const rows = Array.from({ length: last - first }, (_, at) => this.#row(first + at));
    this.#inner.replaceChildren(...rows);
    if (hadFocus) this.#square(this.#focused)?.focus({ preventScroll: true });
  }

  /** @param {number} row */
  #row(row) {
    const from = row * this.#columns;
    const words = this.#words.slice(from, from + this.#columns);
    const squares = words.map((word, at) => this.#cell(word, from + at));
    const label = dom.h("span", { class: "num dim", role: "rowheader" }, String(from));
    const line = dom.h("div", { class: "cells-row", role: "row", "aria-rowindex": row + 1 }, label, ...squares);
    line.style.top = `${row * SIDE_PX}px`;
    return line;
  }

  /** @param {string} word @param {number} index */
  #cell(word, index) {
    const key = this.#keyOf(index);
    return dom.h(
      "i",
      {
        role: "gridcell",
        "data-action": "inspect",
        "data-task": key,
        "data-state": word,
        class: key === this.#chosen ? "at" : null,
        tabindex: index === this.#focused ? 0 : -1,
        "aria-label": `${key}, ${this.#told[word] ?? word}`,
        "aria-selected": key === this.#chosen ? "true" : null,
        title: `${key} ${this.#told[word] ?? word}`,
      },
      QUIET.has(word) ? null : dom.icon(states.glyphOf(word)),
    );
  }

  /** @param {number} index */
  #keyOf(index) {
    return this.#keys ? (this.#keys[index] ?? "") : `${this.#key}[${index}]`;
  }

  /** @param {number} index */
  #square(index) {
    return /** @type {HTMLElement | null} */ (this.#inner.querySelector(`[data-task="${CSS.escape(this.#keyOf(index))}"]`));
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const next = goTo(event.key, this.#focused, { count: this.#words.length, columns: this.#columns });
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.#focused = next;
    const top = Math.floor(next / this.#columns) * SIDE_PX;
    if (top < this.el.scrollTop) this.el.scrollTop = top;
    else if (top + SIDE_PX > this.el.scrollTop + this.el.clientHeight) this.el.scrollTop = top + SIDE_PX - this.el.clientHeight;
    this.#draw();
    this.#square(next)?.focus({ preventScroll: true });
  }
}
