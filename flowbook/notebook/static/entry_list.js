/** The entries of the cache as rows: sorted, with their time as a bar. Only the rows in view are drawn. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { sayName } from "./names.js";
import { SIGNS } from "./states.js";

/** @typedef {import("./cache.js").Entry} Entry */
/** @typedef {"task" | "parameters" | "size" | "uses"} Order */
/**
 * The data that the rows are drawn from.
 *
 * @typedef {object} Shown
 * @property {Entry[]} entries
 * @property {string | null} selected
 * @property {number} now
 * @property {number} moment the slider's
 * @property {import("./axis.js").Axis} axis
 * @property {(entry: Entry) => boolean} isValid whether an entry serves at that moment
 */

/** A row's height if there is none to measure, and how many rows are drawn beyond those in view. */
const ROW_PX = 28;
const ROWS_AROUND = 12;
/** @type {[Order, string | null][]} */
const HEADS = [
  ["task", null],
  ["parameters", null],
  ["size", "num"],
  ["uses", "num wide"],
];

export class EntryList {
  /** @type {{by: Order | null, descending: boolean}} */
  #order = { by: null, descending: false };
  /** @type {Shown | null} */
  #shown = null;
  #rows = dom.h("tbody");
  #above = dom.h("tr");
  #below = dom.h("tr");
  #widths = widthRow();
  #heads = HEADS.map(([name, style]) => ({ style, control: dom.button("order", name, { "data-column": name, title: `Sort by ${name}` }) }));
  #table;

  /** @param {{slider: Element, signal: AbortSignal, onWidth: (px: number) => void}} given `onWidth` receives the width of the column of times */
  constructor({ slider, signal, onWidth }) {
    const times = dom.h("th", { class: "times", scope: "col" }, slider);
    const top = dom.h(
      "tr",
      { "aria-rowindex": 1 },
      ...this.#heads.map(({ style, control }) => dom.h("th", { class: style, scope: "col" }, control)),
      dom.h("th", { class: "until", scope: "col" }, "valid"),
      times,
    );
    const aside = (/** @type {HTMLElement[]} */ ...rows) => dom.h("tbody", { "aria-hidden": "true" }, ...rows);
    const bodies = [aside(this.#widths, this.#above), this.#rows, aside(this.#below)];
    this.#table = dom.h("table", { "aria-label": "Entries" }, dom.h("thead", {}, top), ...bodies);
    this.el = dom.h("div", { class: "scroll entries", tabindex: 0 }, this.#table);
    this.el.addEventListener("scroll", () => this.#draw(), { signal, passive: true });
    // The axis gets the width that the texts beside it leave.
    const observer = new ResizeObserver(([change]) => onWidth(Math.floor(change?.contentRect.width ?? 0)));
    observer.observe(times);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  /** Ascending, then descending, then as the kernel has them. @param {Order} by */
  sort(by) {
    const isBack = this.#order.by === by && this.#order.descending;
    this.#order = { by: isBack ? null : by, descending: this.#order.by === by && !this.#order.descending };
  }

  /** @param {Shown} shown */
  update(shown) {
    this.#shown = shown;
    this.#showOrder();
    this.#fitWidths(shown);
    this.#draw();
  }

  /** Follow the slider: the rows stay. @param {Shown} shown */
  updateTimes(shown) {
    this.#shown = shown;
    this.#drawTimes();
  }

  #draw() {
    if (!this.#shown) return;
    const all = sorted(this.#shown.entries, this.#order);
    const height = /** @type {HTMLElement | null} */ (this.#rows.firstElementChild)?.offsetHeight || ROW_PX;
    const count = Math.ceil((this.el.clientHeight || 20 * ROW_PX) / height) + 2 * ROWS_AROUND;
    const from = Math.max(0, Math.min(Math.floor(this.el.scrollTop / height) - ROWS_AROUND, all.length - count));
    const to = Math.min(all.length, from + count);
    dom.set(this.#above, { style: `height:${from * height}px` });
    dom.set(this.#below, { style: `height:${(all.length - to) * height}px` });
    dom.set(this.#table, { "aria-rowcount": all.length + 1 });
    this.#drawRows(all.slice(from, to), from, this.#shown.selected);
    this.#drawTimes();
  }

  /** @param {Entry[]} entries @param {number} from @param {string | null} selected */
  #drawRows(entries, from, selected) {
    const places = new Map(entries.map(({ id }, index) => [id, from + index + 2]));
    dom.keyed(
      this.#rows,
      entries,
      ({ id }) => id,
      ({ id }) => rowOf(id),
      (row, entry) => {
        dom.set(row, { "aria-selected": entry.id === selected ? "true" : "false", "aria-rowindex": places.get(entry.id) });
        fillRow(row, entry);
      },
    );
  }

  #drawTimes() {
    if (!this.#shown) return;
    const { entries, now, moment, isValid } = this.#shown;
    const byId = new Map(entries.map((entry) => [entry.id, entry]));
    for (const row of this.#rows.children) {
      const entry = byId.get(row.getAttribute("data-entry") ?? "");
      const cell = row.lastElementChild;
      if (!entry || !cell) continue;
      row.classList.toggle("off", !isValid(entry));
      dom.say(/** @type {Element} */ (cell.previousElementSibling), untilOf(entry, { moment, now, isValid: isValid(entry) }));
      cell.replaceChildren(barOf(entry, this.#shown));
    }
  }

  #showOrder() {
    const { by, descending } = this.#order;
    for (const { control } of this.#heads) {
      const isOn = control.getAttribute("data-column") === by;
      dom.set(/** @type {Element} */ (control.parentElement), { "aria-sort": isOn ? (descending ? "descending" : "ascending") : null });
      control.querySelector("svg")?.remove();
      if (isOn) control.append(dom.icon(SIGNS[descending ? "down" : "up"] ?? []));
    }
  }

  /** Columns are as wide as the longest text of all rows asks for, drawn or not: they stay as they are while the list scrolls. @param {Shown} shown */
  #fitWidths({ entries, moment, now, isValid }) {
    /** @type {((entry: Entry) => string)[]} */
    const texts = [
      ({ task }) => task,
      parametersOf,
      ({ size }) => size,
      ({ uses }) => format.thousands(uses),
      (entry) => untilOf(entry, { moment, now, isValid: isValid(entry) }),
    ];
    texts.forEach((textOf, column) => {
      const longest = entries.map(textOf).reduce((a, b) => (b.length > a.length ? b : a), "");
      const cell = this.#widths.children[column];
      if (cell) dom.say(cell.firstElementChild ?? cell, longest);
    });
  }
}

/** From when to when an entry serves. @param {Entry} entry */
export const spanOf = ({ created, expires }) => `Valid from ${format.date(created)}${expires === null ? ", with no end" : ` to ${format.date(expires)}`}`;

/** @param {Entry} entry */
export const parametersOf = ({ parameters }) => parameters || "no parameters";

/** @param {Entry[]} entries @param {{by: Order | null, descending: boolean}} order */
function sorted(entries, { by, descending }) {
  if (!by) return entries;
  const value = (/** @type {Entry} */ entry) => (by === "size" ? entry.size_bytes : entry[by]);
  const way = descending ? -1 : 1;
  return [...entries].sort((a, b) => way * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
}

/** A hidden row that gives the columns their widths. */
const widthRow = () =>
  dom.h(
    "tr",
    { style: "visibility:collapse" },
    dom.h("td", {}, dom.h("button", { type: "button", class: "plain task", tabindex: -1 })),
    ...["", "num", "num wide", "until", ""].map((style) => dom.h("td", { class: style || null })),
  );

/** @param {string} id */
const rowOf = (id) =>
  dom.h(
    "tr",
    { "data-entry": id },
    dom.h("td", {}, dom.button("select", dom.h("span", { class: "mid" }), { "data-entry": id, class: "plain task" })),
    dom.h("td", { class: "dim" }),
    dom.h("td", { class: "num" }),
    dom.h("td", { class: "num wide" }),
    dom.h("td", { class: "dim until" }),
    dom.h("td", { class: "times" }),
  );

/** @param {Element} row @param {Entry} entry */
function fillRow(row, entry) {
  const [task, parameters, size, uses, until] = [...row.children];
  sayName(/** @type {Element} */ (task?.querySelector(".mid")), entry.task);
  if (parameters) dom.say(parameters, parametersOf(entry));
  if (size) dom.say(size, entry.size);
  if (uses) dom.say(uses, format.thousands(entry.uses));
  if (until) dom.set(until, { title: spanOf(entry) });
}

/** How an entry stands at a moment, in words. @param {Entry} entry @param {{moment: number, now: number, isValid: boolean}} at */
function untilOf({ created, expires }, { moment, now, isValid }) {
  if (created > moment) return `from ${format.moment(created, now)}`;
  if (expires === null) return "for good";
  return `${isValid ? "until" : "ended"} ${format.moment(expires, now)}`;
}

/** @param {Entry} entry @param {Shown} shown */
function barOf(entry, { axis, moment, selected, isValid }) {
  const { x, end, width } = axis;
  const from = x(entry.created);
  const isOpen = entry.expires === null || entry.expires > end;
  const to = isOpen ? x(end) : x(entry.expires ?? end);
  const kind = isValid(entry) ? (entry.id === selected ? "valid hit" : "valid") : "valid off";
  return dom.s(
    "svg",
    { viewBox: `0 0 ${width} 24`, role: "img", "aria-label": `${isValid(entry) ? "Valid" : "Not valid"} at that moment. ${spanOf(entry)}` },
    dom.s("rect", { class: kind, x: from.toFixed(1), y: 8.5, width: Math.max(2, to - from).toFixed(1), height: 7 }),
    isOpen && dom.s("path", { class: "edge", d: `M${(to - 1).toFixed(1)} 7l5 5-5 5` }),
    dom.s("path", { class: "asof", d: `M${x(moment).toFixed(1)} 0V24` }),
  );
}
