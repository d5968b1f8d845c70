/** Enables and disables the panel's controls, says why, and shows the kernel's answer to the last click. */

import * as dom from "./dom.js";
import { buttons, statusOf } from "./head.js";
import { waits } from "./states.js";

/** @typedef {import("./wire.js").Run} Run */
/**
 * The facts that decide whether a control can be used.
 *
 * @typedef {object} Situation
 * @property {Run | null} run
 * @property {boolean} isTable
 * @property {boolean} isPast whether the graph shows an earlier moment
 * @property {(way: "in" | "out") => boolean} canZoom
 * @property {(key: string) => boolean} waits whether a task waits for a person
 * @property {string} note what was written for a decision
 */

/** @param {{state: import("./panel_state.js").PanelState, graph: import("./graph_pane.js").GraphPane, inspector: import("./inspector.js").Inspector}} panel @returns {Situation} */
export function situationOf({ state, graph, inspector }) {
  return {
    run: state.fold.run,
    isTable: state.isTable,
    isPast: state.moment !== null,
    canZoom: (way) => graph.drawing?.canZoom(way) ?? false,
    waits: (key) => waits(state.task(key)) || (state.details?.key === key && state.details.state === "Paused"),
    note: inspector.approval.note(),
  };
}

/** Commands that are sent as they are, with the key of their task. */
export const PLAIN = new Set([
  "cancel",
  "cancel-now",
  "debug",
  "invalidate",
  "renew",
  "retry",
  "resume",
  "skip",
  "reject",
  "only-changed",
  "hand-over",
  "take-back",
]);
/** Those of them that are about the run as a whole. */
export const OF_RUN = new Set(["cancel", "cancel-now", "retry", "only-changed", "hand-over", "take-back"]);
/** Commands that need a kernel. */
const COMMANDS = new Set([
  ...PLAIN,
  "run",
  "to-variable",
  "show-run",
  "node-menu",
  "run-menu",
  "run-plan",
  "run-from",
  "without-cache",
  "compare-version",
  "render",
]);
/** Those that start a run. */
const STARTS = new Set(["run-menu", "run-plan", "run-from"]);
const ZOOMS = new Set(["zoom-in", "zoom-out", "fit"]);
/** Other parts handle these. */
const OTHERS = new Set(["sort", "inspect", "child-page", "replay-before", "replay-after", "replay-now", "more-runs"]);

/** The name under which a control may wait only once. @param {Element | null} control @param {string} action @param {string | null} key */
export function slotOf(control, action, key) {
  if (action === "show-run") return `show-run:${control?.getAttribute("data-run-id") ?? ""}`;
  const what = action === "to-variable" ? `:${control?.getAttribute("data-what") ?? "output"}` : "";
  return `${action}:${key ?? ""}${what}`;
}

/** Answers that say what goes on: they aren't true any more once the run is at rest. */
const OF_WHAT_GOES_ON = new Set([...OF_RUN, "run", "resume", "skip", "reject"]);
/** So long they can be read all the same, as short runs are over at once. */
const READ_MS = 15_000;

/** Whether a control's name is of what was done with one task: that is over when another run is shown. @param {string} slot */
function isOfTask(slot) {
  const [action = "", key] = slot.split(":");
  return Boolean(key) && (PLAIN.has(action) || action === "to-variable");
}

/**
 * The fields of a command that is sent as it is.
 *
 * @param {{action: string, key: string | null}} asked
 * @param {{approval: import("./approval.js").Approval | null, canInsert: boolean}} given the card of that task, if it is shown; whether a cell can be put below
 */
export function fieldsOf({ action, key }, { approval, canInsert }) {
  if (OF_RUN.has(action) && !key) return {};
  const inputs = action === "resume" ? (approval?.inputs() ?? {}) : {};
  const note = approval?.note() ?? "";
  return {
    key,
    ...(note ? { note } : {}),
    ...(Object.keys(inputs).length ? { inputs } : {}),
    ...(action === "debug" && canInsert ? { cell: true } : {}),
  };
}

export class Controls {
  /** The run that was shown when controls were last brought up to date. @type {string | undefined} */
  #run;
  /** When answers were shown first. @type {WeakMap<import("./wire.js").Said, number>} */
  #shown = new WeakMap();

  /** @param {{root: HTMLElement, link: import("./wire.js").Link, host: string, cannot: ReadonlySet<string>, situation: () => Situation}} given */
  constructor(given) {
    this.given = given;
  }

  /** Bring all controls up to date. */
  dress() {
    const { root, link, cannot, situation } = this.given;
    const { run } = situation();
    if (run?.id !== this.#run) link.commands.forget(isOfTask);
    link.commands.forget((slot) => this.#isOutdated(slot, run));
    this.#run = run?.id;
    const rows = [...root.querySelectorAll(".answer")].flatMap(({ parentElement: row }) => row ?? []);
    for (const control of root.querySelectorAll('button[data-action], g[role="button"][data-action]')) {
      const action = control.getAttribute("data-action") ?? "";
      if (action.startsWith("page-") || OTHERS.has(action)) continue;
      if (control.getAttribute("role") === "menuitem" || control.closest("[data-own]")) continue;
      const key = control.getAttribute("data-task");
      const slot = slotOf(control, action, key);
      // Where no kernel has the run, what needs one isn't there at all.
      const isOut = (link.status === "saved" && COMMANDS.has(action)) || cannot.has(action);
      // Only commands: other parts show and hide their own controls.
      if (COMMANDS.has(action) || isOut) dom.set(control, { hidden: isOut });
      if (isOut) continue;
      const why = link.commands.isWaiting(slot) ? `Waiting for an answer to “${control.textContent}”` : this.refusal(action, key);
      if (!control.hasAttribute("data-title")) dom.set(control, { "data-title": control.getAttribute("title") ?? "" });
      dom.set(control, { "aria-disabled": why ? "true" : null, title: why ?? (control.getAttribute("data-title") || null) });
      if (control instanceof HTMLElement && !rows.some((row) => row.contains(control))) this.#showAnswer(control, slot);
    }
    for (const row of rows) this.#answerOnce(row);
  }

  /** Whether an answer isn't true any more: what it says is over, or another run is shown. @param {string} slot @param {Run | null} run */
  #isOutdated(slot, run) {
    const { commands, given } = this.given.link;
    const said = commands.said(slot);
    if (!said?.ok || !OF_WHAT_GOES_ON.has(slot.split(":")[0] ?? "")) return false;
    const now = given.clock.now();
    const since = this.#shown.get(said);
    if (since === undefined) this.#shown.set(said, now);
    const isRead = slot === "cancel:" || now - (since ?? now) > READ_MS;
    return since !== undefined && (run?.id !== this.#run || (run?.stage !== "running" && isRead));
  }

  /** Why `action` can't be done now; null if it can. @param {string} action @param {string | null} key */
  refusal(action, key) {
    const { link, host, situation } = this.given;
    const now = situation();
    if (ZOOMS.has(action)) return zoomRefusal(action, now);
    if (!COMMANDS.has(action)) return null;
    if (link.status !== "live") return statusOf(link.status, host).join(": ");
    if (now.isPast && key) return "The graph shows an earlier moment. Go back to now first";
    if (action === "resume" && key && !now.waits(key)) return "It is no longer paused";
    if (action === "reject" && !now.note) return "Write a note first: it becomes the message of the failure";
    if (key && !STARTS.has(action)) return null;
    const wanted = STARTS.has(action) ? "run" : action;
    return buttons({ run: now.run, failed: 1, paused: 1 }).find((entry) => entry.action === wanted)?.why ?? null;
  }

  /** Show the newest answer to the buttons of a row at one place, where it moves none of them. @param {Element} row */
  #answerOnce(row) {
    const buttons = [...row.querySelectorAll("button")];
    const keys = new Set(buttons.map((each) => each.dataset.task ?? ""));
    const gone = [...keys].flatMap(slotsOfGone);
    const slots = [...buttons.map((each) => slotOf(each, each.dataset.action ?? "", each.dataset.task ?? null)), ...gone];
    const answer = this.given.link.commands.newest(slots);
    const there = /** @type {Element} */ (row.querySelector(".answer"));
    dom.set(there, { "data-ok": answer ? `${answer.ok}` : null, hidden: !answer });
    dom.say(there, answer?.text ?? "");
  }

  /** @param {HTMLElement} control @param {string} slot */
  #showAnswer(control, slot) {
    const answer = this.given.link.commands.said(slot);
    const there = control.nextElementSibling?.matches(".said") ? control.nextElementSibling : null;
    if (!answer || !COMMANDS.has(slot.split(":")[0] ?? "")) return there?.remove();
    const span = there ?? dom.h("span", { class: "said" });
    dom.set(span, { "data-ok": answer.ok ? "true" : "false" });
    dom.say(span, answer.text);
    if (!there) control.after(span);
  }
}

/**
 * The slots of a task's buttons that may be gone with what they did, and whose answers stay. Debug isn't one of them: where its button
 * is gone, what failed is over.
 *
 * @param {string} key
 */
export const slotsOfGone = (key) => [...PLAIN, "run"].filter((action) => action !== "debug").map((action) => `${action}:${key}`);

/** @param {string} action @param {Situation} now */
function zoomRefusal(action, { isTable, canZoom }) {
  if (isTable) return "A table has no zoom";
  if (action === "fit") return null;
  if (action === "zoom-in") return canZoom("in") ? null : "This is the largest size";
  return canZoom("out") ? null : "Any smaller, and its text could not be read";
}
