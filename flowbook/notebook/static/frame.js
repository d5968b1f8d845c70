/** A value as it was previewed; a frame is paged, sorted and filtered by the kernel, or in a report by the host, never here. */

import * as dom from "./dom.js";
import { thousands } from "./format.js";
import { SIGNS } from "./states.js";
import { htmlFrame, valueBody } from "./value_body.js";

/** @typedef {{name: string, dtype: string, numeric: boolean, summary?: string | null, spark?: number[] | null}} Column */
/** @typedef {{columns: Column[], index: string[], rows: (string | null)[][], offset: number, total: number, columns_total: number, sort: string | null, descending: boolean, took_ms?: number | null, query?: string, fitting?: number, isPart?: boolean}} Page */
/** @typedef {{kind: string, type: string, text: string, shape?: number[] | null, size_bytes?: number | null, page?: Page | null, repr?: string | null, body?: import("./value_body.js").Shown["body"]}} Preview */
/** @typedef {{key: string, what: string} | {entry: string}} Source */
/** @typedef {{offset: number, limit: number, sort: string | null, descending: boolean, query?: string}} Request */
/** @typedef {(source: Source, request: Request | null) => string | null} Ask */

export const LIMIT = 100;
/** From this many rows on, a person may want to find one. */
const FILTERED_FROM = 20;
const TYPED_MS = 250;

/**
 * The page to request when the user clicks.
 *
 * @param {Page} page
 * @param {string} action page-first, page-prev, page-next, page-last or sort
 * @param {string | null} [column]
 * @returns {Request}
 */
export function request(page, action, column = null) {
  const same = { limit: LIMIT, sort: page.sort, descending: page.descending, ...(page.query ? { query: page.query } : {}) };
  const last = Math.max(0, Math.floor((fittingOf(page) - 1) / LIMIT) * LIMIT);
  switch (action) {
    case "page-first":
      return { ...same, offset: 0 };
    case "page-prev":
      return { ...same, offset: Math.max(0, page.offset - LIMIT) };
    case "page-next":
      return { ...same, offset: Math.min(last, page.offset + LIMIT) };
    case "page-last":
      return { ...same, offset: last };
    default:
      return { ...same, offset: 0, ...nextSort(page, column) };
  }
}

/** How many rows fit what is looked for. @param {Page} page */
const fittingOf = ({ total, fitting = total }) => fitting;

/** Ascending, then descending, then as stored. @param {Page} page @param {string | null} column */
function nextSort(page, column) {
  if (page.sort !== column) return { sort: column, descending: false };
  return page.descending ? { sort: null, descending: false } : { sort: column, descending: true };
}

/** Why paging `action` can't be done now; null if it can. @param {Page} page @param {string} action */
export function refusal(page, action) {
  const isBack = action === "page-first" || action === "page-prev";
  if (isBack) return page.offset <= 0 ? "These are the first rows" : null;
  return page.offset + page.rows.length >= fittingOf(page) ? "These are the last rows" : null;
}

/** `Rows 1 to 100 of 109,079, sorted by arr_delay in 38 ms; columns 9 of 23`. @param {Page} page */
export function footing(page) {
  const n = page.rows.length;
  const which = `${thousands(page.offset + 1)} to ${thousands(page.offset + n)}`;
  const fitting = page.query ? ` that match, of ${thousands(page.total)}` : "";
  const inside = page.isPart ? "; no others are inside" : "";
  const rows =
    n === 0
      ? page.query
        ? `None of ${thousands(page.total)} rows match`
        : "No rows"
      : `Rows ${which} of ${thousands(page.isPart && !page.query ? page.total : fittingOf(page))}${fitting}`;
  const way = page.descending ? ", largest first" : "";
  const took = page.took_ms ? ` in ${Math.max(1, Math.round(page.took_ms))} ms` : "";
  const sorted = page.sort === null ? "" : `, sorted by ${page.sort}${way}${took}`;
  const columns = page.columns.length < page.columns_total ? `; columns ${page.columns.length} of ${page.columns_total}` : "";
  return rows + sorted + columns + inside;
}

/**
 * @typedef {object} Shown
 * @property {HTMLElement} el
 * @property {Preview} preview
 * @property {Source} source
 * @property {Ask} ask asks for a page, or with null for the HTML of a value; returns the request's id, or null if there is no kernel
 * @property {boolean} [canRender] whether a kernel can draw HTML
 * @property {AbortSignal} signal
 * @property {boolean} [isBare] leaves the foot out
 */

/** A preview in `el`, with the pages of its value. */
export class FrameView {
  /** @type {string | null} */
  #awaited = null;
  /** @type {string | null} */
  #pressed = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;
  #find = dom.h("input", {
    "data-action": "frame-filter",
    placeholder: "Find rows, e.g. delay > 15",
    title: "Text to find in any cell, or a column, a comparison (== != < <= > >=) and a value",
    "aria-label": "Find rows",
    class: "filter",
    spellcheck: "false",
  });

  /** @param {Shown} given */
  constructor(given) {
    this.given = given;
    this.current = given.preview.page ?? null;
    given.el.addEventListener("click", (event) => this.#click(event), { signal: given.signal });
    this.#find.addEventListener("input", () => this.#typed(), { signal: given.signal });
    given.signal.addEventListener("abort", () => clearTimeout(this.#typing), { once: true });
    this.#draw();
  }

  /** Take a page if it is the one asked for. @param {{id: string, frame: Page}} message */
  page(message) {
    if (message.id !== this.#awaited) return false;
    this.#awaited = null;
    this.current = message.frame;
    this.#draw();
    this.#look();
    return true;
  }

  /** Take the HTML of the value if it was asked for. @param {{id: string, html: string}} message */
  rendered(message) {
    if (message.id !== this.#awaited) return false;
    this.#awaited = null;
    this.given.el.replaceChildren(htmlFrame(message.html, this.given.preview.text));
    return true;
  }

  /** Stop waiting: the request was refused, or no answer will come. @param {string | null} id null for any request @param {string} [why] */
  release(id, why = "") {
    if (this.#awaited === null || (id !== null && id !== this.#awaited)) return;
    this.#awaited = null;
    this.#draw();
    const said = why ? this.given.el.querySelector(".foot .grow, .said") : null;
    if (said) dom.say(said, why);
  }

  #draw() {
    const { el, preview, isBare = false } = this.given;
    const page = this.current;
    if (!page) {
      const { ask, source, canRender = true } = this.given;
      const onRender = () => {
        this.#awaited = ask(source, null);
      };
      el.replaceChildren(valueBody(preview, canRender ? onRender : null));
      return;
    }
    // If the whole frame is shown, plain row numbers tell the reader nothing.
    const hasIndex = !isBare || page.index.some((label, i) => label !== String(i));
    const kept = el.querySelector(".scroll")?.scrollLeft ?? 0;
    const isTyping = document.activeElement === this.#find;
    const where = el.contains(document.activeElement) && !isTyping ? this.#pressed : null;
    const body = dom.h("div", { class: "scroll", tabindex: 0, "data-flowbook": "frame", role: "region", "aria-label": `${preview.text}: rows` });
    body.append(dom.h("table", { class: "short" }, header(page, hasIndex), cells(page, hasIndex)));
    el.replaceChildren(body);
    if (!isBare) el.append(foot(page, this.#awaited !== null, page.total >= FILTERED_FROM ? this.#find : null));
    if (isTyping) this.#find.focus({ preventScroll: true });
    body.scrollLeft = kept;
    if (where) /** @type {HTMLElement | null} */ (el.querySelector(`[data-slot="${CSS.escape(where)}"]`))?.focus({ preventScroll: true });
  }

  #typed() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#look(), TYPED_MS);
  }

  /** Ask for the rows that fit what was typed, unless they are shown or an answer is on its way. */
  #look() {
    const [page, query] = [this.current, this.#find.value.trim()];
    if (!page || this.#awaited || query === (page.query ?? "")) return;
    this.#awaited = this.given.ask(this.given.source, { offset: 0, limit: LIMIT, sort: page.sort, descending: page.descending, query });
    if (this.#awaited) this.#draw();
  }

  /** @param {Event} event */
  #click(event) {
    const target = event.target instanceof Element ? event.target.closest("button[data-action]") : null;
    const action = target?.getAttribute("data-action") ?? "";
    if (!this.current || !target || !(action === "sort" || action.startsWith("page-"))) return;
    event.stopPropagation();
    if (this.#awaited || target.getAttribute("aria-disabled") === "true") return;
    this.#pressed = target.getAttribute("data-slot");
    this.#awaited = this.given.ask(this.given.source, request(this.current, action, target.getAttribute("data-column")));
    if (this.#awaited) this.#draw();
  }
}

/** @param {Page} page @param {boolean} isAwaited @param {Node | null} find */
function foot(page, isAwaited, find) {
  const paging = [
    /** @type {const} */ (["page-first", "First", "The first rows"]),
    /** @type {const} */ (["page-prev", dom.icon(SIGNS.previous ?? []), `Previous ${LIMIT} rows`]),
    /** @type {const} */ (["page-next", dom.icon(SIGNS.next ?? []), `Next ${LIMIT} rows`]),
    /** @type {const} */ (["page-last", "Last", "The last rows"]),
  ].map(([action, content, title]) => {
    const why = isAwaited ? "Waiting for an answer" : refusal(page, action);
    return dom.button(action, content, {
      class: typeof content === "string" ? null : "icon",
      "data-slot": action,
      "aria-label": typeof content === "string" ? null : title,
      "aria-disabled": why ? "true" : null,
      title: why ?? title,
    });
  });
  const isWhole = fittingOf(page) <= page.rows.length;
  return dom.h("div", { class: "foot" }, dom.h("span", { class: "grow" }, footing(page)), find, isWhole ? null : dom.h("span", { class: "group" }, ...paging));
}

/** @param {Page} page @param {boolean} hasIndex */
function header(page, hasIndex) {
  const isSummed = page.columns.some((column) => column.spark || column.summary);
  const first = dom.h("th", { class: "i num", scope: "col" }, dom.h("span", { class: "sr" }, "row"));
  const columns = page.columns.map((column) => {
    const isSorted = page.sort === column.name;
    const sign = isSorted ? dom.icon(SIGNS[page.descending ? "down" : "up"] ?? []) : null;
    const name = dom.button("sort", [column.name, sign], {
      "data-column": column.name,
      "data-slot": `sort:${column.name}`,
      title: isSorted && page.descending ? "Back to the order as stored" : `Sort by ${column.name}${isSorted ? ", largest first" : ""}`,
    });
    return dom.h(
      "th",
      { class: column.numeric ? "num" : null, scope: "col", "aria-sort": isSorted ? (page.descending ? "descending" : "ascending") : null },
      name,
      dom.h("small", { class: "mono" }, column.dtype),
      isSummed ? spark(column) : null,
      isSummed ? dom.h("small", {}, column.summary || "\u00a0") : null,
    );
  });
  return dom.h("thead", {}, dom.h("tr", {}, hasIndex && first, ...columns));
}

/** @param {Column} column */
function spark(column) {
  const bars = column.spark ?? [];
  if (!bars.length) return dom.h("span", { class: "nospark" });
  const most = Math.max(...bars, 1e-9);
  const wide = 72 / bars.length;
  const rects = bars.map((value, i) => {
    const high = (16 * value) / most;
    return dom.s("rect", { x: (i * wide).toFixed(1), y: (16 - high).toFixed(1), width: Math.max(1, wide - 1).toFixed(1), height: high.toFixed(1) });
  });
  return dom.s(
    "svg",
    { class: "spark", viewBox: "0 0 72 16", preserveAspectRatio: "none", role: "img", "aria-label": `distribution of ${column.name}` },
    ...rects,
  );
}

/** @param {Page} page @param {boolean} hasIndex */
function cells(page, hasIndex) {
  const rows = page.rows.map((row, r) => {
    const values = row.map((value, c) => {
      const numeric = page.columns[c]?.numeric;
      if (value === null) return dom.h("td", { class: "na" }, "missing");
      return dom.h("td", { class: numeric ? "num" : null, title: value.length > 40 ? value : null }, value);
    });
    return dom.h("tr", {}, hasIndex && dom.h("th", { class: "i num", scope: "row" }, page.index[r] ?? ""), ...values);
  });
  return dom.h("tbody", {}, ...rows);
}
