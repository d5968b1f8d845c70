/** The rows of two versions beside each other: the old one at the left, the new one at the right, a row opposite the same row. */

import { LOOKS } from "./diff_table.js";
import * as dom from "./dom.js";

/** @typedef {import("./diff.js").Diff} Diff */
/** @typedef {import("./diff.js").Column} Column */
/** @typedef {import("./diff.js").Row} Row */
/** @typedef {import("./diff.js").Cell} Cell */

/** @param {Diff} diff @param {[string, string]} names of the old version, and of the new one */
export function besideTable({ columns, rows, kind, key }, names) {
  const hasIndex = kind === "lines" || (kind === "table" && !key.length);
  const sides = /** @type {const} */ ([0, 1]).map((side) => columns.flatMap((column, at) => (column.change === GONE[side] ? [] : [{ column, at }])));
  const corner = (/** @type {string} */ text) => dom.h("th", { scope: "col", rowspan: 2 }, dom.h("span", { class: "sr" }, text));
  const groups = sides.map((found, side) =>
    dom.h("th", { scope: "colgroup", colspan: Math.max(1, found.length), class: side ? "new-side" : null }, names[side]),
  );
  const heads = sides.flatMap((found, side) => found.map(({ column }, n) => headOf(column, side, side === 1 && n === 0)));
  const head = dom.h("thead", {}, dom.h("tr", {}, corner("difference"), hasIndex && corner("row"), ...groups), dom.h("tr", {}, ...heads));
  const body = dom.h("tbody", {}, ...rows.map((row) => rowOf(row, sides, hasIndex)));
  const table = dom.h("table", { class: kind === "lines" ? "texts" : null }, head, body);
  return dom.h(
    "div",
    { class: "part scroll beside-rows", "data-flowbook": "frame", tabindex: 0, role: "region", "aria-label": "Both versions beside each other" },
    table,
  );
}

/** The change of a column that a side doesn't have. */
const GONE = ["added", "removed"];
/** The signs of the rows that a side doesn't have. */
const ABSENT = ["+", "-"];

/** @param {Column} column @param {number} side @param {boolean} isFirst */
function headOf({ name, dtype, was, numeric, change }, side, isFirst) {
  const classes = [numeric ? "num" : "", isFirst ? "new-side" : "", change === "added" ? "new" : "", change === "removed" ? "gone" : ""];
  return dom.h(
    "th",
    { class: classes.filter(Boolean).join(" ") || null, scope: "col", "data-diff": change },
    name,
    dom.h("small", { class: "mono" }, side ? dtype : (was ?? dtype)),
  );
}

/** @param {Row} row @param {{column: Column, at: number}[][]} sides @param {boolean} hasIndex */
function rowOf({ sign, index, cells }, sides, hasIndex) {
  const [style, kind, shown, word] = LOOKS[sign] ?? ["", "", sign, sign];
  const signCell = dom.h("td", { class: "sign" }, dom.h("span", { "aria-hidden": "true" }, shown), dom.h("span", { class: "sr" }, word));
  const label = hasIndex && dom.h("th", { class: "i num", scope: "row" }, index);
  const values = sides.flatMap((found, side) =>
    found.map(({ column, at }, n) => cellOf(cells[at] ?? null, { column, sign, side, isFirst: side === 1 && n === 0 })),
  );
  return dom.h("tr", { class: style, "data-diff": kind }, signCell, label, ...values);
}

/** @param {Cell} cell @param {{column: Column, sign: string, side: number, isFirst: boolean}} given */
function cellOf(cell, { column, sign, side, isFirst }) {
  const edge = isFirst ? "new-side" : "";
  if (sign === ABSENT[side]) return dom.h("td", { class: `void ${edge}`.trim() });
  const isChanged = Array.isArray(cell);
  const text = isChanged ? cell[side] : cell;
  const classes = [column.numeric ? "num" : "", isChanged ? "chg" : "", edge, text === null ? "na" : ""].filter(Boolean).join(" ");
  const told = text ?? "missing";
  return dom.h("td", { class: classes || null, title: told.length > 40 ? told : null }, isChanged ? dom.h(side ? "ins" : "del", {}, told) : told);
}
