/** A plan as a table, without a graph; and the parts of it that the view with a graph has too. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import * as plans from "./plan.js";
import * as states from "./states.js";

/** @typedef {import("./plan.js").Plan} Plan */
/** @typedef {import("./plan.js").Planned} Planned */
/** @typedef {import("./plan.js").Outcome} Outcome */

const HEADS = ["task", "what will happen", "expected", "why"];

export class PlanTable {
  /** @type {Plan | null} */
  #plan = null;
  #what = "all";
  #drawn = "";
  #title = dom.h("div", { class: "head", tabindex: -1 });
  #parts = dom.h("section", { class: "parts" });
  #body = dom.h("tbody");
  #scroll = dom.h("div", { class: "scroll", tabindex: 0 });

  /** @param {{el: HTMLElement}} given */
  constructor({ el }) {
    this.#scroll.append(tableOf(this.#body));
    el.replaceChildren(this.#title, this.#parts, this.#scroll);
  }

  /** Nothing can be done with the plan. @param {string} why */
  refuse(why) {
    this.#plan = null;
    this.show(why);
  }

  /** Give the button that goes on the focus. */
  focus() {
    /** @type {HTMLElement | null} */ (this.#title.querySelector("button.primary") ?? this.#title)?.focus({ preventScroll: true });
  }

  /** @param {{plan: Plan, what?: string}} answer */
  take({ plan, what = "all" }) {
    this.#what = what;
    this.#plan = plan;
    this.show("");
  }

  /** @param {string} refusal why there is no plan */
  show(refusal) {
    const plan = this.#plan;
    const drawn = JSON.stringify([plan, refusal]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#parts.hidden = this.#scroll.hidden = !plan;
    const hadFocus = this.#title.contains(document.activeElement);
    this.#title.replaceChildren(...(plan ? headOf(plan, this.#what) : waiting(refusal)));
    if (hadFocus) this.focus();
    if (!plan) return;
    this.#parts.replaceChildren(...plans.partsOf(plan).map(([outcome, head, text]) => partOf(outcome, head, text)));
    this.#body.replaceChildren(...Object.entries(plan.tasks).map(([key, task]) => rowOf(key, task)));
  }
}

/** The table around its rows. @param {HTMLElement} body */
export function tableOf(body) {
  const heads = HEADS.map((name) => dom.h("th", { scope: "col", class: name === "expected" ? "num" : null }, name));
  return dom.h("table", { "aria-label": "Plan" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), body);
}

/** The head while there is no plan. @param {string} refusal why there is none; empty: it was asked for */
export const waiting = (refusal) => [dom.h("span", { class: "dim grow" }, refusal || "Asking…"), notNow()];

const notNow = () => dom.button("not-now", "Not now", { title: "Nothing runs" });

/** How a run at rest goes on: what that is called, and its button. @type {Record<string, [string, string]>} */
const ON = { resume: ["Resuming", "Resume"], retry: ["Retrying", "Retry failed"] };

/** The other way to go on, where tasks wait and others failed. @param {string} what @param {import("./plan.js").Planned[]} tasks */
function otherWay(what, tasks) {
  const [other, verb] = what === "resume" ? ["retry", "Retry"] : ["resume", "Resume"];
  const isThere = tasks.some(({ outcome, stays, cause }) => (what === "resume" ? stays === "failed" : outcome === "wait" && cause === "waits"));
  return isThere ? dom.button("other-way", `What ${verb} would run`, { "data-choice": other }) : "";
}

/** What the plan is of, and what can be done with it. @param {Plan} plan @param {string} what */
export function headOf(plan, what) {
  const tasks = Object.values(plan.tasks);
  const count = format.plural(tasks.length, "task");
  const on = ON[what];
  if (on) {
    const runs = tasks.filter(({ outcome }) => outcome === "run").length;
    return [
      dom.h("b", {}, `${on[0]} run ${plan.number}`),
      dom.h("span", { class: "dim grow" }, `${format.thousands(runs)} of ${count} will run, ${plans.timeOf(plan)}`),
      otherWay(what, tasks),
      dom.button(what, on[1], { class: "primary" }),
      notNow(),
    ];
  }
  const title = `Plan of run ${plan.number}${plan.part ? `, ${plan.part}` : ""}${what === "without-cache" ? ", without the cache" : ""}`;
  const other = what === "all" && plans.partsOf(plan).some(([outcome]) => outcome === "hit");
  return [
    dom.h("b", {}, title),
    dom.h("span", { class: "dim grow" }, `${count}, ${plans.timeOf(plan)}`),
    other ? dom.button("without-cache", "Without the cache", { "data-choice": "without-cache", title: "Plan that every task runs" }) : "",
    dom.button("run-plan", "Run", { class: "primary" }),
    notNow(),
  ];
}

/** @param {string} look */
export const tile = (look) => dom.h("span", { class: "tile plan", "data-state": look }, dom.icon(states.glyphOf(look)));

/** @param {Outcome} outcome @param {string} head @param {string} text */
export const partOf = (outcome, head, text) =>
  dom.h(
    "div",
    { class: "item", "data-outcome": outcome },
    tile(plans.LOOKS[outcome]),
    dom.h("div", {}, dom.h("b", {}, head), text ? dom.h("div", { class: "dim" }, text) : null),
  );

/** @param {string} key @param {Planned} task */
export function rowOf(key, task) {
  const look = plans.lookOf(task);
  const word = dom.h("span", { class: "row tight" }, dom.icon(states.glyphOf(look)), dom.h("span", { class: "word" }, task.words));
  return dom.h(
    "tr",
    { "data-task": key, "data-outcome": task.outcome, "data-state": look },
    dom.h("th", { scope: "row" }, nameIn(key)),
    dom.h("td", {}, word),
    dom.h("td", { class: "num" }, plans.expectedOf(task)),
    dom.h("td", { class: "said-cell" }, task.why),
  );
}
