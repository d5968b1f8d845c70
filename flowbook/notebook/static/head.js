/** The head of a panel: name, run, state, what is wrong or waits, progress, buttons, the bar by state and its legend. */

/** @typedef {import("./wire.js").Run} Run */
/** @typedef {import("./wire.js").Status} Status */
/** @typedef {import("./needs.js").Need} Need */
/** @typedef {{dom: typeof import("./dom.js"), states: typeof import("./states.js"), format: typeof import("./format.js")}} Tools */
/** @typedef {{flow: string, run: Run | null, status: Status, hasGivenUp: boolean, counts: [string, number][], needs: Need[], filter: string | null, now: number, failed: number, paused: number}} View */

/** What the view is, in words. @type {Record<Status, [string, string]>} */
export const STATUS = {
  live: ["Live", "Connected to the kernel"],
  saved: ["Saved", "As it was when it was saved; run the cell again for a live panel"],
  waiting: ["Waiting for the kernel", "What is shown is the last that the kernel told"],
  unavailable: ["Unavailable", "The kernel is gone; what is shown is the last that it told"],
};

/** Waiting is told once it is more than a glance. */
const WAITING_LEAST_S = 10;

/** Whether the run has work of its own to do. @param {Run | null} run */
export const isUnderWay = (run) => run?.stage === "running";

/** One sentence on what waits or is wrong. @param {Run | null} run @param {Need[]} needs */
export function sentence(run, needs) {
  const paused = needs.filter(({ kind }) => kind === "paused");
  const failed = needs.filter(({ kind }) => kind === "failed").length;
  const first = paused[0];
  if (paused.length === 1 && !failed && first && run?.state === "Paused") return `${first.key} waits for you`;
  const words = [];
  if (paused.length) words.push(`${paused.length} ${paused.length === 1 ? "task waits" : "tasks wait"} for you`);
  if (failed) words.push(`${failed} failed`);
  if (words.length && run?.state === "Paused" && !run.ended) return words.join(", ");
  return words.join(", ") || run?.message || "";
}

/** Since when a paused run only waits for a person: since its last task paused. @param {Run | null} run @param {Need[]} needs @returns {number | null} */
export function waitsSince(run, needs) {
  if (run?.state !== "Paused" || run.ended) return null;
  const moments = needs.flatMap(({ kind, task }) => (kind === "paused" && task.since ? [task.since] : []));
  return moments.length ? Math.max(...moments) : null;
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
  const isPaused = run?.state === "Paused";
  const all = [
    { action: "run", label: "Run", why: going ? "Already running; Cancel first" : null, isPrimary: !going && !isPaused, isThere: !isPaused },
    {
      action: "cancel",
      label: "Cancel",
      why: run?.state === "Cancelling" ? "Already being cancelled" : null,
      isPrimary: false,
      isThere: going || isPaused,
    },
    { action: "retry", label: `Retry failed (${failed})`, why: null, isPrimary: false, isThere: failed > 0 },
    { action: "resume", label: `Resume (${paused})`, why: null, isPrimary: false, isThere: paused > 0 },
  ];
  return all.filter(({ isThere }) => isThere);
}

/**
 * Make the head in `el`; `update` keeps it in step.
 *
 * @param {{el: HTMLElement, tools: Tools}} given
 */
function render({ el, tools }) {
  const { dom, states, format } = tools;
  const tile = dom.h("span", { class: "tile" });
  const name = dom.h("h3");
  const number = dom.h("span", { class: "dim" });
  const word = dom.h("span", { class: "word" });
  const said = dom.h("span", { class: "saying" });
  const link = dom.h("span", { class: "link" });
  const done = dom.h("span", { class: "nowrap" });
  const row = dom.h("span", { class: "row tight" });
  const head = dom.h("div", { class: "head" }, tile, name, number, word, said, dom.h("span", { class: "side" }, done, row));
  const notice = dom.h("div", { class: "notice", "data-state": "Paused" });
  const bar = dom.h("div", { class: "bar", role: "img" });
  const counts = dom.h("div", { class: "counts" });
  el.append(head, notice, dom.h("div", { class: "progress" }, bar, dom.h("div", { class: "legend" }, counts, link)));

  /** @param {View} view */
  const update = (view) => {
    const { run, flow } = view;
    const state = run?.state ?? "Pending";
    if (tile.getAttribute("data-state") !== state) tile.replaceChildren(dom.icon(states.glyphOf(state)));
    dom.set(tile, { "data-state": state });
    dom.say(name, flow);
    dom.say(number, run?.number ? `run ${run.number}` : "not started");
    dom.set(word, { "data-state": state });
    dom.say(word, state);
    dom.say(said, sentence(run, view.needs));
    tellLink(view);
    tellNotice(run);
    tellProgress(view);
    tellButtons(view);
  };

  /** @param {View} view */
  const tellLink = ({ status, hasGivenUp }) => {
    const [text, title] = STATUS[status];
    if (link.getAttribute("data-live") !== status) link.replaceChildren(status === "live" ? "" : dom.icon(states.SIGNS.warn ?? []), text);
    dom.set(link, {
      "data-live": status,
      "data-state": status === "live" ? null : "Paused",
      title: status === "waiting" && hasGivenUp ? "No answer for 20 s; a cell may be keeping the kernel busy" : title,
    });
  };

  /** @param {Run | null} run */
  const tellNotice = (run) => {
    notice.hidden = !run?.notice;
    if (notice.textContent !== (run?.notice ?? "")) notice.replaceChildren(dom.icon(states.SIGNS.warn ?? []), dom.h("span", {}, run?.notice ?? ""));
  };

  /** @param {View} view */
  const tellProgress = ({ run, counts: found, now, filter, needs }) => {
    const { done: n, total } = progress(found, states.isFinished);
    const waits = waitsSince(run, needs);
    const elapsed = run?.started ? format.clock((waits ?? run.ended ?? now) - run.started) : null;
    const waited = waits !== null && now - waits >= WAITING_LEAST_S ? ` and ${format.span(now - waits)} of waiting` : "";
    const text = elapsed ? [`${format.thousands(n)}`, ` of ${format.plural(total, "task")}, `, elapsed, waited] : ["", format.plural(total, "task"), "", ""];
    if (done.textContent !== text.join("")) done.replaceChildren(dom.h("b", {}, text[0]), text[1] ?? "", dom.h("b", {}, text[2]), text[3] ?? "");
    dom.set(bar, { "aria-label": found.map(([state, k]) => `${k} ${state}`).join(", ") });
    const itemOf = (/** @type {[string, number]} */ [state]) => state;
    dom.keyed(
      bar,
      found,
      itemOf,
      ([state]) => dom.h("i", { "data-state": state }),
      (item, [, k]) => {
        /** @type {HTMLElement} */ (item).style.flex = String(k);
      },
    );
    dom.keyed(
      counts,
      found,
      itemOf,
      ([state]) => dom.button("filter-state", [dom.icon(states.glyphOf(state)), dom.h("b"), state], { class: "count", "data-state": state }),
      (item, [state, k]) => {
        const isOn = filter === state;
        dom.set(item, { "aria-pressed": isOn ? "true" : "false", title: isOn ? "Show all states again" : `Show only ${state}` });
        dom.say(/** @type {Element} */ (item.querySelector("b")), format.thousands(k));
      },
    );
  };

  /** @param {View} view */
  const tellButtons = (view) => {
    dom.keyed(
      row,
      buttons(view),
      ({ action }) => action,
      ({ action, label }) => dom.button(action, label),
      (item, { label, why, isPrimary }) => {
        dom.say(item, label);
        dom.set(item, {
          class: isPrimary ? "primary" : null,
          "data-why": why,
          "data-title": item.getAttribute("data-action") === "resume" ? "Resume everything that waits" : null,
        });
      },
    );
  };

  return { update };
}

export default { render };
