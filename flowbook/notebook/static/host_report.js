/** The model of a panel in a report: all that it shows is in the file, and what views ask is answered here. */

import { Events } from "./events.js";
import { childrenPage, framePage } from "./report_answers.js";

/** @typedef {import("./host.js").Model} Model */
/** @typedef {import("./kept.js").Unpacked} Unpacked */

/** The questions that have an answer in the file. */
const ANSWERS = ["changes", "children", "logs", "page", "runs"];

/** @param {{run: Unpacked}} given what the file holds @returns {Model} */
export function reportModel({ run }) {
  const events = new Events();
  /** @type {Record<string, any>} */
  const values = {
    graph: run.graph,
    snapshot: run.snapshot,
    connection: { state: "none", answers: ANSWERS },
    saved: {
      at: run.snapshot.now,
      details: Object.fromEntries(Object.entries(run.details).map(([key, each]) => [key, marked(each)])),
      answers: {},
      note: run.note,
    },
  };
  return {
    host: "report",
    get: (name) => values[name],
    on: (name, handler, signal) => events.on(name, handler, signal),
    send(message) {
      const asked = /** @type {{id: string, type: string}} */ (message);
      const found = answer(run, asked);
      // As from a kernel, the answer comes after the question was sent.
      queueMicrotask(() => {
        if (found) events.tell("message", { ...found, type: asked.type, id: asked.id });
        events.tell("message", { type: "ack", id: asked.id, ok: found !== null, text: found ? "" : "This isn't in the report." });
      });
    },
  };
}

/** Details whose frames say that not all of their rows are inside. @param {any} details */
export function marked(details) {
  const mark = (/** @type {any} */ preview) => {
    const page = preview?.page;
    return page ? { ...preview, page: framePage(page, { offset: 0, limit: page.rows.length, sort: null, descending: false }) } : preview;
  };
  const inputs = details.inputs.map((/** @type {any} */ input) => ({ ...input, preview: mark(input.preview) }));
  return { ...details, inputs, output: mark(details.output), shown: details.shown.map(mark) };
}

/**
 * The answer to a question; null if there is none inside.
 *
 * @param {Unpacked} run
 * @param {any} asked
 * @returns {Record<string, any> | null}
 */
export function answer(run, asked) {
  const { answers } = run;
  if (asked.type === "children") {
    const all = answers.children?.[asked.key];
    return all ? childrenPage(all, asked) : null;
  }
  if (asked.type === "page") {
    const page = previewOf(run, asked.source)?.page;
    return page ? { frame: framePage(page, asked) } : null;
  }
  const found = answers[asked.type];
  if (!found) return null;
  // All of it is sent at first; then nothing is new.
  if (asked.type === "changes" && asked.since >= 0) return { ...found, since: asked.since, changes: [], left_out: 0 };
  if (asked.type === "logs" && asked.since >= 0) return { ...found, since: asked.since, lines: [], left_out: 0 };
  if (asked.type === "runs") return { ...found, rows: found.rows.slice(0, asked.limit), total: found.rows.length };
  return found;
}

/** @param {Unpacked} run @param {{key?: string, what?: string}} source @returns {import("./frame.js").Preview | null} */
function previewOf({ details }, { key = "", what = "" }) {
  const found = details[key];
  if (what === "output") return found?.output ?? null;
  if (what.startsWith("shown:")) return found?.shown?.[Number(what.slice("shown:".length))] ?? null;
  return found?.inputs?.find((/** @type {{name: string}} */ { name }) => `input:${name}` === what)?.preview ?? null;
}
