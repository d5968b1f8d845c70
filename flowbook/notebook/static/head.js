/** The head of a panel: name, run, state, problems and waiting tasks, progress, buttons, the bar by state and its legend. */

import * as dom from "./dom.js";
import { editCount, editsIn } from "./edit_marks.js";
import * as format from "./format.js";
import { sayName } from "./names.js";
import * as states from "./states.js";

/** @typedef {import("./wire.js").Run} Run */
/** @typedef {import("./wire.js").Status} Status */
/** @typedef {import("./needs.js").Need} Need */
/** @typedef {{flow: string, run: Run | null, status: Status, isLate: boolean, connection: import("./host.js").Connection, saved?: import("./host.js").Saved, host: string, cannot: ReadonlySet<string>, counts: [string, number][], needs: Need[], filter: string | null, now: number, failed: number, paused: number}} View */

/** What the view is, in words. @type {Record<Status, [string, string]>} */
export const STATUS = {
  live: ["Live", "Connected to the kernel"],
  saved: ["Saved", "As it was when the notebook was saved"],
  waiting: ["Waiting for the kernel", "This is what the kernel sent last"],
  unavailable: ["Unavailable", "The kernel is gone; this is what it sent last"],
};

const NO_ANSWER = "No answer yet; a cell may be keeping the kernel busy. If none runs, run this panel's cell again";

/** The same on a page of the server's. @type {Record<Status, [string, string]>} */
const ON_PAGE = {
  live: ["Live", "Connected to the server"],
  saved: ["Not found", "The server doesn't have it"],
  waiting: ["Waiting for the server", "This is what the server sent last"],
  unavailable: ["Unavailable", "The server doesn't answer; this is what it sent last"],
};

/** What a view is, in words and in a sentence, by its host. @param {Status} status @param {string} host */
export const statusOf = (status, host) => (host === "report" ? REPORT : (host === "page" ? ON_PAGE : STATUS)[status]);

/** @type {[string, string]} */
const REPORT = ["Report of", "As it was when the report was written"];

/** @type {Record<string, string>} */
const TITLES = {
  resume: "Goes on with everything that waits or has yet to run",
  "cancel-now": "Also stops the tasks that are still running",
  "hand-over": "Hands the run to a process of its own: what is running here ends first, nothing runs twice, and you can close the kernel",
  "take-back": "What is running there ends first, then the run goes on in this kernel",
  "only-changed": "Runs the tasks that were edited since, and those below them; the others keep the results of this run",
  "make-live": "Starts this notebook's kernel if none runs, runs %load_ext flowbook there, and follows the run",
};

const RUN_MENU = { action: "run-menu", label: "", why: null, isPrimary: false };

/** Shorter waits aren't shown. */
/** What took less is said in one unit; a clock would say 0:00. */
const BRIEF_S = 10;
const WAITING_LEAST_S = 10;

/** Whether the run has tasks to run although it is over: it was cancelled, or its process died. @param {Run | null} run */
export const isBrokenOff = (run) => run?.stage === "over" && (run.state === "Crashed" || run.state === "Cancelled");

/** Whether the run has work of its own to do. @param {Run | null} run */
export const isUnderWay = (run) => run?.stage === "running";

/**
 * How a run stood that was under way when it was heard of last, as the words after its state; null if it is known how it stands.
 *
 * @param {Pick<View, "run" | "status" | "connection" | "host">} view
 */
export function lastKnown({ run, status, connection, host }) {
  if (!isUnderWay(run) || host === "page" || (status !== "saved" && status !== "unavailable")) return null;
  const kept = host === "report" ? "the report was written" : "this was saved";
  const where = run?.where === "elsewhere" ? "in a process of its own " : "";
  return `${where}when ${connection.ended || status === "unavailable" ? "the kernel ended" : kept}`;
}

/** One sentence on what waits or is wrong. @param {Run | null} run @param {Need[]} needs @param {{failed: number, paused: number, host?: string}} [totals] `needs` may list some only */
export function sentence(run, needs, totals) {
  const first = needs.find(({ kind }) => kind === "paused");
  const paused = totals?.paused ?? needs.filter(({ kind }) => kind === "paused").length;
  const failed = totals?.failed ?? needs.filter(({ kind }) => kind === "failed").length;
  if (paused === 1 && !failed && first && run?.state === "Paused") return `${first.key} waits for you`;
  const words = [];
  if (paused) words.push(`${format.thousands(paused)} ${paused === 1 ? "task waits" : "tasks wait"} for you`);
  if (failed) words.push(`${format.thousands(failed)} failed`);
  if (words.length && run?.state === "Paused" && !run.ended) return words.join(", ");
  const lost = needs.find(({ kind }) => kind === "lost");
  if (!words.length && lost) return `${lost.key} lost more rows than ever`;
  const message = run?.message ?? "";
  const end = format.endOf(totals?.host === "page" ? format.onPage(message) : message, failed);
  return failed && run?.state === "Success" && end ? `${words.join(", ")}. ${end}` : words.join(", ") || end;
}

/** @param {[string, number][]} counts @param {(state: string) => boolean} isFinished */
export function progress(counts, isFinished) {
  const total = counts.reduce((sum, [, n]) => sum + n, 0);
  const done = counts.reduce((sum, [state, n]) => sum + (isFinished(state) ? n : 0), 0);
  return { done, total };
}

/**
 * Which buttons the head has, in order: action, label, why it can't be used.
 *
 * @param {Pick<View, "run" | "failed" | "paused">} view
 * @returns {{action: string, label: string, why: string | null, isPrimary: boolean}[]}
 */
export function buttons({ run, failed, paused }) {
  const going = isUnderWay(run);
  const moves = going && run?.state !== "Cancelling";
  const isPaused = run?.state === "Paused";
  const isCancelling = run?.state === "Cancelling";
  const running = isCancelling ? "It is still being cancelled" : "Already running; Cancel first";
  const all = [
    { action: "run", label: "Run", why: going ? running : null, isPrimary: !going && !isPaused, isThere: !isPaused },
    {
      action: "cancel",
      label: "Cancel",
      why: isCancelling ? "Already being cancelled" : null,
      isPrimary: false,
      isThere: going || isPaused,
    },
    { action: "cancel-now", label: "Stop now", why: null, isPrimary: false, isThere: isCancelling },
    {
      action: "only-changed",
      label: `Run ${editCount(run)} that changed`,
      why: null,
      isPrimary: false,
      isThere: editCount(run) > 0 && (run?.stage === "over" || run?.stage === "waiting"),
    },
    { action: "hand-over", label: "Keep running without this kernel", why: null, isPrimary: false, isThere: moves && run?.where === "here" },
    { action: "take-back", label: "Take back", why: null, isPrimary: false, isThere: moves && run?.where === "elsewhere" },
    { action: "retry", label: `Retry failed (${failed})`, why: null, isPrimary: false, isThere: failed > 0 },
    { action: "resume", label: paused ? `Resume (${paused})` : "Resume", why: null, isPrimary: false, isThere: paused > 0 || isBrokenOff(run) },
  ];
  return all.filter(({ isThere }) => isThere);
}

/**
 * The buttons of the head: where no kernel has the run, only the one that brings it back.
 *
 * @param {View} view
 * @returns {ReturnType<typeof buttons>}
 */
function offered(view) {
  if (view.status !== "saved") {
    const all = buttons(view).flatMap((each) => (each.action === "run" ? [each, RUN_MENU] : [each]));
    return all.filter(({ action }) => !view.cannot.has(action));
  }
  return view.connection.remedy ? [{ action: view.connection.remedy, label: "Make it live", why: null, isPrimary: true }] : [];
}

/** The head in `el`; call `update` after each change. */
export class Head {
  #tile = dom.h("span", { class: "tile" });
  #name = dom.h("h3");
  #number = dom.h("span", { class: "dim" });
  #word = dom.h("span", { class: "word" });
  #said = dom.h("span", { class: "saying" });
  #link = dom.h("span", { class: "link" });
  #done = dom.h("span", { class: "nowrap" });
  /** What the kernel said last to one of the buttons; left of them, so that none moves. */
  #answer = dom.h("span", { class: "said answer", hidden: true });
  #buttons = dom.h("span", { class: "row tight" });
  #notice = dom.h("div", { class: "notice", "data-state": "Paused" });
  #bar = dom.h("div", { class: "bar", role: "img" });
  #counts = dom.h("div", { class: "counts" });

  /** @param {HTMLElement} el */
  constructor(el) {
    const side = dom.h("span", { class: "side" }, this.#done, this.#answer, this.#buttons);
    const head = dom.h("div", { class: "head" }, this.#tile, this.#name, this.#number, this.#word, this.#said, side);
    const legend = dom.h("div", { class: "legend" }, this.#counts, this.#link);
    el.append(head, this.#notice, dom.h("div", { class: "progress" }, this.#bar, legend));
  }

  /** @param {View} view */
  update(view) {
    const { run, flow } = view;
    const state = run?.state ?? "Pending";
    if (this.#tile.getAttribute("data-state") !== state) this.#tile.replaceChildren(dom.icon(states.glyphOf(state)));
    dom.set(this.#tile, { "data-state": state });
    sayName(this.#name, flow);
    dom.say(this.#number, run?.number ? `run ${run.number}` : "not started");
    dom.set(this.#word, { "data-state": state });
    const known = lastKnown(view);
    dom.say(this.#word, known === null ? state : `Was ${state.toLowerCase()}`);
    const said = sentence(run && known !== null ? { ...run, message: "" } : run, view.needs, view);
    dom.say(this.#said, [known, said, editsIn(run)].filter(Boolean).join("; ").replace(".; ", "; "));
    this.#showLink(view);
    this.#showNotice(view);
    this.#showDone(view);
    this.#showCounts(view);
    this.#showButtons(view);
  }

  /** @param {View} view */
  #showLink({ status, isLate, saved, host }) {
    const [word, title] = statusOf(status, host);
    const text = status === "saved" && saved ? `${word} ${format.moment(saved.at, Date.now() / 1000)}` : word;
    const link = this.#link;
    const sign = status === "saved" ? states.SIGNS.saved : states.SIGNS.warn;
    if (link.textContent !== text) link.replaceChildren(status === "live" ? "" : dom.icon(sign ?? []), text);
    dom.set(link, {
      "data-live": status,
      "data-state": status === "live" ? null : status === "saved" ? "Pending" : "Paused",
      title: status === "waiting" && isLate && host !== "page" ? NO_ANSWER : title,
    });
  }

  /** @param {View} view */
  #showNotice({ run, status, isLate, connection }) {
    const isSaid = status !== "live" && (connection.state !== "open" || isLate);
    const text = (isSaid && connection.text) || run?.notice || "";
    this.#notice.hidden = !text;
    if (this.#notice.textContent !== text) this.#notice.replaceChildren(dom.icon(states.SIGNS.warn ?? []), dom.h("span", {}, text));
  }

  /** @param {View} view */
  #showDone({ run, counts, now }) {
    const { done, total } = progress(counts, states.isFinished);
    const since = run?.waits_since ?? null;
    const elapsed = run?.started ? elapsedOf((since ?? run.ended ?? now) - run.started - (run.rested_s ?? 0), Boolean(since ?? run.ended)) : null;
    const waited = since !== null && now - since >= WAITING_LEAST_S ? ` and ${format.span(now - since)} of waiting` : "";
    const text = elapsed ? [format.thousands(done), ` of ${format.plural(total, "task")}, `, elapsed, waited] : ["", format.plural(total, "task"), "", ""];
    if (this.#done.textContent !== text.join("")) this.#done.replaceChildren(dom.h("b", {}, text[0]), text[1] ?? "", dom.h("b", {}, text[2]), text[3] ?? "");
  }

  /** @param {View} view */
  #showCounts({ counts, filter }) {
    dom.set(this.#bar, { "aria-label": counts.map(([state, n]) => `${n} ${state}`).join(", ") });
    dom.keyed(
      this.#bar,
      counts,
      stateOf,
      ([state]) => dom.h("i", { "data-state": state }),
      (item, [, n]) => {
        /** @type {HTMLElement} */ (item).style.flex = String(n);
      },
    );
    dom.keyed(
      this.#counts,
      counts,
      stateOf,
      ([state]) => dom.button("filter-state", [dom.icon(states.glyphOf(state)), dom.h("b"), state], { class: "count", "data-state": state }),
      (item, [state, n]) => {
        const isOn = filter === state;
        dom.set(item, { "aria-pressed": isOn ? "true" : "false", title: isOn ? "Show all states again" : `Show only ${state}` });
        dom.say(/** @type {Element} */ (item.querySelector("b")), format.thousands(n));
      },
    );
  }

  /** @param {View} view */
  #showButtons(view) {
    dom.keyed(
      this.#buttons,
      offered(view),
      ({ action }) => action,
      ({ action, label }) => (action === "run-menu" ? runMenu() : dom.button(action, label)),
      (item, { action, label, why, isPrimary }) => {
        if (action === "run-menu") return;
        dom.say(item, label);
        const title = TITLES[item.getAttribute("data-action") ?? ""] ?? null;
        dom.set(item, {
          class: isPrimary ? "primary" : null,
          "data-why": why,
          "data-title": title,
          title,
        });
      },
    );
  }
}

/** How long a run took; a clock while it goes on, and where it took long. @param {number} seconds @param {boolean} isAtRest */
const elapsedOf = (seconds, isAtRest) => (isAtRest && seconds < BRIEF_S ? format.duration(seconds) : format.clock(seconds));

const runMenu = () =>
  dom.button("run-menu", dom.icon(states.SIGNS.down ?? []), {
    class: "icon",
    title: "Only what changed, or without the cache",
    "aria-label": "Ways to run",
    "aria-haspopup": "menu",
  });

/** @param {[string, number]} count */
const stateOf = ([state]) => state;
