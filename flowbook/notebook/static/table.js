/** The graph as a table, for screen readers and for users who prefer text. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import * as states from "./states.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{key: string, task: Task, up: string[]}} Row */

const HEADS = ["Task", "State", "Time", "Note", "After"];

/** The table in `el`; call `update` after each change. */
export class TaskTable {
  #body = dom.h("tbody");

  /** @param {{el: HTMLElement, flow: string, now: () => number}} given */
  constructor({ el, flow, now }) {
    this.now = now;
    const heads = HEADS.map((name, i) => dom.h("th", { scope: "col", class: i === 2 ? "num" : null }, name));
    el.replaceChildren(dom.h("table", { "aria-label": `Tasks of ${flow}` }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), this.#body));
  }

  /** @param {Row[]} rows */
  update(rows) {
    dom.keyed(
      this.#body,
      rows,
      (row) => row.key,
      create,
      (tr, row) => this.#fill(tr, row),
    );
  }

  /** @param {Element} tr @param {Row} row */
  #fill(tr, { key, task }) {
    const [, state, time, note] = [...tr.children];
    if (!state || !time || !note) return;
    const word = states.wordOf(task);
    if (tr.getAttribute("data-state") !== task.state || state.querySelector(".word")?.textContent !== word) {
      const resume = states.waits(task)
        ? dom.button("resume", "Resume", { "data-task": key, class: task.above ? null : "primary", "aria-label": `Resume ${key}` })
        : null;
      state.replaceChildren(dom.h("span", { class: "row" }, dom.icon(states.glyphOf(word)), dom.h("span", { class: "word" }, word), resume));
    }
    dom.set(tr, { "data-state": task.state, "data-word": task.word || null });
    dom.say(time, format.timeOf(task, this.now()));
    const text = notes(task, this.now()).join("; ");
    dom.say(note, text);
    dom.set(note, { title: text });
  }
}

/** @param {Row} row */
const create = ({ key, up }) =>
  dom.h(
    "tr",
    { "data-task": key },
    dom.h("th", { scope: "row" }, dom.button("inspect", nameIn(key), { "data-task": key, class: "plain" })),
    dom.h("td", {}),
    dom.h("td", { class: "num" }),
    dom.h("td", {}),
    dom.h("td", { class: "dim", title: up.join(", ") }, up.join(", ")),
  );

/** What a mapped task says of its children where they are counted beside it. */
const SAID_BY_COUNTS = /^(All [\d,]+ succeeded|[\d,]+ of [\d,]+ failed)\.$/;

/** What is said about a task, nothing twice: a note may be its message in short. @param {Task} task @param {number} now */
export function notes(task, now) {
  const counts = task.counts ? states.inOrder(states.spread(task)).map(([name, n]) => `${format.thousands(n)} ${name}`) : [];
  const isTried = task.max_attempts && task.max_attempts > 1 && (task.attempt ?? 1) > 1;
  const [note, message] = [format.noteOf(task, now), counts.length && SAID_BY_COUNTS.test(task.message ?? "") ? "" : (task.message ?? "")];
  const isSame = bare(message).includes(bare(note)) || bare(note).includes(bare(message));
  const said = isSame ? [note.length > message.length ? note : message] : [note, message];
  const tried = isTried ? `attempt ${task.attempt} of ${task.max_attempts}` : "";
  return [counts.join(", "), ...said, said.some((each) => each.includes(tried)) ? "" : tried].filter(Boolean);
}

/** @param {string} text */
const bare = (text) =>
  text
    .trim()
    .replace(/[.…]+$/, "")
    .toLowerCase();
