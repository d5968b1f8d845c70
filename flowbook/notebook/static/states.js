/**
 * The look and the order of the states. Pure: no DOM, no clock.
 *
 * The paths are drawn on a 12 x 12 field, in the colour of the text around them.
 */

import { COUNTS_TIME, DISPLAY_ORDER, FAILED, FINISHED } from "./state_kinds.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{tag: "path" | "circle", attrs: Record<string, string>}} Shape */

/** @param {string} d @param {Record<string, string>} [more] @returns {Shape} */
const path = (d, more = {}) => ({ tag: "path", attrs: { d, ...more } });

/** @param {string} r @returns {Shape} */
const ring = (r) => ({ tag: "circle", attrs: { cx: "6", cy: "6", r } });

const PLAY = [path("M4 2.8v6.4L9.4 6z", { fill: "currentColor" })];
const TICK = [path("M2 6.5 4.8 9.3 10 3.2")];
const CROSS = [path("M2.8 2.8l6.4 6.4M9.2 2.8l-6.4 6.4")];
const RING = [ring("3.2")];
const WAVE = [path("M2 7.2c1.3-2.8 2.7-2.8 4-1.2s2.7 1.6 4-1.2")];
const DOTS = [path("M2.5 6h0M6 6h0M9.5 6h0", { "stroke-width": "2.4" })];

/** Glyphs by the class name of a state. @type {Record<string, Shape[]>} */
export const GLYPHS = {
  Pending: RING,
  Scheduled: DOTS,
  Queued: DOTS,
  Submitted: DOTS,
  Resume: DOTS,
  Running: PLAY,
  Cancelling: [path("M4 2.8v6.4L9.4 6z")],
  Looped: PLAY,
  Retrying: [path("M10 6a4 4 0 1 1-1.4-3M10 1.4v2.4H7.6")],
  Paused: [path("M4 2.8v6.4M8 2.8v6.4", { "stroke-width": "2.2" })],
  Success: TICK,
  Mapped: TICK,
  Cached: [ring("4.4"), path("M6 3.6V6l1.8 1.2")],
  Skipped: [path("M2.6 3 7 6 2.6 9zM9.6 3v6")],
  Cancelled: [path("M3 3h6v6H3z")],
  Failed: CROSS,
  TimedOut: [ring("4.4"), path("M6 3.6V6H4.2")],
  ValidationFailed: [path("M6 2v5M6 9.8h0", { "stroke-width": "2.2" })],
  Crashed: [path("M6.8 1.4 3.4 6.6h5.2L5.2 10.6")],
  TriggerFailed: [ring("4.4"), path("M3 9 9 3")],
};

/** What is said of a task that was under way when it was heard of last: whether it still is, nobody knows. @type {Record<string, string>} */
export const WAS = Object.fromEntries(COUNTS_TIME.map((state) => [state, `Was ${state.toLowerCase()}`]));
const STATE_OF = Object.fromEntries(Object.entries(WAS).map(([state, word]) => [word, state]));

/** Glyphs of a task in two runs: it differs by itself, or because of others, or is the same, or only one of them has it. @type {Record<string, Shape[]>} */
const DIFFERENCES = {
  own: WAVE,
  because: WAVE,
  same: [path("M2.5 4.5h7M2.5 7.5h7")],
  added: [path("M2 6h8M6 2v8")],
  removed: [path("M2 6h8")],
};

/** Glyphs of controls and signs. @type {Record<string, Shape[]>} */
export const SIGNS = {
  warn: [path("M6 1.4 11 10.4H1zM6 5v2.2M6 8.9h0")],
  saved: [path("M2 2h6.4L10 3.6V10H2zM4 2v2.6h3.6V2M4 10V7h4v3")],
  pencil: [path("M2 10l.6-2.6L8.4 1.6l2 2-5.8 5.8z")],
  more: DOTS,
  close: [path("M3 3l6 6M9 3l-6 6")],
  minus: [path("M2 6h8")],
  plus: [path("M6 2v8M2 6h8")],
  fit: [path("M1.5 4V1.5H4M8 1.5h2.5V4M10.5 8v2.5H8M4 10.5H1.5V8")],
  widen: [path("M1 6h10M3.5 3.5 1 6l2.5 2.5M8.5 3.5 11 6 8.5 8.5")],
  previous: [path("M7.5 2.5 4 6l3.5 3.5")],
  next: [path("M4.5 2.5 8 6 4.5 9.5")],
  down: [path("M2.5 4.5 6 8l3.5-3.5")],
  up: [path("M2.5 7.5 6 4l3.5 3.5")],
};

/** Whether `state` went wrong by its own doing; TriggerFailed only never ran. @param {string} state */
export const isFailed = (state) => FAILED.includes(state);

/** @param {string} state */
export const isFinished = (state) => FINISHED.includes(state);

/** Whether time is counted for `state`. @param {string} state */
export const isGoing = (state) => COUNTS_TIME.includes(state);

/** Whether a task, or a child of it, waits for a person. @param {Task | undefined} task */
export const waits = (task) => task?.state === "Paused" || Boolean(task?.counts?.Paused);

/** Whether a task, or a child of it, is in `state`; a state of null is any. @param {Task | undefined} task @param {string | null} state */
export const isIn = (task, state) => !state || (task !== undefined && (wordOf(task) === state || Boolean(task.counts && (spread(task)[state] ?? 0) > 0)));

/** What people call a task's state: an output that was made just now, and stored, is a Success. @param {Pick<Task, "state" | "word">} task */
export const wordOf = (task) => task.word || task.state;

/**
 * A task as it was heard of last, in words that claim no more; how long it has run by now isn't known.
 *
 * @template {Pick<Task, "state"> & Partial<Task>} T
 * @param {T} task
 * @returns {T}
 */
export function asHeardLast(task) {
  const counts = task.counts && { counts: Object.fromEntries(Object.entries(task.counts).map(([state, n]) => [WAS[state] ?? state, n])) };
  return isGoing(task.state) ? { ...task, ...counts, word: WAS[task.state], since: null, due: null } : { ...task, ...counts };
}

/** The word that stands on a task's node. @param {Pick<Task, "state" | "word" | "told">} task */
export const saidOf = (task) => task.told?.word ?? wordOf(task);

/** The shapes of a task's glyph. @param {Pick<Task, "state" | "word" | "told">} task */
export const glyphOfTask = (task) => glyphOf(task.told?.glyph ?? wordOf(task));

/** The shapes of `state`; a state of a newer kernel gets the ring. @param {string} state */
export const glyphOf = (state) => GLYPHS[STATE_OF[state] ?? state] ?? DIFFERENCES[state] ?? RING;

/**
 * Count tasks by state, in the order of the bar. A mapped task counts as its children.
 *
 * @param {Iterable<[string, Task]>} tasks children listed by themselves (`clean[3]`) are not counted twice
 * @param {(key: string) => boolean} isNode whether `key` is a node of the graph
 * @returns {[string, number][]}
 */
export function countStates(tasks, isNode) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  const add = (/** @type {string} */ state, /** @type {number} */ n) => counts.set(state, (counts.get(state) ?? 0) + n);
  for (const [key, task] of tasks) {
    if (!isNode(key)) continue;
    if (!task.counts || !task.width) {
      add(wordOf(task), 1);
      continue;
    }
    for (const [state, n] of Object.entries(spread(task))) add(state, n);
  }
  return inOrder(Object.fromEntries(counts));
}

/**
 * The counts of a mapped task; children without a state yet are Pending.
 *
 * @param {Task} task
 * @returns {Record<string, number>}
 */
export function spread(task) {
  const counts = { ...task.counts };
  const known = Object.values(counts).reduce((sum, n) => sum + n, 0);
  const left = (task.width ?? 0) - known;
  if (left > 0) counts.Pending = (counts.Pending ?? 0) + left;
  return counts;
}

/** @param {Record<string, number>} counts @returns {[string, number][]} */
export function inOrder(counts) {
  const rank = (/** @type {string} */ word) => {
    const state = STATE_OF[word] ?? word;
    return DISPLAY_ORDER.includes(state) ? DISPLAY_ORDER.indexOf(state) : DISPLAY_ORDER.length;
  };
  return Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([a], [b]) => rank(a) - rank(b));
}
