/** Two runs compared: the graph coloured by what differs, the first difference and the causes, and the outputs of a task beside each other. */

import * as comparison from "./comparison.js";
import { DiffView } from "./diff.js";
import * as dom from "./dom.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import * as states from "./states.js";
import { ToldGraph } from "./told_graph.js";

/** @typedef {import("./comparison.js").Comparison} Comparison */
/** @typedef {import("./comparison.js").ComparedTask} ComparedTask */
/** @typedef {{id: string, number: string, started: number | null, took_s: number | null}} Known a run of the flow */
/**
 * @typedef {object} Given
 * @property {HTMLElement} el
 * @property {HTMLElement} tools
 * @property {string} view
 * @property {AbortSignal} signal
 * @property {import("./wire.js").Clock} clock
 * @property {() => number} now
 * @property {() => Known[]} runs that can be compared, the newest first
 * @property {(runs: [string, string]) => void} ask for another comparison
 * @property {(asked: import("./diff.js").Asked) => string | null} askForDiff
 * @property {(runs: [string, string]) => void} keep puts the comparison into a variable
 * @property {(action: string) => boolean} can whether the host can do it
 * @property {() => void} onBack
 */

const HEADS = ["task", "what differs", "state", "took", "rows", "output"];

export class Compare {
  /** @type {Comparison | null} */
  #shown = null;
  /** @type {[string, string]} */
  #runs = ["", ""];
  #chosen = "";
  /** The comparison of a task's outputs, in place of the graph. @type {{view: DiffView, key: string, end: AbortController} | null} */
  #diff = null;
  #head = dom.h("div", { class: "head", tabindex: -1 });
  #outputs = dom.h("section", { class: "fork", "aria-label": "Outputs of both runs", hidden: true });
  #aside = dom.h("aside", { class: "rail", "aria-live": "polite" });
  #body = dom.h("tbody");
  #next = dom.button("next-difference", "Next difference", { title: "n" });
  /** Whether the comparison that is on its way was asked for by a link, not by a press: then no focus moves. */
  isByLink = false;
  /** What became of the comparison that was to be kept. */
  #kept = dom.h("span", { class: "said" });
  #parts;

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    const { el, tools, view, signal, clock } = given;
    this.graph = new ToldGraph({
      ...{ tools, signal, clock, view: `${view}-compare`, words: comparison.SAID, heads: { state: "what differs", duration: "time", message: "line" } },
      group: comparison.groupOf,
      onChoose: (key) => this.#choose(key ?? ""),
      lit: (from, to) => from.state !== "same" && to.state !== "same",
    });
    const heads = HEADS.map((name, at) => dom.h("th", { scope: "col", class: at > 2 ? "num" : null }, name));
    const table = dom.h("table", { "aria-label": "Differences" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), this.#body);
    const beside = dom.h("div", { class: "beside" }, this.graph.canvas, this.graph.stack, this.#outputs, this.#aside);
    const foot = dom.h("div", { class: "foot" }, dom.h("span", { class: "grow" }, "Old is struck through, new is bold."), this.#next);
    this.#parts = [this.#head, beside, dom.h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences" }, table), foot];
    el.addEventListener("click", (event) => this.#act(event), { signal });
    el.addEventListener("change", (event) => this.#pick(event), { signal });
    el.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  /** Be in the page only while it is shown. @param {boolean} isShown */
  stand(isShown) {
    const { el, tools } = this.given;
    if (isShown === el.contains(this.#head)) return;
    el.replaceChildren(...(isShown ? this.#parts : []));
    tools.replaceChildren(...(isShown ? [this.graph.tools] : []));
  }

  /** Another comparison is on its way. @param {[string, string]} runs */
  wait(runs) {
    this.#runs = runs;
    this.#shown = null;
    this.#showHead("Asking…");
  }

  /** There is none. @param {string} why */
  refuse(why) {
    this.#showHead(why);
  }

  get isWaiting() {
    return this.#shown === null;
  }

  /** What is compared of two outputs, as the kernel is asked for it; null if nothing is. */
  get difference() {
    return this.#diff?.view.asked ?? null;
  }

  /** @param {{comparison: Comparison}} answer */
  take({ comparison: found }) {
    this.#shown = found;
    this.#runs = found.runs;
    this.#chosen = "";
    this.#endDiff();
    this.stand(true);
    this.#showHead("");
    this.graph.draw(found.graph);
    this.graph.tell(new Map(found.tasks.map((task) => [task.key, comparison.taskOf(task, found)])));
    this.#body.replaceChildren(...comparison.inOrder(found.tasks).map(rowOf));
    this.#showAside();
    if (!this.isByLink) this.#head.focus({ preventScroll: true });
    this.isByLink = false;
  }

  /** Take the difference of two outputs. @param {any} message */
  hear(message) {
    return message.type === "diff" && (this.#diff?.view.take(message) ?? false);
  }

  /** A command was answered. @param {{id: string, ok?: boolean, text?: string}} ack @param {string | null} slot */
  acked(ack, slot) {
    this.#diff?.view.release(ack.id, ack.ok ? "" : (ack.text ?? ""));
    if (slot === "keep-difference:") this.#diff?.view.say(ack.text ?? "");
    if (slot === "keep-comparison:") dom.say(this.#kept, ack.text ?? "");
  }

  // What a person does.

  /** @param {string} key */
  #choose(key) {
    this.#chosen = key;
    for (const row of this.#body.children) row.classList.toggle("selected", row.getAttribute("data-task") === key);
    this.#showAside();
  }

  /** @param {Event} event */
  #act(event) {
    const control = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const action = control?.getAttribute("data-action");
    const [old, now] = this.#runs;
    if (action === "compared") this.graph.show(control?.getAttribute("data-task") ?? "");
    else if (action === "back-to-runs") this.given.onBack();
    else if (action === "swap" && !this.#diff) this.given.ask([now, old]);
    else if (action === "next-difference") this.#goOn();
    else if (action === "keep-comparison") this.given.keep(this.#runs);
    else if (action === "show-outputs") this.#compareOutputs(this.#chosen);
    else if (action === "end-compare") this.#endDiff();
    else return;
    event.stopPropagation();
  }

  /** @param {Event} event */
  #pick(event) {
    const field = event.target instanceof HTMLSelectElement && this.#head.contains(event.target) ? event.target : null;
    const [old, now] = this.#runs;
    if (field) this.given.ask(field.dataset.action === "pick-old" ? [field.value, now] : [old, field.value]);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const isTyping = event.target instanceof Element && event.target.matches("select, input");
    if (event.key !== "n" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    this.#goOn();
  }

  /** Go to the next task that differs by itself, or else because of others. */
  #goOn() {
    const tasks = this.#shown?.tasks ?? [];
    const own = tasks.filter((task) => comparison.lookOf(task) === "own");
    const all = own.length ? own : tasks.filter(({ differs }) => differs);
    const next = all[(all.findIndex(({ key }) => key === this.#chosen) + 1) % all.length];
    if (next) this.graph.show(next.key);
  }

  /** Put both outputs of a task in place of the graph. @param {string} key */
  #compareOutputs(key) {
    const [old, now] = this.#runs;
    const end = new AbortController();
    const el = dom.h("div");
    const keep = this.given.can("to-variable") ? dom.button("keep-difference", "Difference to a variable", { class: "primary", "data-slot": "keep" }) : null;
    const view = new DiffView({
      ...{ el, name: key, isBeside: true, first: { run: old, key }, second: { run: now, key }, ask: this.given.askForDiff },
      choices: () => this.given.runs().map((run) => ({ version: { run: run.id, key }, text: this.#nameOf(run) })),
      buttons: [keep, dom.button("end-compare", "Back to the graph", { "data-slot": "close" })],
      signal: AbortSignal.any([this.given.signal, end.signal]),
    });
    this.#diff = { view, key, end };
    this.#outputs.replaceChildren(el);
    this.#showOutputs();
    el.focus({ preventScroll: true });
  }

  #endDiff() {
    const key = this.#diff?.key;
    this.#diff?.end.abort();
    this.#diff = null;
    this.#outputs.replaceChildren();
    this.#showOutputs();
    if (key && this.#shown) this.graph.show(key);
  }

  #showOutputs() {
    this.#outputs.hidden = !this.#diff;
    this.#outputs.parentElement?.classList.toggle("as-table", Boolean(this.#diff));
  }

  // Drawing.

  /** @param {Known} run */
  #nameOf({ number, started }) {
    return `run ${number}${started === null ? "" : `, ${format.moment(started, this.given.now())}`}`;
  }

  /** @param {string} said why there is no comparison yet */
  #showHead(said) {
    const runs = this.given.runs();
    const [old, now] = this.#runs.map((id) => runs.find((run) => run.id === id));
    const took = old?.took_s != null && now?.took_s != null ? [dom.h("b", {}, format.duration(now.took_s)), `, was ${format.duration(old.took_s)}`] : [];
    const told = this.#shown ? [comparison.summaryOf(comparison.counted(this.#shown)), took.length ? "; " : "", ...took] : [said];
    const isFirst = !this.#head.firstChild;
    this.#kept.textContent = "";
    const keep = this.#shown && this.given.can("to-variable") ? dom.button("keep-comparison", "Differences to a variable") : null;
    this.#head.replaceChildren(
      this.#picker("pick-old", "Old", 0, runs),
      dom.button("swap", "Swap", { title: "Swap old and new" }),
      this.#picker("pick-new", "New", 1, runs),
      dom.h(
        "span",
        { class: "side" },
        dom.h("span", {}, ...told),
        dom.h("span", { class: "row tight" }, this.#kept, keep, dom.button("back-to-runs", "Back to the runs")),
      ),
    );
    for (const part of this.#parts.slice(1)) part.hidden = isFirst && !this.#shown;
  }

  /** @param {string} action @param {string} label @param {0 | 1} side @param {Known[]} runs */
  #picker(action, label, side, runs) {
    const id = this.#runs[side];
    const options = runs.map((run) => dom.h("option", { value: run.id, selected: run.id === id }, this.#nameOf(run)));
    if (!runs.some((run) => run.id === id)) options.unshift(dom.h("option", { value: id, selected: true }, id.slice(0, 8)));
    return dom.h("label", { class: "row tight" }, dom.h("b", {}, label), dom.h("select", { "data-action": action }, ...options));
  }

  #showAside() {
    const found = this.#shown;
    if (!found) return this.#aside.replaceChildren();
    const chosen = found.tasks.find(({ key }) => key === this.#chosen);
    const own = found.tasks.filter((task) => comparison.lookOf(task) === "own");
    const parts = chosen
      ? [bothSides(chosen, found)]
      : [firstOf(found), own.length ? dom.h("section", {}, dom.h("h3", {}, "What differs by itself"), ...own.map((task) => itemOf(task, found))) : ""];
    this.#aside.replaceChildren(...parts, legend(comparison.counted(found)));
    this.#next.hidden = !found.first;
  }
}

/** @param {string} look @param {string} glyph */
const tile = (look, glyph) => dom.h("span", { class: "tile", "data-state": look }, dom.icon(states.glyphOf(glyph)));

/** A parameter that differs: `origin: "JFK", was "EWR"`. @param {Comparison["parameters"][number]} parameter */
const parameterLine = ([name, was, now]) =>
  dom.h(
    "p",
    {},
    dom.h("span", { class: "mono" }, `${name}: `),
    dom.h("ins", { class: "mono" }, now ?? "none"),
    ", was ",
    dom.h("del", { class: "mono" }, was ?? "none"),
  );

/** The line of a task's code that is another one. @param {[number, string, string]} code */
const codeLines = ([number, was, now]) =>
  dom.h(
    "div",
    { class: "code", tabindex: 0, role: "region", "aria-label": `Line ${number}` },
    ...[
      ["del", "\u2212", was],
      ["add", "+", now],
    ].map(([name, sign, text]) =>
      text
        ? dom.h(
            "div",
            { class: name },
            dom.h("span", { class: "ln" }, String(number)),
            dom.h("span", { class: "sg", "aria-hidden": "true" }, sign),
            dom.h(name === "del" ? "del" : "ins", {}, text),
          )
        : null,
    ),
  );

/** @param {Comparison} found */
function firstOf(found) {
  const { first, tasks, notes, parameters } = found;
  const task = tasks.find(({ key }) => key === first);
  if (!task) return dom.h("section", {}, dom.h("h3", {}, "Nothing differs"), dom.h("p", {}, notes.at(-1) ?? ""));
  const why = comparison.becauseOf(comparison.counted(found));
  return dom.h(
    "section",
    { "aria-label": "First difference" },
    dom.h("h3", {}, `The first difference is ${task.key}`),
    ...causeOf(task, parameters),
    why ? dom.h("p", { class: "dim" }, why) : "",
  );
}

/** Why a task differs by itself. @param {ComparedTask} task @param {Comparison["parameters"]} parameters */
function causeOf(task, parameters) {
  const given = task.differs === "parameter" ? parameters.find(([name]) => name === task.key) : undefined;
  if (given) return [parameterLine(given)];
  const ends = comparison.endsOf(task);
  const said = dom.h("p", {}, ends ? `${comparison.wordOf(task)}: ${ends}` : comparison.wordOf(task));
  return task.code ? [said, codeLines(task.code)] : [said];
}

/** @param {ComparedTask} task @param {Comparison} found */
const itemOf = (task, { parameters }) =>
  dom.h(
    "div",
    { class: "item" },
    tile("own", comparison.glyphOf(task)),
    dom.h(
      "div",
      {},
      dom.h("div", { class: "name" }, dom.button("compared", nameIn(task.key), { class: "plain", "data-task": task.key })),
      ...causeOf(task, parameters),
    ),
  );

/** @param {ComparedTask} task @param {Comparison} found */
function bothSides(task, { parameters }) {
  const rows = comparison.sidesOf(task).filter(([, old, now]) => old || now);
  const body = rows.map(([name, old, now]) =>
    dom.h(
      "tr",
      {},
      dom.h("th", { scope: "row" }, name),
      ...(old === now
        ? [dom.h("td", { colspan: 2 }, now)]
        : [dom.h("td", {}, dom.h("del", {}, old || "none")), dom.h("td", {}, dom.h("ins", {}, now || "none"))]),
    ),
  );
  const heads = ["", "old", "new"].map((name) => dom.h("th", { scope: "col" }, name));
  const look = comparison.lookOf(task);
  const canShow = task.hashes[0] && task.hashes[1];
  return dom.h(
    "section",
    { "data-flowbook": "both-sides", class: "told" },
    dom.h("div", { class: "row title" }, tile(look, comparison.glyphOf(task)), dom.h("h3", {}, nameIn(task.key))),
    ...(look === "own" ? causeOf(task, parameters) : [dom.h("p", { class: "word", "data-state": look }, comparison.wordOf(task))]),
    dom.h("table", { class: "short" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), dom.h("tbody", {}, ...body)),
    canShow ? dom.h("div", { class: "row" }, dom.button("show-outputs", "Compare the outputs", { class: "primary" })) : "",
  );
}

/** @param {ComparedTask[]} tasks */
const legend = (tasks) =>
  dom.h(
    "section",
    { "aria-label": "Legend" },
    ...comparison
      .legendOf(tasks)
      .map(([look, n, text]) => dom.h("div", { class: "row legend-line" }, tile(look, look), dom.h("b", {}, format.thousands(n)), text)),
  );

/** @param {ComparedTask} task */
function rowOf(task) {
  const cells = comparison
    .sidesOf(task)
    .map(([name, old, now]) =>
      dom.h(
        "td",
        { class: [name === "state" ? "" : "num", name === "output" ? "mono" : ""].filter(Boolean).join(" ") || null },
        ...(old === now ? [now] : [dom.h("del", {}, old || "none"), " ", dom.h("ins", {}, now || "none")]),
      ),
    );
  const look = comparison.lookOf(task);
  const word = dom.h(
    "span",
    { class: "row tight" },
    dom.icon(states.glyphOf(comparison.glyphOf(task))),
    [comparison.wordOf(task), task.code ? task.code[2] : ""].filter(Boolean).join(": "),
  );
  return dom.h(
    "tr",
    { "data-task": task.key, "data-differs": task.differs, "data-state": look, "data-action": "compared" },
    dom.h("th", { scope: "row" }, dom.button("compared", nameIn(task.key), { class: "plain", "data-task": task.key })),
    dom.h("td", {}, word),
    ...cells,
  );
}
