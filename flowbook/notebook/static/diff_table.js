/** The rows of a comparison: a sign, a word for readers, and colour; what changed in a cell, struck through and bold. */

import * as dom from "./dom.js";
import { thousands } from "./format.js";

/** @typedef {import("./diff.js").Diff} Diff */
/** @typedef {import("./diff.js").Column} Column */
/** @typedef {import("./diff.js").Row} Row */
/** @typedef {import("./diff.js").Cell} Cell */

/** By sign: class, kind, sign as it is shown, word. @type {Record<string, [string, string, string, string]>} */
export const LOOKS = {
  "=": ["same", "same", "", "the same"],
  "~": ["mod", "changed", "~", "changed"],
  "+": ["add", "added", "+", "added"],
  "-": ["del", "removed", "\u2212", "removed"],
};

/** @param {Diff} diff */
export function diffTable(diff) {
  const { columns, rows, kind, key } = diff;
  const hasIndex = kind === "lines" || (kind === "table" && !key.length);
  const isBare = kind === "lines" || kind === "value";
  const head = isBare ? null : dom.h("thead", {}, dom.h("tr", {}, signHead(), hasIndex && indexHead(), ...columns.map(headOf)));
  const body = dom.h("tbody", {}, ...rows.map((row) => rowOf(row, columns, hasIndex)));
  const table = dom.h("table", { class: kind === "lines" ? "texts" : null }, head, body);
  return dom.h("div", { class: "part scroll", "data-flowbook": "frame", tabindex: 0, role: "region", "aria-label": "Rows of both versions" }, table);
}

const signHead = () => dom.h("th", { scope: "col", style: "width:24px" }, dom.h("span", { class: "sr" }, "difference"));
const indexHead = () => dom.h("th", { class: "i num", scope: "col" }, dom.h("span", { class: "sr" }, "row"));

/** @param {Column} column */
function headOf({ name, dtype, was, numeric, change, cells }) {
  const told = { key: "key", same: "the same", changed: `${thousands(cells)} changed`, added: "+ new column", removed: "\u2212 column gone" }[change];
  const classes = [numeric ? "num" : "", change === "added" ? "new" : "", change === "removed" ? "gone" : ""].filter(Boolean).join(" ");
  return dom.h(
    "th",
    { class: classes || null, scope: "col", "data-diff": change },
    name,
    dom.h("small", { class: "mono" }, was ? `${was} \u2192 ${dtype}` : dtype),
    dom.h("small", {}, told),
  );
}

/** @param {Row} row @param {Column[]} columns @param {boolean} hasIndex */
function rowOf({ sign, index, cells }, columns, hasIndex) {
  const [style, kind, shown, word] = LOOKS[sign] ?? ["", "", sign, sign];
  const signCell = dom.h("td", { class: "sign" }, dom.h("span", { "aria-hidden": "true" }, shown), dom.h("span", { class: "sr" }, word));
  const label = hasIndex && dom.h("th", { class: "i num", scope: "row" }, index);
  return dom.h("tr", { class: style, "data-diff": kind }, signCell, label, ...cells.map((cell, at) => cellOf(cell, columns[at], sign)));
}

/** @param {Cell} cell @param {Column | undefined} column @param {string} sign */
function cellOf(cell, column, sign) {
  const side = column?.numeric ? "num" : "";
  if (Array.isArray(cell)) {
    const [was, now, by] = cell;
    const change = by && dom.h("small", { class: "by" }, by);
    return dom.h("td", { class: `${side} chg`.trim() }, dom.h("del", {}, was ?? "missing"), " ", dom.h("ins", {}, now ?? "missing"), " ", change);
  }
  const isAbsent = cell === null && ((sign === "-" && column?.change === "added") || (sign === "+" && column?.change === "removed"));
  if (cell === null) return dom.h("td", { class: isAbsent ? null : "na" }, isAbsent ? "" : "missing");
  return dom.h("td", { class: side || null, title: cell.length > 40 ? cell : null }, cell);
}
