/** What a comparison of two runs says: of all tasks together, and of each on its node of the graph. Pure. */

import * as format from "./format.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {{key: string, states: [string, string], took_s: [number | null, number | null], differs: string, hashes: [string, string], rows: [number | null, number | null], line: string, code: [number, string, string] | null, children: [number, number] | null, word: string}} ComparedTask */
/** @typedef {{title: string, runs: [string, string], tasks: ComparedTask[], notes: string[], parameters: [string, string | null, string | null][], first: string | null, aside: string[], graph: Graph}} Comparison */
/** @typedef {"own" | "because" | "same"} Look */

/** What is said of tasks that have a look, in the order of their bar and of the legend. @type {Record<Look, string>} */
export const SAID = { own: "by itself", because: "because of what it gets", same: "the same" };
/** Differences in time below this aren't told. */
const TOLD_S = 0.05;
/** Of more tasks, those that differ come first. */
const MANY = 40;
/** Longer values of parameters are cut. */
const VALUE_LENGTH = 12;
const MINUS = "\u2212";
/** The signs of tasks that only one run has. @type {Record<string, string>} */
const SIGNS = { new: "added", gone: "removed" };

/** The tasks that count: parameters, and what gathers the results of others, are no tasks to people. @param {Comparison} found */
export const counted = ({ tasks, aside }) => tasks.filter(({ key }) => !aside.includes(key));

/** How a task looks: by itself, because of others, or the same. @param {ComparedTask} task @returns {Look} */
export const lookOf = ({ differs }) => (differs === "" ? "same" : differs === "input" ? "because" : "own");

/** The name of a task's glyph. @param {ComparedTask} task */
export const glyphOf = (task) => SIGNS[task.differs] ?? lookOf(task);

/** Why it differs, in a word or two: `Code, line 4`. @param {ComparedTask} task */
export const wordOf = ({ word, code }) => (code ? `${word}, line ${code[0]}` : word);

/** How it ended in both, where that is why it differs: `Failed, was Success`. @param {ComparedTask} task */
export const endsOf = ({ differs, states: [was, now] }) => (differs === "state" ? `${now}, was ${was}` : "");

/** `+0.4 s`, `−9,556 rows`: a difference with its sign; empty where there is none. @param {[number | null, number | null]} sides @param {(n: number) => string} how @param {number} [least] */
function changeOf([was, now], how, least = 1) {
  if (was === null || now === null || Math.abs(now - was) < least) return "";
  return `${now > was ? "+" : MINUS}${how(Math.abs(now - was))}`;
}

/** @param {string} text */
const shortly = (text) => (text.length > VALUE_LENGTH ? `${text.slice(0, VALUE_LENGTH - 1)}…` : text);

/** What became of a task's rows, or of its children. @param {ComparedTask} task @param {string} given what was given for a parameter */
function noteOf({ rows: [was, now], children }, given) {
  if (children?.[0]) return `${format.thousands(children[0])} of ${format.thousands(children[1])} differ`;
  return was !== null && now !== null && was !== now ? `${format.thousands(now)}, was ${format.plural(was, "row")}` : given;
}

/** The rows of the table: as in the graph; of many tasks those that differ first. @param {ComparedTask[]} tasks */
export const inOrder = (tasks) => (tasks.length > MANY ? [...tasks].sort((a, b) => Number(!a.differs) - Number(!b.differs)) : tasks);

/** What a node shows of a task. @param {ComparedTask} task @param {Pick<Comparison, "parameters" | "aside">} found @returns {Task} */
export function taskOf(task, { parameters, aside }) {
  const given = parameters.find(([name]) => task.differs === "parameter" && name === task.key);
  return {
    state: lookOf(task),
    note: endsOf(task) || noteOf(task, given ? `${given[2] ?? "none"}, was ${given[1] ?? "none"}` : ""),
    message: task.line,
    width: task.children?.[1] ?? null,
    rows: task.rows[1],
    told: {
      ...(aside.includes(task.key) ? { outcome: "given" } : {}),
      differs: task.differs,
      word: wordOf(task),
      beside: given ? shortly(given[2] ?? "none") : changeOf(task.took_s, format.duration, TOLD_S),
      rows: changeOf(task.rows, (n) => format.plural(n, "row")),
      glyph: glyphOf(task),
    },
  };
}

/** What a group shows for its tasks. @param {[string, Task][]} members @returns {Task} */
export function groupOf(members) {
  const looks = Object.keys(SAID);
  const count = (/** @type {string} */ look) => members.filter(([, { state }]) => state === look).length;
  const counts = Object.fromEntries(looks.map((look) => [look, count(look)]).filter(([, n]) => n));
  const state = looks.find((look) => count(look)) ?? "same";
  const differ = members.length - count("same");
  const word = differ ? `${format.thousands(differ)} of ${format.thousands(members.length)} differ` : "The same";
  return { state, width: members.length, counts, told: { word, beside: "" } };
}

/** What the legend says of tasks that look alike: `1 is the same`. @param {ComparedTask[]} tasks @returns {[Look, number, string][]} */
export function legendOf(tasks) {
  /** @type {Record<Look, [string, string]>} */
  const words = {
    own: ["differs by itself", "differ by themselves"],
    because: ["differs because of what it gets", "differ because of what they get"],
    same: ["is the same", "are the same"],
  };
  const count = (/** @type {string} */ look) => tasks.filter((task) => lookOf(task) === look).length;
  const looks = /** @type {[Look, [string, string]][]} */ (Object.entries(words)).filter(([look]) => count(look));
  return looks.map(([look, [one, many]]) => [look, count(look), count(look) === 1 ? one : many]);
}

/** `6 of 8 tasks differ`. @param {ComparedTask[]} tasks */
export function summaryOf(tasks) {
  const n = tasks.filter(({ differs }) => differs).length;
  if (!n) return tasks.length === 1 ? "The task is the same" : `All ${format.plural(tasks.length, "task")} are the same`;
  return `${format.thousands(n)} of ${format.plural(tasks.length, "task")} ${n === 1 ? "differs" : "differ"}`;
}

/** The tasks below the first difference that differ because of what they get. @param {ComparedTask[]} tasks */
export function becauseOf(tasks) {
  const n = tasks.filter((task) => lookOf(task) === "because").length;
  return n ? `${format.plural(n, "task")} ${n === 1 ? "differs" : "differ"} because of what ${n === 1 ? "it gets" : "they get"}.` : "";
}

/** Both sides in words: the old one, and the new one. @param {ComparedTask} task @returns {[string, string, string][]} */
export function sidesOf({ states, took_s, rows, hashes }) {
  const told = (/** @type {number | null} */ n, /** @type {(n: number) => string} */ how) => (n === null ? "" : how(n));
  return [
    ["state", ...states],
    ["took", told(took_s[0], format.duration), told(took_s[1], format.duration)],
    ["rows", told(rows[0], format.thousands), told(rows[1], format.thousands)],
    ["output", hashes[0].slice(0, 6), hashes[1].slice(0, 6)],
  ];
}
