/** Several children of one mapped task that need a person, as one line of "Needs you". Pure. */

import { inOrder, isFailed, spread } from "./states.js";
import { parentOf } from "./task_keys.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./needs.js").Need} Need */
/** Many children of one task: how many of how many, and the first of them. @typedef {{count: number, width: number, states: [string, number][], first: string}} Many */

/** So many children of one task still have a line each. */
export const FEW = 3;

/**
 * Put the children of a mapped task that are of one kind together where they are many; others stay as they are, in order.
 *
 * @param {Need[]} found
 * @param {(key: string) => Task} taskOf the task of a mapped task, with the counts of all its children: only some are listed
 * @returns {(Need & {many?: Many})[]}
 */
export function groupedNeeds(found, taskOf) {
  /** @type {Map<string, Need[]>} */
  const groups = new Map();
  const nameOf = (/** @type {Need} */ { key, kind }) => (parentOf(key) && (kind === "paused" || kind === "failed") ? `${kind}:${parentOf(key)}` : null);
  for (const need of found) {
    const name = nameOf(need);
    if (name !== null) groups.set(name, [...(groups.get(name) ?? []), need]);
  }
  return found.flatMap((need) => {
    const own = groups.get(nameOf(need) ?? "");
    if (!own || own.length <= FEW) return [need];
    return own[0] === need ? [asOne(own, taskOf)] : [];
  });
}

/** @param {Need[]} own @param {(key: string) => Task} taskOf */
function asOne(own, taskOf) {
  const first = /** @type {Need} */ (own[0]);
  const key = parentOf(first.key) ?? first.key;
  const task = taskOf(key);
  const isMeant = (/** @type {string} */ state) => (first.kind === "paused" ? state === "Paused" : isFailed(state));
  const counted = inOrder(spread(task)).filter(([state]) => isMeant(state));
  const count = counted.reduce((sum, [, n]) => sum + n, 0) || own.length;
  return { ...first, key, many: { count, width: task.width ?? count, states: counted, first: first.key } };
}

/** How many tasks, children among them, are in states that `isMeant`. @param {[string, number][]} counts @param {(state: string) => boolean} isMeant */
export const totalOf = (counts, isMeant) => counts.reduce((sum, [state, n]) => sum + (isMeant(state) ? n : 0), 0);
