/** Keys of tasks and of the children of mapped tasks: `clean`, `clean[3]`. As `flowbook/engine/task_keys.py`; a test compares. */

/**
 * The task's key and, for a child's key such as `clean[3]`, its index; null for a task's own key.
 *
 * @param {string} key
 * @returns {{parent: string, index: number | null}}
 */
export function splitKey(key) {
  const found = /^([\s\S]+)\[(0|[1-9][0-9]*)\]$/.exec(key);
  return found ? { parent: found[1] ?? key, index: Number(found[2]) } : { parent: key, index: null };
}

/** `clean` of `clean[3]`; null for a task's own key. @param {string} key */
export function parentOf(key) {
  const { parent, index } = splitKey(key);
  return index === null ? null : parent;
}
