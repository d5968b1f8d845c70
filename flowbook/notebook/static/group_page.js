/** The tasks of a group as an opened mapped task shows its children; here the view has all that it takes. Pure. */

import { isFailed, isFinished, wordOf } from "./states.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./children.js").Child} Child */
/** @typedef {import("./children.js").Children} Children */
/** @typedef {import("./children.js").Wish} Wish */

/**
 * The page of a group's tasks that a wish asks for: failed first, then the slowest, as the kernel does for children.
 *
 * @param {string} key the group's name
 * @param {[string, Task][]} tasks
 * @param {Wish} wish
 * @returns {Children}
 */
export function groupPage(key, tasks, { state, query, order, offset, limit }) {
  const wanted = query.toLowerCase();
  const rows = tasks.map(([name, task], index) => rowOf(name, task, index));
  const fitting = rows.filter(
    (row) => (!state || (row.word || row.state) === state) && (!wanted || `${row.key}\n${row.message}`.toLowerCase().includes(wanted)),
  );
  fitting.sort((a, b) => rank(order, a)[0] - rank(order, b)[0] || rank(order, a)[1] - rank(order, b)[1] || a.index - b.index);
  const from = Math.min(Math.max(0, offset), Math.max(0, fitting.length - 1));
  const took = rows.flatMap(({ duration_s }) => (duration_s === null ? [] : [duration_s])).sort((a, b) => a - b);
  const words = rows.map((row) => row.word || row.state);
  return {
    key,
    keys: tasks.map(([name]) => name),
    width: tasks.length,
    counts: Object.fromEntries([...new Set(words)].map((word) => [word, words.filter((each) => each === word).length])),
    squares: words.map((word) => [word, 1]),
    total: fitting.length,
    offset: from,
    rows: fitting.slice(from, from + limit),
    durations: took.length ? [took[0] ?? 0, took[Math.floor((took.length - 1) / 2)] ?? 0, took.at(-1) ?? 0] : null,
  };
}

/** @param {string} key @param {Task} task @param {number} index @returns {Child} */
function rowOf(key, task, index) {
  const word = wordOf(task);
  const isOver = isFinished(task.state) && typeof task.duration_s === "number";
  return {
    key,
    index,
    label: key,
    state: task.state,
    word: word === task.state ? "" : word,
    since: task.since ?? null,
    duration_s: isOver ? (task.duration_s ?? null) : null,
    message: task.message ?? "",
    rows: task.rows ?? null,
    ...(task.told ? { told: task.told } : {}),
  };
}

/** @param {string} order @param {Child} row @returns {[number, number]} */
function rank(order, { state, duration_s, index }) {
  const slow = duration_s === null ? 1 : -duration_s;
  if (order === "index") return [0, index];
  if (order === "slowest") return [0, slow];
  if (order === "fastest") return [duration_s === null ? 1 : 0, duration_s ?? 0];
  return isFailed(state) ? [0, index] : [1, slow];
}
