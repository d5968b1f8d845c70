/** The list "Needs you": paused tasks, then failed ones, then those with a warning; each with a sentence and its buttons. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import * as states from "./states.js";
import { parentOf } from "./task_keys.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{key: string, task: Task, kind: "paused" | "failed" | "lost" | "stale"}} Need */

/** @typedef {import("./need_groups.js").Many} Many */

/** The most tasks that are listed; the others are counted. */
export const SHOWN = 8;

/**
 * The tasks that need a person, in order. A mapped task is left out if its children are listed.
 *
 * @param {Iterable<[string, Task]>} tasks
 * @returns {Need[]}
 */
export function needs(tasks) {
  const all = [...tasks];
  const told = new Set(
    all.flatMap(([key, task]) => (parentOf(key) && (task.state === "Paused" || states.isFailed(task.state)) ? [`${parentOf(key)}:${task.state}`] : [])),
  );
  /** @type {Need[][]} */
  const [paused, failed, lost, stale] = [[], [], [], []];
  for (const [key, task] of all) {
    if (told.has(`${key}:${task.state}`)) continue;
    if (task.state === "Paused") paused?.push({ key, task, kind: "paused" });
    else if (states.isFailed(task.state)) failed?.push({ key, task, kind: "failed" });
    else if (task.lost) lost?.push({ key, task, kind: "lost" });
    else if (task.stale) stale?.push({ key, task, kind: "stale" });
  }
  return [...(paused ?? []), ...(failed ?? []), ...(lost ?? []), ...(stale ?? [])];
}

/**
 * Split `ValueError: what` into the type and the rest.
 *
 * @param {string} message
 */
export function splitError(message) {
  const found = /^([A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Timeout|Failure|Exit))(?::\s*([\s\S]*))?$/.exec(message);
  return found ? { type: found[1] ?? "", text: found[2] ?? "" } : { type: "", text: message };
}

/** A sentence after a colon begins small, unless its first word is a name of its own. @param {string} text */
const inside = (text) => (/^[A-Z][a-z]+ /.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text);

/** The list in `el`; call `update` after each change. */
export class NeedList {
  #list = dom.h("div");
  #more = dom.h("p", { class: "dim more" });

  /** @param {{el: HTMLElement, now: () => number}} given */
  constructor({ el, now }) {
    this.now = now;
    el.append(this.#list, this.#more);
  }

  /** @param {(Need & {many?: Many})[]} found */
  update(found) {
    dom.keyed(
      this.#list,
      found.slice(0, SHOWN),
      ({ key, kind, many }) => `${kind}:${key}:${many ? many.first : ""}`,
      itemOf,
      (element, need) => this.#fill(element, need),
    );
    const left = found.length - SHOWN;
    dom.say(this.#more, left > 0 ? `And ${format.thousands(left)} more; “As a table” shows them all.` : found.length ? "" : "Nothing waits for you.");
    this.#more.hidden = !this.#more.textContent;
  }

  /** @param {Element} element @param {Need & {many?: Many}} need */
  #fill(element, { key, task, kind, many }) {
    if (kind === "paused" || kind === "failed") {
      const tile = /** @type {Element} */ (element.firstElementChild);
      if (tile.getAttribute("data-state") !== task.state) tile.replaceChildren(dom.icon(states.glyphOf(task.state)));
      dom.set(tile, { "data-state": task.state });
    }
    const sentence = /** @type {Element} */ (element.querySelector(".sentence"));
    if (many) dom.say(/** @type {Element} */ (element.querySelector(".name")), `${key}, ${format.thousands(many.count)} of ${format.thousands(many.width)}`);
    const [state = "", type = "", rest = ""] = many ? manyText(many, task) : sentenceOf(task, kind, this.now());
    if (sentence.textContent === `${state}${type && ` ${type}`}${rest}`) return;
    const word = state && dom.h("span", { class: "word", "data-state": task.state }, state);
    sentence.replaceChildren(...[word, type && " ", type && dom.h("span", { class: "mono" }, type), rest].filter(Boolean));
  }
}

/**
 * `Failed 3, TimedOut 1`; where all are in one state, which the name counts, what the first says: `Failed ValueError: n/a, and 10 others`.
 *
 * @param {Many} many
 * @param {Task} task the first of them
 * @returns {string[]} as `sentenceOf`
 */
export function manyText({ states: found, count }, task) {
  const [first = ["Failed", 0], ...others] = found;
  const { type, text } = splitError(task.message ?? "");
  if (!others.length && states.isFailed(first[0]) && (type || text))
    return [first[0], type, `${text ? `: ${text}` : ""}, and ${format.plural(count - 1, "other")}`];
  return [first[0], "", [` ${format.thousands(first[1])}`, ...others.map(([state, n]) => `${state} ${format.thousands(n)}`)].join(", ")];
}

/** @param {Need & {many?: Many}} need */
function itemOf(need) {
  const isDoubtful = need.kind === "stale" || need.kind === "lost";
  const tile = isDoubtful ? dom.h("span", { class: "tile warn" }, dom.icon(states.SIGNS.warn ?? [])) : dom.h("span", { class: "tile" });
  const text = dom.h("div", {}, dom.h("div", { class: "name" }, ...nameOf(need)), dom.h("span", { class: "sentence" }));
  return dom.h("div", { class: "item", "data-task": need.key }, tile, text, dom.h("div", { class: "row" }, ...buttonsOf(need)));
}

/** A child is called as its input, its key stands after it. @param {Need} need */
const nameOf = ({ key, task }) => (task.label ? [nameIn(task.label), nameIn(key, { class: "mono dim key" })] : [nameIn(key)]);

/** @param {Need & {many?: Many}} need */
function buttonsOf({ key, kind, many, task: { rejected: isRejected, above } }) {
  const task = { "data-task": key };
  const go = { ...task, class: above ? null : "primary" };
  if (many && kind === "paused") return [dom.button("resume", `Resume ${format.thousands(many.count)}`, go), dom.button("inspect", "Show them", task)];
  if (many) return [dom.button("inspect", "Show them", task), dom.button("inspect", "First traceback", { "data-task": many.first })];
  if (kind === "paused") return [dom.button("resume", "Resume", go), dom.button("inspect", "Look at inputs", task)];
  if (kind === "failed") return [dom.button("inspect", isRejected ? "Look at it" : "Traceback", task)];
  if (kind === "lost") return [dom.button("inspect", "Look at the output", task)];
  return [dom.button("inspect", "Look at it", task)];
}

/** @param {Task} task @param {Need["kind"]} kind @param {number} now @returns {string[]} word, type of the error, rest */
function sentenceOf(task, kind, now) {
  if (kind === "lost") return ["", "", task.lost ?? ""];
  if (kind === "stale" && task.note === "made from other inputs") return ["", "", inside(task.message || "Its output was made from other inputs")];
  if (kind === "stale") {
    const made = task.created ? `Output of ${format.moment(task.created, now)},` : "Its output was";
    return ["", "", `${made} made by code that has changed since`];
  }
  if (kind === "paused")
    return [
      task.state,
      "",
      `${task.since ? ` for ${format.span(now - task.since)}` : ""}${task.above ? ` after ${task.above}` : ""}: ${inside(task.message || "waits for a person")}`,
    ];
  const { type, text } = splitError(task.message || "gave no message");
  return [task.state, type, type ? (text ? `: ${text}` : "") : `: ${text}`];
}
