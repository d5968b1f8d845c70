/** What a report answers itself, from the data that are inside: pages of children and of frames. Pure. */

import { isFailed } from "./states.js";

/** @typedef {import("./children.js").Child} Child */
/** @typedef {import("./children.js").Children} Children */
/** @typedef {import("./children.js").Wish} Wish */
/** @typedef {import("./frame.js").Page} Page */
/** @typedef {import("./frame.js").Request} Request */

/**
 * A page of the children that are inside, as the kernel would page them.
 *
 * @param {Children} all with all rows that are inside
 * @param {Wish} wish
 * @returns {Children}
 */
export function childrenPage(all, { state, query, order, offset, limit }) {
  const wanted = query.toLowerCase();
  const fits = (/** @type {Child} */ row) =>
    (!state || (row.word || row.state) === state) && (!wanted || `${row.key}\n${row.label}\n${row.message}`.toLowerCase().includes(wanted));
  const fitting = all.rows.filter(fits).sort((a, b) => {
    const [ranked, other] = [rank(order, a), rank(order, b)];
    return ranked[0] - other[0] || ranked[1] - other[1] || a.index - b.index;
  });
  const from = Math.min(Math.max(0, offset), Math.max(0, fitting.length - 1));
  const kept = all.rows.length < all.width ? all.rows.length : null;
  return { ...all, total: fitting.length, offset: from, rows: fitting.slice(from, from + limit), kept };
}

/** @param {string} order @param {Child} row @returns {[number, number]} */
function rank(order, { state, duration_s, index }) {
  const slow = duration_s === null ? 1 : -duration_s;
  if (order === "index") return [0, index];
  if (order === "slowest") return [0, slow];
  if (order === "fastest") return [duration_s === null ? 1 : 0, duration_s ?? 0];
  return isFailed(state) ? [0, index] : [1, slow];
}

/**
 * The rows that are inside, filtered and sorted; missing values last, equal rows in their order.
 *
 * @param {Page} all
 * @param {Request} request
 * @returns {Page}
 */
export function framePage(all, { sort, descending, query = "" }) {
  const column = sort === null ? -1 : all.columns.findIndex(({ name }) => name === sort);
  const fits = fittingOf(all, query);
  const places = all.rows.flatMap((row, i) => (fits(row) ? [i] : []));
  if (column >= 0) {
    const compare = all.columns[column]?.numeric ? byNumber : byText;
    const cell = (/** @type {number} */ i) => all.rows[i]?.[column] ?? null;
    places.sort((a, b) => comparing(cell(a), cell(b), descending, compare) || a - b);
  }
  return {
    ...all,
    rows: places.map((i) => all.rows[i] ?? []),
    index: places.map((i) => all.index[i] ?? ""),
    offset: 0,
    sort: column >= 0 ? sort : null,
    descending,
    query,
    fitting: places.length,
    isPart: all.rows.length < all.total,
  };
}

/** `delay > 15` */
const COMPARISON = /^\s*(.+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*?)\s*$/s;
/** Whether a cell fits, by the sign of its difference from the value. @type {Record<string, (sign: number) => boolean>} */
const FITS = {
  "=": (sign) => sign === 0,
  "==": (sign) => sign === 0,
  "!=": (sign) => sign !== 0,
  "<": (sign) => sign < 0,
  "<=": (sign) => sign <= 0,
  ">": (sign) => sign > 0,
  ">=": (sign) => sign >= 0,
};

/** What says whether a row fits, as `fitting_rows` in Python does. @param {Page} all @param {string} query @returns {(row: (string | null)[]) => boolean} */
function fittingOf(all, query) {
  const [, name, comparison = "", text = ""] = COMPARISON.exec(query) ?? [];
  const column = all.columns.findIndex((each) => each.name === name);
  const fits = FITS[comparison];
  if (column >= 0 && fits) {
    const value = text.replace(/^(["'])(.*)\1$/s, "$2");
    const isNumeric = all.columns[column]?.numeric;
    if (isNumeric && (!value || Number.isNaN(numberOf(value)))) return () => false;
    const compare = isNumeric ? byNumber : byText;
    return (row) => row[column] !== null && row[column] !== undefined && fits(compare(row[column], value));
  }
  const wanted = query.trim().toLowerCase();
  return (row) => !wanted || row.some((cell) => cell?.toLowerCase().includes(wanted));
}

/** @param {string | null} a @param {string | null} b @param {boolean} descending @param {(a: string, b: string) => number} compare */
function comparing(a, b, descending, compare) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return descending ? compare(b, a) : compare(a, b);
}

/** @param {string} text */
const numberOf = (text) => Number(text.replaceAll(",", "").replace("−", "-"));
/** @param {string} a @param {string} b */
const byNumber = (a, b) => numberOf(a) - numberOf(b) || 0;
/** @param {string} a @param {string} b */
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
