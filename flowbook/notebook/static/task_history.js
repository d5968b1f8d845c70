/** A task's states in other runs, and its log in this one. */

import * as dom from "./dom.js";
import * as format from "./format.js";

/** @typedef {{run: string, id?: string, state: string, at: number, duration_s: number | null, rows?: number | null, hash?: string, why?: string, cost?: string}} Earlier */
/** @typedef {{at: number, level: string, text: string}} Line */

/** @param {string} state */
const word = (state) => dom.h("span", { class: "word", "data-state": state }, state);

/** As a short list, for the card. @param {Earlier[]} history @param {number} now */
export const historyList = (history, now) =>
  dom.h(
    "dl",
    { class: "kv" },
    ...history.flatMap(({ run, state, at, duration_s }) => [
      dom.h("dt", {}, `run ${run}, ${format.moment(at, now)}`),
      dom.h("dd", {}, word(state), duration_s === null ? "" : ` after ${format.duration(duration_s)}`),
    ]),
  );

/**
 * @typedef {object} HistoryShown
 * @property {string} key
 * @property {Earlier[]} history
 * @property {number} now
 * @property {boolean} canCompare whether the task has an output here, and a kernel can read the others
 * @property {boolean} canRun whether what lies below can run with an earlier output
 */

/** @param {HistoryShown} shown */
export function historyTable(shown) {
  const { history } = shown;
  const has = (/** @type {"rows" | "hash" | "why" | "cost"} */ name) =>
    history.some((each) => each[name] !== null && each[name] !== undefined && each[name] !== "");
  const columns = COLUMNS.filter(({ name }) => !["rows", "hash", "why", "cost"].includes(name) || has(/** @type {any} */ (name)));
  const heads = columns.map(({ name, style }) =>
    dom.h("th", { scope: "col", class: style }, name === "what" ? dom.h("span", { class: "sr" }, "what to do") : name),
  );
  const longest = Math.max(...history.map(({ duration_s }) => duration_s ?? 0), 1e-9);
  const rows = history.map((each) =>
    dom.h("tr", { "data-run": each.id ?? null }, ...columns.map(({ style, cell }) => dom.h("td", { class: style }, ...cell(each, shown, longest)))),
  );
  const table = dom.h("table", { class: "short" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), dom.h("tbody", {}, ...rows));
  return dom.h("div", { class: "scroll past", tabindex: 0, role: "region", "aria-label": "Other runs" }, table);
}

/** @type {{name: string, style: string | null, cell: (each: Earlier, shown: HistoryShown, longest: number) => import("./dom.js").Child[]}[]} */
const COLUMNS = [
  {
    name: "run",
    style: null,
    // Where no kernel shows another run, the button isn't there; then the words are.
    cell: ({ run, id }) => [
      id ? dom.button("show-run", `run ${run}`, { "data-run-id": id, class: "plain task", title: "Shows that run" }) : null,
      dom.h("b", {}, `run ${run}`),
    ],
  },
  { name: "when", style: null, cell: ({ at }, { now }) => [format.moment(at, now)] },
  { name: "state", style: null, cell: ({ state }) => [word(state)] },
  {
    name: "duration",
    style: "num",
    cell: ({ duration_s }, _, longest) =>
      duration_s === null ? [] : [dom.h("i", { class: "took", style: `width:${Math.round((64 * duration_s) / longest)}px` }), format.duration(duration_s)],
  },
  { name: "rows", style: "num", cell: ({ rows }) => [rows === null || rows === undefined ? "" : format.thousands(rows)] },
  { name: "hash", style: "mono", cell: ({ hash = "" }) => [hash] },
  { name: "why", style: "said-cell", cell: ({ why = "" }) => [why] },
  { name: "what", style: null, cell: (each, shown) => (each.hash ? [dom.h("span", { class: "row tight" }, ...buttonsOf(each, shown))] : []) },
  { name: "cost", style: "dim", cell: ({ cost = "" }) => [cost] },
];

/** @param {Earlier} each @param {HistoryShown} shown */
const buttonsOf = ({ id = "", run }, { key, canCompare, canRun }) => [
  canCompare &&
    dom.button("compare-version", "Compare", {
      "data-task": key,
      "data-run-id": id,
      title: `Shows what differs between the output of run ${run} and this one`,
    }),
  canRun &&
    dom.button("run-from", "Run downstream", {
      "data-task": key,
      "data-choice": "below",
      "data-version": id,
      title: `Runs what lies below ${key} with the output of run ${run}, once you have seen the plan`,
    }),
];

export const NO_LINES = "It logged nothing. Prints are in the cell's output, unless the task has log_stdout=True; then they are here.";

/** @param {Line[]} lines */
export function logView(lines) {
  if (!lines.length) return dom.h("p", { class: "dim" }, NO_LINES);
  const rows = lines.map(({ at, level, text }) =>
    dom.h(
      "div",
      { class: level === "ERROR" || level === "CRITICAL" ? "at" : null },
      dom.h("span", { class: "ln when" }, new Date(at * 1000).toTimeString().slice(0, 8)),
      dom.h("span", { class: "ln level" }, level),
      dom.h("span", {}, text),
    ),
  );
  return dom.h("div", { class: "code logs", tabindex: 0, role: "log", "aria-label": "Logs" }, ...rows);
}
