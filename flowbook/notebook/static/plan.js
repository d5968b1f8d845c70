/** The plan: what a run with the form's parameters would do with each task, and why; nothing runs for it. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import * as states from "./states.js";

/** @typedef {"hit" | "run" | "wait" | "if failed" | "keep" | "out"} Outcome */
/** @typedef {{outcome: Outcome, words: string, why: string, cause: string, made: number | null, made_by: number | null, expected_s: number | null, width: number | null, hits: number, waits_after_s: number | null}} Planned */
/** @typedef {{flow: string, number: number, expected_s: number | null, least_s: number | null, most_s: number | null, runs: number, part?: string, summary: string, tasks: Record<string, Planned>}} Plan */

/** The state whose look an outcome has. @type {Record<Outcome, string>} */
const LOOKS = { hit: "Cached", run: "Pending", wait: "Paused", "if failed": "Skipped", keep: "Success", out: "Skipped" };
const HEADS = ["task", "what will happen", "expected", "why"];

/** What will happen, in a few lines: how many tasks, and what about them. @param {Plan} plan @returns {[Outcome, string, string][]} */
export function partsOf(plan) {
  const tasks = Object.entries(plan.tasks);
  const of = (/** @type {Outcome} */ outcome) => tasks.filter(([, task]) => task.outcome === outcome);
  const names = (/** @type {[string, Planned][]} */ found) =>
    found.length > 3 ? `${found[0]?.[0]} and ${found.length - 1} more` : found.map(([key]) => key).join(", ");
  const [hits, runs, waits, ifs, keeps, outs] = [of("hit"), of("run"), of("wait"), of("if failed"), of("keep"), of("out")];
  const saved = hits.reduce((sum, [, { expected_s }]) => sum + (expected_s ?? 0), 0);
  const after = Math.min(...waits.flatMap(([, { waits_after_s }]) => (waits_after_s === null ? [] : [waits_after_s])));
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
    ["keep", keeps.length === 1 ? "1 stays as it is" : `${format.thousands(keeps.length)} stay as they are`, ""],
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

export class PlanView {
  /** @type {Plan | null} */
  #plan = null;
  #what = "all";
  #drawn = "";
  #title = dom.h("div", { class: "head", tabindex: -1 });
  #parts = dom.h("section", { class: "parts" });
  #body = dom.h("tbody");
  #scroll = dom.h("div", { class: "scroll", tabindex: 0 });

  /** @param {{el: HTMLElement, tools: HTMLElement}} given */
  constructor({ el, tools }) {
    tools.replaceChildren(dom.button("plan", "Plan again", { title: "With the parameters as they are in the form now" }));
    const heads = HEADS.map((name) => dom.h("th", { scope: "col", class: name === "expected" ? "num" : null }, name));
    const table = dom.h("table", { "aria-label": "Plan" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), this.#body);
    this.#scroll.append(table);
    el.replaceChildren(this.#title, this.#parts, this.#scroll);
  }

  /** Another plan is on its way. */
  wait() {
    this.#plan = null;
  }

  /** Nothing can be done with the plan. @param {string} why */
  refuse(why) {
    this.wait();
    this.show(why);
  }

  /** Give the button that goes on the focus. */
  focus() {
    /** @type {HTMLElement | null} */ (this.#title.querySelector('[data-action="run-plan"]') ?? this.#title)?.focus({ preventScroll: true });
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
    this.#title.replaceChildren(...(plan ? headOf(plan, this.#what) : [dom.h("span", { class: "dim grow" }, refusal || "Asking…"), notNow()]));
    if (hadFocus) this.focus();
    if (!plan) return;
    this.#parts.replaceChildren(...partsOf(plan).map(([outcome, head, text]) => partOf(outcome, head, text)));
    this.#body.replaceChildren(...Object.entries(plan.tasks).map(([key, task]) => rowOf(key, task)));
  }
}

const notNow = () => dom.button("not-now", "Not now", { title: "Nothing runs" });

/** What the plan is of, and what can be done with it. @param {Plan} plan @param {string} what */
function headOf(plan, what) {
  const count = format.plural(Object.keys(plan.tasks).length, "task");
  const title = `Plan of run ${plan.number}${plan.part ? `, ${plan.part}` : ""}${what === "without-cache" ? ", without the cache" : ""}`;
  const other = what === "all" && partsOf(plan).some(([outcome]) => outcome === "hit");
  return [
    dom.h("b", {}, title),
    dom.h("span", { class: "dim grow" }, `${count}, ${timeOf(plan)}`),
    other ? dom.button("without-cache", "Without the cache", { "data-choice": "without-cache", title: "Plan that every task runs" }) : "",
    dom.button("run-plan", "Run", { class: "primary" }),
    notNow(),
  ];
}

/** @param {Outcome} outcome @param {string} head @param {string} text */
const partOf = (outcome, head, text) =>
  dom.h(
    "div",
    { class: "item", "data-outcome": outcome },
    dom.h("span", { class: "tile plan", "data-state": LOOKS[outcome] }, dom.icon(states.glyphOf(LOOKS[outcome]))),
    dom.h("div", {}, dom.h("b", {}, head), text ? dom.h("span", { class: "dim" }, ` ${text}`) : null),
  );

/** @param {string} key @param {Planned} task */
function rowOf(key, task) {
  const word = dom.h("span", { class: "row tight" }, dom.icon(states.glyphOf(LOOKS[task.outcome])), dom.h("span", { class: "word" }, task.words));
  const expected =
    task.expected_s === null || task.outcome === "hit" || task.outcome === "keep" || task.outcome === "out" ? "" : format.duration(task.expected_s);
  return dom.h(
    "tr",
    { "data-task": key, "data-outcome": task.outcome, "data-state": LOOKS[task.outcome] },
    dom.h("th", { scope: "row" }, key),
    dom.h("td", {}, word),
    dom.h("td", { class: "num" }, expected),
    dom.h("td", { class: "said-cell" }, task.why),
  );
}
