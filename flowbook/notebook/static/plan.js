/** What a plan says: of all tasks together, and of each on its node of the graph. Pure. */

import * as format from "./format.js";
import { spread } from "./states.js";

/** @typedef {"hit" | "run" | "wait" | "if failed" | "keep" | "out"} Outcome */
/** @typedef {{outcome: Outcome, words: string, why: string, cause: string, made: number | null, made_by: number | null, expected_s: number | null, width: number | null, hits: number, keeps?: number, stays?: "" | "failed" | "skipped", waits_after_s: number | null}} Planned */
/** @typedef {{flow: string, number: number, expected_s: number | null, least_s: number | null, most_s: number | null, runs: number, part?: string, summary: string, note?: string, tasks: Record<string, Planned>}} Plan */

/** @typedef {import("./wire.js").Task} Task */

/** The state whose look an outcome has. @type {Record<Outcome, string>} */
export const LOOKS = { hit: "Cached", run: "Pending", wait: "Paused", "if failed": "Skipped", keep: "Success", out: "Skipped" };
/** What a node says of an outcome. @type {Record<Outcome, string>} */
const WORDS = { hit: "Cache hit", run: "Will run", wait: "Will wait", "if failed": "If any fails", keep: "Stays", out: "Left out" };
/** What is said of tasks that have a look, in the order of their bar. @type {Record<string, string>} */
export const SAID = {
  Success: "stay as they are",
  Failed: "stay failed",
  Cached: "from the cache",
  Pending: "will run",
  Paused: "will wait",
  Skipped: "don't run",
};
/** How a task that stays looks, and what its node says, where it was no success. @type {Record<string, [string, string]>} */
const STAYS = { failed: ["Failed", "Stays failed"], skipped: ["Skipped", "Stays skipped"] };
/** Longer values of parameters are cut. */
const VALUE_LENGTH = 12;
/** Causes that need no third line: the edges, or the word, say them. */
const PLAIN = new Set(["", "above", "asked", "not cached", "open", "waits"]);

/** What will happen, in a few lines: how many tasks, and what about them. @param {Plan} plan @returns {[Outcome, string, string][]} */
export function partsOf(plan) {
  const tasks = Object.entries(plan.tasks);
  const of = (/** @type {Outcome} */ outcome) => tasks.filter(([, task]) => task.outcome === outcome);
  const names = (/** @type {[string, Planned][]} */ found) =>
    found.length > 3 ? `${found[0]?.[0]} and ${found.length - 1} more` : found.map(([key]) => key).join(", ");
  const [hits, runs, waits, ifs, keeps, outs] = [of("hit"), of("run"), of("wait"), of("if failed"), of("keep"), of("out")];
  const saved = hits.reduce((sum, [, { expected_s }]) => sum + (expected_s ?? 0), 0);
  const after = Math.min(...waits.flatMap(([, { waits_after_s }]) => (waits_after_s === null ? [] : [waits_after_s])));
  const failed = keeps.filter(([, { stays }]) => stays === "failed").length;
  const causes = new Map();
  for (const [, { cause }] of runs) causes.set(cause, (causes.get(cause) ?? 0) + 1);
  const why = [...causes].map(([cause, n]) => `${n} ${CAUSES[cause] ?? cause}`).join(", ");
  /** @type {[Outcome, string, string][]} */
  const parts = [
    ["hit", `${format.thousands(hits.length)} from the cache`, saved >= 0.05 ? `saves about ${format.duration(saved)}` : ""],
    ["run", `${format.thousands(runs.length)} will run`, why],
    [
      "wait",
      `${format.thousands(waits.length)} will wait for you`,
      `${names(waits)}${Number.isFinite(after) && after >= 0.05 ? `, after about ${format.duration(after)}` : ""}`,
    ],
    ["if failed", `${format.thousands(ifs.length)} only if something fails`, names(ifs)],
    [
      "keep",
      keeps.length === 1 ? "1 stays as it is" : `${format.thousands(keeps.length)} stay as they are`,
      failed ? `${format.thousands(failed)} failed` : "",
    ],
    ["out", `${format.thousands(outs.length)} left out`, names(outs)],
  ];
  return parts.filter(([outcome]) => of(outcome).length);
}

/** @type {Record<string, string>} */
const CAUSES = {
  new: "new",
  code: "with changed code",
  input: "with other inputs",
  variable: "with changed variables",
  parameter: "with other parameters",
  above: "below these",
  unknown: "can't be foreseen",
  asked: "asked for",
  waits: "waiting for you",
  failed: "failed",
  open: "yet to run",
};

/** How long it will take: `about 25.0 s (22.0 s to 31.0 s, from 9 runs)`. @param {Plan} plan */
export function timeOf(plan) {
  const { expected_s, least_s, most_s, runs } = plan;
  if (expected_s === null) return "none of these tasks ran before";
  const about = `about ${format.duration(expected_s)}`;
  if (least_s === null || most_s === null || !runs) return about;
  const [least, most] = [format.duration(least_s), format.duration(most_s)];
  return least === most ? `${about} (from ${format.plural(runs, "run")})` : `${about} (${least} to ${most}, from ${format.plural(runs, "run")})`;
}

/** How long a task that will run is expected to take; empty where that isn't known. @param {Planned} task */
export const expectedOf = ({ outcome, expected_s }) => (outcome !== "run" || expected_s === null ? "" : `about ${format.duration(expected_s)}`);

/** How many children of a task will run, where some don't: `1 of 200`. @param {Planned} task */
function shareOf({ outcome, width, hits, keeps = 0 }) {
  return outcome === "run" && width !== null && hits + keeps ? `${format.thousands(width - hits - keeps)} of ${format.thousands(width)}` : "";
}

/** The state whose look a task has. @param {Planned} task */
export const lookOf = ({ outcome, stays }) => STAYS[stays ?? ""]?.[0] ?? LOOKS[outcome];

/** What a node shows of a task. @param {Planned} task @param {number} now @returns {Task} */
export function taskOf(task, now) {
  const { outcome, cause, why, width, hits, keeps = 0, made } = task;
  const note = outcome === "hit" ? doubtOf(task) : outcome === "run" && !PLAIN.has(cause) ? why : "";
  return {
    state: lookOf(task),
    note,
    message: why,
    stale: outcome === "hit" ? Boolean(note) && !note.startsWith("if ") : Boolean(note) && cause === "code",
    width,
    counts: width && outcome === "run" ? filled({ Success: keeps, Cached: hits, Pending: width - hits - keeps }) : null,
    told: {
      outcome,
      word: STAYS[task.stays ?? ""]?.[1] ?? WORDS[outcome],
      beside: outcome === "wait" ? "for you" : outcome === "hit" && made !== null ? `${format.span(now - made)} old` : shareOf(task) || expectedOf(task),
    },
  };
}

/** What is said of a cached output besides its age: that its code is another one now, or what it is foreseen from. @param {Planned} task */
export const doubtOf = ({ made, why }) => (made === null ? why : why.split(", ").slice(1).join(", ").replace(/^by /, "made by "));

/** What the node of a parameter shows. @param {string} value @returns {Task} */
export const parameterOf = (value) => ({
  state: "Pending",
  told: { outcome: "given", word: "Parameter", beside: value.length > VALUE_LENGTH ? `${value.slice(0, VALUE_LENGTH - 1)}…` : value },
});

/** What the node of a list or the like shows, which gathers the results of other tasks. @type {Task} */
export const GATHERED = { state: "Pending", told: { outcome: "given", word: "Gathers", beside: "" } };

/** What a group shows for its tasks. @param {[string, Task][]} members @param {Record<string, Planned>} planned @returns {Task} */
export function groupOf(members, planned) {
  /** @type {Record<string, number>} */
  const counts = Object.fromEntries(Object.keys(SAID).map((state) => [state, 0]));
  for (const [, task] of members)
    for (const [state, n] of Object.entries(task.counts ? spread(task) : { [task.state]: 1 })) counts[state] = (counts[state] ?? 0) + n;
  const found = filled(counts);
  const all = Object.values(found).reduce((sum, n) => sum + n, 0);
  const [only] = Object.keys(found).length === 1 ? Object.keys(found) : [];
  const state = only ?? (found.Pending ? "Pending" : found.Paused ? "Paused" : "Cached");
  const runs = members.flatMap(([key]) => (planned[key]?.outcome === "run" ? [planned[key]] : []));
  const expected_s = runs.reduce((sum, task) => sum + (task?.expected_s ?? 0), 0);
  return {
    state,
    width: all,
    counts: found,
    told: {
      word: only ? capital(all === 1 ? (WORDS_OF_ONE[only] ?? "") : (SAID[only] ?? "")) : `${format.thousands(found.Pending ?? 0)} will run`,
      beside: expected_s >= 0.05 ? `about ${format.duration(expected_s)}` : "",
    },
  };
}

/** @type {Record<string, string>} */
const WORDS_OF_ONE = { ...SAID, Success: "stays as it is", Failed: "stays failed", Skipped: "doesn't run" };

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {Record<string, number>} counts */
const filled = (counts) => Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
