/** A task's states in other runs, and its log in this one. */

import * as dom from "./dom.js";
import * as format from "./format.js";

/** @typedef {{run: string, state: string, at: number, duration_s: number | null}} Earlier */
/** @typedef {{at: number, level: string, text: string}} Line */

const HEADS = ["Run", "State", "When", "Time"];

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

/** @param {Earlier[]} history @param {number} now */
export function historyTable(history, now) {
  const heads = HEADS.map((name) => dom.h("th", { scope: "col", class: name === "Time" ? "num" : null }, name));
  const rows = history.map(({ run, state, at, duration_s }) =>
    dom.h(
      "tr",
      {},
      dom.h("td", {}, `run ${run}`),
      dom.h("td", {}, word(state)),
      dom.h("td", {}, format.moment(at, now)),
      dom.h("td", { class: "num" }, duration_s === null ? "" : format.duration(duration_s)),
    ),
  );
  return dom.h("table", { class: "short" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), dom.h("tbody", {}, ...rows));
}

/** @param {Line[]} lines */
export function logView(lines) {
  if (!lines.length) return dom.h("p", { class: "dim" }, "It logged and printed nothing.");
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
