/** The plan, before a run: on the graph, or as a table, what would become of each task and why. Nothing runs for it. */

import * as dom from "./dom.js";
import { MASK } from "./form.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import * as plans from "./plan.js";
import { headOf, partOf, rowOf, tableOf, tile, waiting } from "./plan_table.js";
import { ToldGraph } from "./told_graph.js";

/** @typedef {import("./plan.js").Plan} Plan */
/** @typedef {import("./plan.js").Planned} Planned */
/** @typedef {{el: HTMLElement, tools: HTMLElement, form: HTMLElement, view: string, signal: AbortSignal, clock: import("./wire.js").Clock, now: () => number, graph: () => import("./graph.js").Graph, parameters: () => Record<string, string> | null, onParameters: () => void}} Given */

const RUNS_SHOWN = 5;
const BAR_PX = 96;
/** Such a plan is made anew by itself: nobody can change what it is made of. */
const ON_REST = { resume: true, retry: true };

export class PlanView {
  /** @type {Plan | null} */
  #plan = null;
  #what = "all";
  #drawn = "";
  #isTable = false;
  /** Whether a plan is on its way. The one before stays until then, with its buttons: whoever is about to press one must not miss it. */
  #isAsked = false;
  #title = dom.h("div", { class: "head", tabindex: -1 });
  #body = dom.h("tbody");
  #scroll = dom.h("div", { class: "scroll", tabindex: 0, hidden: true });
  #chosen = dom.h("section", { "data-flowbook": "planned-task", class: "told", "aria-live": "polite", hidden: true });
  #parameters = dom.h("section", { "aria-label": "Parameters", hidden: true }, dom.h("h3", {}, "Parameters"));
  #parts = dom.h("section", { "aria-label": "What will happen" });
  #earlier = dom.h("section", { "aria-label": "Earlier runs", hidden: true });
  #beside;
  #again = dom.button("plan", "Plan again", { title: "With the parameters as they are now, and the code as the notebook has it" });
  #asTable = dom.button("as-table", "As a table", { "aria-pressed": "false", "data-own": true });

  /** What stands before the form where no plan is shown. @type {Element | null} */
  #place = null;
  /** The plan that is drawn. @type {Plan | null} */
  #shown = null;

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    const { tools, view, signal, clock } = given;
    this.graph = new ToldGraph({
      ...{
        tools,
        signal,
        clock,
        view: `${view}-plan`,
        words: plans.SAID,
        heads: { state: "what will happen", rows: "", duration: "expected", message: "why" },
      },
      group: (members) => plans.groupOf(members, this.#plan?.tasks ?? {}),
      onChoose: (key) => this.#showChosen(key),
    });
    this.#scroll.append(tableOf(this.#body));
    const rail = dom.h("aside", { class: "rail split" }, this.#chosen, this.#parameters, this.#parts, this.#earlier);
    this.#beside = dom.h("div", { class: "beside forecast" }, this.graph.canvas, this.graph.stack, this.#scroll, rail);
    this.#asTable.addEventListener("click", (event) => this.#toggleTable(event), { signal });
    this.#parameters.addEventListener("change", given.onParameters, { signal });
  }

  /**
   * Be in the page only while it is shown, so that a task has one node there; with the form of the parameters, which goes back to
   * where it stood.
   *
   * @param {boolean} isShown
   */
  stand(isShown) {
    const { el, tools, form } = this.given;
    if (isShown !== el.contains(this.#beside)) {
      el.replaceChildren(...(isShown ? [this.#title, this.#beside] : []));
      tools.replaceChildren(...(isShown ? [this.graph.tools, this.#asTable, this.#again] : []));
    }
    const isHere = this.#parameters.contains(form);
    if (isShown && !isHere) {
      this.#place = form.previousElementSibling;
      this.#parameters.append(form);
    } else if (!isShown && isHere) this.#place?.after(form);
    this.#parameters.hidden = form.hidden || !form.firstChild;
  }

  get isKnown() {
    return this.#plan !== null && !this.#isAsked;
  }

  /** Another plan is on its way. @param {boolean} isOfOther whether it is of another part, so that the one that is shown says nothing more */
  wait(isOfOther) {
    this.#isAsked = true;
    if (isOfOther) this.#plan = null;
  }

  /** Give the button that goes on the focus. */
  focus() {
    /** @type {HTMLElement | null} */ (this.#title.querySelector("button.primary") ?? this.#title)?.focus({ preventScroll: true });
  }

  /** @param {{plan: Plan, what?: string}} answer */
  take({ plan, what = "all" }) {
    this.#what = what;
    this.#plan = plan;
    this.#isAsked = false;
    if (this.given.el.contains(this.#beside)) this.show("");
  }

  /** @param {{number: string, took_s: number | null}[]} runs the newest first */
  takeRuns(runs) {
    const shown = runs.flatMap(({ number, took_s }) => (took_s === null ? [] : [{ number, took_s }])).slice(0, RUNS_SHOWN);
    const longest = Math.max(...shown.map(({ took_s }) => took_s), 1e-9);
    const lines = shown.flatMap(({ number, took_s }) => [
      dom.h("dt", {}, `run ${number}`),
      dom.h("dd", {}, dom.h("i", { class: "took", style: `width:${Math.round((BAR_PX * took_s) / longest)}px` }), format.duration(took_s)),
    ]);
    this.#earlier.hidden = !shown.length;
    this.#earlier.replaceChildren(dom.h("h3", {}, "Earlier runs"), dom.h("dl", { class: "kv" }, ...lines));
  }

  /** @param {string} refusal why there is no plan */
  show(refusal) {
    const plan = refusal ? null : this.#plan;
    const graph = this.given.graph();
    this.#beside.setAttribute("aria-busy", plan && !this.#isAsked ? "false" : "true");
    const isOther = !this.graph.shows(graph);
    const drawn = JSON.stringify([plan?.number, plan?.summary, this.#what, refusal]);
    if (plan === this.#shown && drawn === this.#drawn && !(plan && isOther)) return;
    this.#shown = plan;
    this.#drawn = drawn;
    const hadFocus = this.#title.contains(document.activeElement);
    this.#title.replaceChildren(...(plan ? headOf(plan, this.#what) : waiting(refusal)));
    if (hadFocus) this.focus();
    if (!plan) return;
    if (isOther) this.graph.draw(graph);
    const now = this.given.now();
    this.graph.tell(new Map([...this.#given(), ...Object.entries(plan.tasks).map(([key, task]) => told(key, plans.taskOf(task, now)))]));
    const parts = plans.partsOf(plan).map(([outcome, head, text]) => partOf(outcome, head, text));
    this.#parts.replaceChildren(dom.h("h3", {}, "What will happen"), ...parts, plan.note ? dom.h("p", { class: "dim untold" }, plan.note) : "");
    this.#again.hidden = this.#what in ON_REST;
    if (this.#isTable) this.#fill(plan);
  }

  /** What is no task to people, as nodes or in groups: parameters, with the values of the form, and what gathers results. */
  #given() {
    const values = this.given.parameters() ?? {};
    const { aside = [], parameters } = this.given.graph();
    return [
      ...aside.map((key) => told(key, plans.GATHERED)),
      ...parameters.map(({ name, secret }) => told(name, plans.parameterOf(secret && values[name] ? MASK : (values[name] ?? "")))),
    ];
  }

  /** @param {Plan} plan */
  #fill(plan) {
    this.#body.replaceChildren(...Object.entries(plan.tasks).map(([key, task]) => rowOf(key, task)));
  }

  /** @param {Event} event */
  #toggleTable(event) {
    event.stopPropagation();
    this.#isTable = !this.#isTable;
    this.#asTable.setAttribute("aria-pressed", String(this.#isTable));
    this.#beside.classList.toggle("as-table", this.#isTable);
    this.#scroll.hidden = !this.#isTable;
    if (this.#isTable && this.#plan) this.#fill(this.#plan);
  }

  /** @param {string | null} key */
  #showChosen(key) {
    const task = key === null ? undefined : this.#plan?.tasks[key];
    this.#chosen.hidden = !task;
    dom.set(this.#chosen, { "data-task": task ? key : null });
    this.#chosen.replaceChildren(...(key !== null && task ? chosenOf(key, task, this.given.now()) : []));
  }
}

/** @param {string} key @param {import("./wire.js").Task} task @returns {[string, import("./wire.js").Task]} */
const told = (key, task) => [key, task];

/** What is planned for the task that was chosen. @param {string} key @param {Planned} task @param {number} now */
function chosenOf(key, task, now) {
  const look = plans.lookOf(task);
  const word = plans.taskOf(task, now).told?.word ?? "";
  const [hits, keeps] = [task.hits, task.keeps ?? 0];
  const some = [hits ? `${format.thousands(hits)} of them from the cache` : "", keeps ? `${format.thousands(keeps)} of them stay as they are` : ""];
  const children = task.width === null ? "" : [format.thousands(task.width), ...some].filter(Boolean).join(", ");
  const made = task.made === null ? "" : `${format.moment(task.made, now)}${task.made_by === null ? "" : ` by run ${task.made_by}`}`;
  const facts = [
    ["why", task.outcome === "hit" ? plans.doubtOf(task) : task.why],
    ["made", made],
    ["children", children],
    ["expected", plans.expectedOf(task)],
  ].filter(([, text]) => text);
  return [
    dom.h("div", { class: "row title", "data-state": look }, tile(look), dom.h("h3", {}, nameIn(key))),
    dom.h("p", { class: "word", "data-state": look }, word),
    facts.length ? dom.h("dl", { class: "kv" }, ...facts.flatMap(([name, text]) => [dom.h("dt", {}, name), dom.h("dd", {}, text)])) : "",
    dom.h(
      "div",
      { class: "row" },
      dom.button("inspect", "Card", { "data-task": key, title: "What this task did in the run that is shown" }),
      dom.button("node-menu", "Run a part…", { "data-task": key, title: "Plan this task alone, from here on, or up to here" }),
    ),
  ];
}
