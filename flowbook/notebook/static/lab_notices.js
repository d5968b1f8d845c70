/** Notifications of JupyterLab: once a run, when it needs a person, failed, or ended after a while. */

/** @typedef {import("./lab_overview.js").Row} Row */

/**
 * The sentence about a run, and its kind; null if it is no news to anybody.
 *
 * @param {Row} run
 * @param {number} after_s a success is told only if the run took this long
 * @returns {{text: string, kind: "warning" | "error" | "success"} | null}
 */
export function noticeOf(run, after_s) {
  const name = `${run.flow}, run ${run.number}`;
  if (run.state === "Paused") return { text: `${name} waits for you. ${run.message}`.trim(), kind: "warning" };
  if (run.state !== "Success") return { text: `${name}: ${run.state}. ${run.message}`.trim(), kind: "error" };
  return (run.took_s ?? 0) >= after_s ? { text: `${name} succeeded after ${Math.round(run.took_s ?? 0)} s.`, kind: "success" } : null;
}

export class Notices {
  /** What was told, by run: a run that pauses again is news, a second look at it isn't. @type {Map<string, string>} */
  #told = new Map();

  /** @param {{notification: any, after_s: () => number, isOn: () => boolean, show: (run: Row) => void}} given `notification` is JupyterLab's */
  constructor(given) {
    this.given = given;
  }

  /** @param {Row} run */
  tell(run) {
    const { notification, after_s, isOn, show } = this.given;
    const found = isOn() ? noticeOf(run, after_s()) : null;
    const stamp = `${run.state} ${run.ended ?? run.started}`;
    if (!found || this.#told.get(run.id) === stamp) return;
    this.#told.set(run.id, stamp);
    const options = { autoClose: found.kind === "success" ? 8000 : false, actions: [{ label: "Show", callback: () => show(run) }] };
    notification.emit(found.text, found.kind, options);
    if (document.hidden && globalThis.Notification?.permission === "granted") new globalThis.Notification("flowbook", { body: found.text });
  }
}
