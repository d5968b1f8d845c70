/**
 * Two versions of a value: which rows, cells and columns differ. The kernel compares and pages; the view says which versions,
 * by which key, and which kinds of rows.
 */

import { besideTable } from "./diff_beside.js";
import { diffTable } from "./diff_table.js";
import * as dom from "./dom.js";
import * as format from "./format.js";

/** @typedef {Record<string, string>} Version what the kernel knows a version by */
/** @typedef {{version: Version, text: string, about?: string}} Choice */
/** @typedef {"same" | "changed" | "added" | "removed"} Kind */
/** @typedef {{name: string, dtype: string, was: string | null, numeric: boolean, change: Kind | "key", cells: number}} Column */
/** @typedef {string | null | [string | null, string | null, string | null]} Cell a text, or what was, what is and by how much */
/** @typedef {{sign: "=" | "~" | "+" | "-", index: string, cells: Cell[]}} Row */
/**
 * @typedef {object} Diff DIFF of docs/wire.md
 * @property {string} id
 * @property {Version} first
 * @property {Version} second
 * @property {"table" | "tree" | "lines" | "value"} kind
 * @property {string} told
 * @property {string[]} key
 * @property {string[][]} keys
 * @property {Kind[]} kinds
 * @property {Record<Kind, number>} counts
 * @property {{changed: number, total: number, most: number | null}} cells
 * @property {Column[]} columns
 * @property {number} columns_total
 * @property {{name: string, before: string | null, after: string | null}[]} schema
 * @property {Row[]} rows
 * @property {number} offset
 * @property {number} total
 * @property {number} rows_before
 * @property {number} rows_after
 * @property {number | null} next
 * @property {number} compared_ms
 */
/** @typedef {{first: Version, second: Version, key: string[] | null, kinds: Kind[] | null, offset: number}} Asked */

const LIMIT = 100;
/** What a row is. */
const NOUNS = { table: "row", tree: "value", lines: "line", value: "value" };
/** @type {[Kind, string, string, string][]} kind, sign, word, colour */
const KINDS = [
  ["added", "+", "added", "success"],
  ["removed", "\u2212", "removed", "failed"],
  ["changed", "~", "changed", "running"],
  ["same", "=", "the same", "waiting"],
];

/** What is the same in one value, and what changed. @param {Diff} diff */
export function summaryOf({ counts, cells, rows_before, rows_after, kind }) {
  if (!counts.added && !counts.removed && !cells.changed) return "nothing differs";
  const most = cells.most === null ? "" : `, by ${Number((100 * cells.most).toPrecision(2))} % at most`;
  const changed = cells.changed ? `${format.thousands(cells.changed)} of ${format.plural(cells.total, "cell")}${most}` : "";
  const rows = rows_before === rows_after ? "" : `${format.thousands(rows_before)} \u2192 ${format.plural(rows_after, NOUNS[kind])}`;
  return [changed, rows].filter(Boolean).join("; ");
}

/** `Rows 1 to 100 of 1,334 that differ`. @param {Diff} diff */
export function footingOf({ rows, offset, total, kinds, kind }) {
  const what = `${NOUNS[kind].charAt(0).toUpperCase()}${NOUNS[kind].slice(1)}s`;
  if (!rows.length) return total ? "" : `${what} of these kinds: none`;
  const which = kinds.includes("same") ? "" : " that differ";
  const how = rows.some(({ sign }) => sign === "~") ? ". In a changed cell the old value is struck through, the new one is bold." : "";
  return `${what} ${format.thousands(offset + 1)} to ${format.thousands(offset + rows.length)} of ${format.thousands(total)}${which}${how}`;
}

/** The comparison of two versions in `el`. */
export class DiffView {
  /** @type {Asked} */
  #asked;
  /** @type {Diff | null} */
  #diff = null;
  /** @type {string | null} */
  #awaited = null;
  #said = "";
  /** Whether the last press asked for the next change. */
  #seeks = false;
  /** Whether the versions stand beside each other, instead of both in each row. */
  #isBeside = false;

  /**
   * @param {object} given
   * @param {HTMLElement} given.el
   * @param {string} given.name of the task
   * @param {Version} given.first
   * @param {Version} given.second
   * @param {() => Choice[]} given.choices the versions that may be compared, the newest first
   * @param {(asked: Asked) => string | null} given.ask asks the kernel; returns the request's id, or null if there is no kernel
   * @param {(Node | null)[]} given.buttons further buttons at the end of the head
   * @param {boolean} [given.isBeside] whether the versions stand beside each other at first
   * @param {AbortSignal} given.signal
   */
  constructor(given) {
    this.given = given;
    this.#asked = { first: given.first, second: given.second, key: null, kinds: null, offset: 0 };
    this.#isBeside = Boolean(given.isBeside);
    dom.set(given.el, { "data-flowbook": "diff", tabindex: -1 });
    given.el.addEventListener("click", (event) => this.#click(event), { signal: given.signal });
    given.el.addEventListener("change", (event) => this.#change(event), { signal: given.signal });
    given.el.addEventListener("keydown", (event) => this.#key(event), { signal: given.signal });
    this.#ask();
  }

  get asked() {
    return this.#asked;
  }

  /** Take what was asked for. @param {Diff} diff */
  take(diff) {
    if (diff.id !== this.#awaited) return false;
    this.#awaited = null;
    this.#said = diff.told;
    this.#diff = diff;
    this.#draw();
    if (this.#seeks) this.given.el.querySelector('tr:not([data-diff="same"]) td')?.scrollIntoView({ block: "nearest" });
    return true;
  }

  /** No answer will come. @param {string | null} id null for any request @param {string} [why] */
  release(id, why = "") {
    if (this.#awaited === null || (id !== null && id !== this.#awaited)) return;
    this.#awaited = null;
    this.#said = why;
    this.#draw();
  }

  /** Say what came of a button. @param {string} text */
  say(text) {
    if (text === this.#said) return;
    this.#said = text;
    this.#draw();
  }

  /** @param {Partial<Asked>} [changed] */
  #ask(changed = {}) {
    if (this.#awaited) return;
    const asked = { ...this.#asked, offset: 0, ...changed };
    this.#seeks = changed.offset !== undefined && changed.offset > 0;
    this.#awaited = this.given.ask(asked);
    this.#said = this.#awaited ? "" : "There is no kernel to compare with.";
    if (this.#awaited) this.#asked = asked;
    this.#draw();
  }

  // What a person does.

  /** @param {Event} event */
  #click(event) {
    const control = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const action = control?.getAttribute("data-action");
    if (control?.getAttribute("aria-disabled") === "true") return;
    const { first, second } = this.#asked;
    if (action === "swap") this.#ask({ first: second, second: first });
    else if (action === "diff-next") this.#next();
    else if (action === "diff-beside") this.#turn();
    else if (action === "page-prev") this.#ask({ offset: Math.max(0, (this.#diff?.offset ?? 0) - LIMIT) });
    else if (action === "page-next") this.#ask({ offset: (this.#diff?.offset ?? 0) + LIMIT });
    else return;
    event.stopPropagation();
  }

  /** @param {Event} event */
  #change(event) {
    const field = event.target;
    const action = field instanceof Element ? field.getAttribute("data-action") : null;
    if (field instanceof HTMLSelectElement) {
      const chosen = JSON.parse(field.value);
      if (action === "key") this.#ask({ key: chosen });
      else if (action === "pick-old") this.#ask({ first: chosen });
      else if (action === "pick-new") this.#ask({ second: chosen });
    } else if (field instanceof HTMLInputElement && this.#diff) {
      const [kind, was] = [field.value, this.#diff.kinds];
      this.#ask({ kinds: KINDS.map(([name]) => name).filter((name) => (name === kind ? field.checked : was.includes(name))) });
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const isTyping = event.target instanceof Element && event.target.matches("select, input:not([type=checkbox])");
    if (event.key !== "n" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    this.#next();
  }

  #turn() {
    this.#isBeside = !this.#isBeside;
    this.#draw();
  }

  #next() {
    const next = this.#diff?.next ?? null;
    if (next !== null) this.#ask({ offset: next });
  }

  // Drawing.

  #draw() {
    const { el } = this.given;
    const held = el.contains(document.activeElement) ? (document.activeElement?.getAttribute("data-slot") ?? null) : null;
    const diff = this.#diff;
    const scrolled = el.querySelector(".scroll")?.scrollLeft ?? 0;
    el.setAttribute("aria-busy", this.#awaited ? "true" : "false");
    el.replaceChildren(
      this.#head(),
      ...(diff ? [this.#kinds(diff), schema(diff), this.#rows(diff), this.#foot(diff)] : [this.#wait()]).filter((part) => part !== null),
    );
    const body = el.querySelector(".scroll");
    if (body) body.scrollLeft = scrolled;
    if (held) /** @type {HTMLElement | null} */ (el.querySelector(`[data-slot="${held}"]`))?.focus({ preventScroll: true });
  }

  /** @param {Diff} diff */
  #rows(diff) {
    return this.#isBeside && canStandBeside(diff) ? besideTable(diff, [this.#nameOf(diff.first), this.#nameOf(diff.second)]) : diffTable(diff);
  }

  /** What a version is called. @param {Version} version */
  #nameOf(version) {
    const value = JSON.stringify(version);
    return this.given.choices().find((choice) => JSON.stringify(choice.version) === value)?.text ?? "this version";
  }

  #wait() {
    return dom.h("p", { class: "pad dim" }, this.#awaited ? "Comparing\u2026" : this.#said);
  }

  #head() {
    const { name, buttons } = this.given;
    const { first, second } = this.#asked;
    const said = dom.h("span", { class: "said" }, this.#diff ? (this.#awaited ? "Comparing\u2026" : this.#said) : "");
    return dom.h(
      "div",
      { class: "head" },
      dom.h("h3", {}, name),
      this.#pick("pick-old", "Old", first),
      dom.button("swap", "Swap", { "data-slot": "swap", title: "Swap old and new" }),
      this.#pick("pick-new", "New", second),
      dom.h("span", { class: "side" }, said, dom.h("span", { class: "row tight" }, ...buttons)),
    );
  }

  /** @param {string} action @param {string} label @param {Version} chosen */
  #pick(action, label, chosen) {
    const value = JSON.stringify(chosen);
    const choices = this.given.choices().map(({ version, text }) => ({ value: JSON.stringify(version), text }));
    if (!choices.some((choice) => choice.value === value)) choices.unshift({ value, text: "this version" });
    const options = choices.map((choice) => dom.h("option", { value: choice.value, selected: choice.value === value }, choice.text));
    return dom.h("label", { class: "row tight" }, dom.h("b", {}, label), dom.h("select", { "data-action": action, "data-slot": action }, ...options));
  }

  /** Which kinds of rows there are, and by what they were matched. @param {Diff} diff */
  #kinds(diff) {
    const checks = KINDS.map(([kind, sign, word, colour]) =>
      dom.h(
        "label",
        { class: "row tight nowrap" },
        dom.h("input", { type: "checkbox", value: kind, "data-action": `show-${kind}`, "data-slot": kind, checked: diff.kinds.includes(kind) }),
        dom.h("b", { class: "mono", style: `color:var(--fb-${colour}-ink)`, "aria-hidden": "true" }, sign),
        dom.h("b", {}, format.thousands(diff.counts[kind])),
        ` ${word}`,
      ),
    );
    const beside =
      canStandBeside(diff) &&
      dom.button("diff-beside", "Beside each other", {
        "data-slot": "beside",
        "aria-pressed": String(this.#isBeside),
        title: "The old version at the left, the new one at the right",
      });
    return dom.h(
      "div",
      { class: "head part" },
      dom.h("span", { class: "row kinds" }, this.#keys(diff), ...checks, beside),
      dom.h("span", { class: "dim nowrap" }, summaryOf(diff)),
    );
  }

  /** @param {Diff} diff */
  #keys({ kind, key, keys }) {
    if (kind !== "table") return null;
    const chosen = JSON.stringify(key);
    const options = keys.map((each) =>
      dom.h("option", { value: JSON.stringify(each), selected: JSON.stringify(each) === chosen }, each.join(", ") || "the index"),
    );
    return dom.h("label", { class: "nowrap" }, "Rows matched by ", dom.h("select", { "data-action": "key", "data-slot": "key" }, ...options));
  }

  /** @param {Diff} diff */
  #foot(diff) {
    const { offset, rows, total, next } = diff;
    const page = (/** @type {string} */ action, /** @type {string} */ text, /** @type {boolean} */ isEnd) =>
      dom.button(action, text, { "data-slot": action, "aria-disabled": isEnd || this.#awaited ? "true" : null, title: isEnd ? "There are no more" : null });
    const turns = total > rows.length ? [page("page-prev", "Before", offset <= 0), page("page-next", "After", offset + rows.length >= total)] : [];
    const none = next === null ? "No row below these differs" : null;
    const jump = dom.button("diff-next", "Next change", { "data-slot": "diff-next", title: none ?? "n", "aria-disabled": none ? "true" : null });
    const took = diff.compared_ms >= 1000 ? ` Compared in ${format.duration(diff.compared_ms / 1000)}.` : "";
    return dom.h(
      "div",
      { class: "foot" },
      dom.h("span", { class: "grow" }, footingOf(diff), took),
      dom.h("span", { class: "group" }, ...turns),
      total > rows.length ? jump : null,
    );
  }
}

/** Whether rows of both versions can stand opposite each other. @param {Diff} diff */
const canStandBeside = ({ kind }) => kind === "table" || kind === "lines";

/** The columns that came, went or are of another type; null if there are none. @param {Diff} diff */
function schema({ schema: changed, columns_total, kind }) {
  if (!changed.length || kind !== "table") return null;
  const items = changed.map(({ name, before, after }) => {
    const [sign, colour] = before === null ? ["+", "success"] : after === null ? ["\u2212", "failed"] : ["~", "running"];
    const types = before !== null && after !== null ? [dom.h("del", {}, before), ` ${after}`] : [after ?? before ?? ""];
    const text = dom.h(after === null ? "del" : "span", { class: "mono" }, `${name} `, ...types);
    return dom.h("span", { class: "sch" }, dom.h("b", { style: `color:var(--fb-${colour}-ink)` }, sign), text);
  });
  const same = columns_total - changed.length;
  return dom.h(
    "div",
    { class: "head part", "data-flowbook": "schema" },
    dom.h("h4", {}, "Columns"),
    ...items,
    dom.h("span", { class: "dim" }, `${same} the same`),
  );
}
