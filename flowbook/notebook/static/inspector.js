/** The details of one task: the approval card while it is Paused, otherwise tabs with output, inputs, logs, traceback, history. */

import { Approval } from "./approval.js";
import { crumbsOf, sideOf, tabBar, titleOf, whyOf } from "./card_head.js";
import { DiffView } from "./diff.js";
import * as dom from "./dom.js";
import * as format from "./format.js";
import * as states from "./states.js";
import { historyTable, logView } from "./task_history.js";
import { copyText, traceback } from "./traceback.js";
import { headOf, isSaid, whyUnseen } from "./value_body.js";
import { ValueViews } from "./value_views.js";

/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {import("./frame.js").Source} Source */
/** @typedef {import("./frame.js").Request} Request */
/** @typedef {import("./traceback.js").TaskError} TaskError */
/** @typedef {{name: string, from: string | null, preview: Preview | null, text?: string, literal?: string, changed?: string}} Input */
/** @typedef {{key: string, state: string, word?: string, title?: string, label?: string, why?: [string, string | import("./card_head.js").Segment[]][], inputs?: Input[], output?: Preview | null, shown?: Preview[], error?: TaskError | null, logs?: import("./task_history.js").Line[], history?: import("./task_history.js").Earlier[], earlier?: {run: string, at: number, text: string}[], up?: string[], down?: string[], actions?: string[], above?: string}} Details */
/** @typedef {{id: string, label: string}} Tab */

/** Words and titles of what can be done with a task. @type {Record<string, [string, string]>} */
const LABELS = {
  resume: ["Resume", "Runs this task and what waits for it; nothing else runs again"],
  skip: ["Skip", "Skips this task, and what needs it"],
  reject: ["Reject", "The task fails, with your note as the message"],
  debug: ["Debug", "Opens the debugger in the frame that failed, with its inputs as they were"],
  invalidate: ["Invalidate", "Lets its stored outputs expire, so that it runs next time"],
  renew: ["Undo invalidate", "Makes its stored outputs valid again, as they were"],
  retry: ["Retry", "Runs it again with the code as it is now, then what it held up"],
  "to-variable": ["To a variable", "Puts the value into a variable of the notebook"],
};
const RUN_FROM = { "data-choice": "run-from", title: "Plans a run of this task and what lies below it; the rest keeps its results" };
/** If the log is scrolled to less than this from its end, it follows new lines. */
const NEAR_END_PX = 24;

/**
 * The tabs that aren't empty, in order.
 *
 * @param {Details} details
 * @returns {Tab[]}
 */
export function tabsOf({ inputs = [], logs = [], error, history = [] }) {
  return [
    { id: "output", label: "Output" },
    { id: "inputs", label: `Inputs ${inputs.length}` },
    { id: "logs", label: `Logs ${logs.length}` },
    ...(error ? [{ id: "traceback", label: "Traceback" }] : []),
    ...(history.length ? [{ id: "history", label: `History ${history.length}` }] : []),
  ];
}

/**
 * The button that continues the run, or none.
 *
 * @param {Details} details
 */
export function primaryOf({ actions = [], output, above }) {
  const wanted = [...(above ? [] : ["resume"]), ...(output ? ["to-variable"] : [])];
  return wanted.find((action) => actions.includes(action)) ?? null;
}

/** Whether `details` are shown as a card that asks for a decision. @param {{state: string}} details */
export const isCard = (details) => details.state === "Paused";

/** The inspector in `el`. */
export class Inspector {
  /** @type {Details | null} */
  #shown = null;
  /** @type {string | null} */
  #tab = null;
  #json = "";
  #isUnfolded = false;
  #isWide = false;
  /** A comparison instead of the history. @type {{el: HTMLElement, view: DiffView, end: AbortController} | null} */
  #compared = null;
  #values;

  /** @param {{el: HTMLElement, signal: AbortSignal, now: () => number, ask: import("./frame.js").Ask, cannot: ReadonlySet<string>, link: import("./wire.js").Link, onRedraw: () => void}} given `onRedraw` is called after it drew by itself */
  constructor(given) {
    const { el, signal, now, ask, cannot } = given;
    this.given = given;
    this.el = el;
    this.cannot = cannot;
    this.now = now;
    this.#values = new ValueViews({ signal, ask });
    this.approval = new Approval({ el, signal, hasVariables: !cannot.has("to-variable") });
    el.addEventListener("click", (event) => this.#click(event), { signal });
    el.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  /** @param {Details} told */
  update(told) {
    const details = { ...told, actions: told.actions?.filter((action) => !this.cannot.has(action)) };
    const json = JSON.stringify(details);
    if (json === this.#json) return;
    if (details.key !== this.#shown?.key) {
      this.#tab = null;
      this.#isUnfolded = false;
      this.#values.clear();
      this.#endCompare();
    }
    // What was written for one decision isn't said of the next one.
    if (details.key !== this.#shown?.key || !isCard(details)) this.approval.clear();
    this.#json = json;
    this.#shown = details;
    this.#draw();
  }

  /** Before the kernel answered: who it is, and what we wait for. @param {string} key @param {Pick<import("./wire.js").Task, "state" | "word">} task @param {string} text */
  wait(key, { state, word }, text) {
    this.#shown = null;
    this.#json = "";
    dom.set(this.el, { "data-task": key, "data-state": state, "aria-label": `Task ${key}` });
    this.el.replaceChildren(
      dom.h("div", { class: "head" }, titleOf({ key, state, ...(word ? { word } : {}) }), sideOf(key, this.#isWide)),
      dom.h("p", { class: "pad dim" }, text),
    );
  }

  /** Say whether it has the whole width. @param {boolean} isWide */
  widen(isWide) {
    this.#isWide = isWide;
    const button = this.el.querySelector('[data-action="widen"]');
    if (button) dom.set(button, { "aria-pressed": isWide ? "true" : "false", title: isWide ? "Beside the graph again" : "As wide as the panel" });
  }

  /** Take what was asked for: a page, the HTML of a value, a comparison. @param {any} message @returns {boolean} whether it was one of these */
  hear(message) {
    if (message.type === "page") this.#values.page(message);
    else if (message.type === "rendered") this.#values.rendered(message);
    else return message.type === "diff" && (this.#compared?.view.take(message) ?? false);
    return true;
  }

  /** @param {{id: string, ok?: boolean, text?: string}} ack @param {string} slot */
  acked(ack, slot) {
    if (!ack.ok) this.release(ack.id, ack.text);
    if (slot === "keep-difference:") this.#compared?.view.say(ack.text ?? "");
  }

  /** @param {string | null} id @param {string} [why] */
  release(id, why) {
    this.#values.release(id, why);
    this.#compared?.view.release(id, why);
  }

  #draw() {
    const { el } = this;
    const details = this.#shown;
    if (!details) return;
    const active = el.contains(document.activeElement) ? document.activeElement : null;
    const wasTab = active?.getAttribute("role") === "tab";
    const typed = active?.matches("textarea, input") ? /** @type {HTMLElement} */ (active) : null;
    const log = el.querySelector(".logs");
    const isAtEnd = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - NEAR_END_PX;
    const kept = log?.scrollTop ?? 0;
    const label = isCard(details) ? `${details.key} waits for a decision` : `Task ${details.key}`;
    dom.set(el, { "data-task": details.key, "data-state": details.state, "aria-label": label });
    const parts = isCard(details) ? this.#card(details) : this.#tabbed(details);
    el.replaceChildren(...parts.filter((part) => part !== null));
    const drawn = el.querySelector(".logs");
    if (drawn) drawn.scrollTop = isAtEnd ? drawn.scrollHeight : kept;
    if (typed && el.contains(typed)) typed.focus({ preventScroll: true });
    if (wasTab) /** @type {HTMLElement | null} */ (el.querySelector('[role="tab"][aria-selected="true"]'))?.focus({ preventScroll: true });
  }

  /** @param {Details} details */
  #card(details) {
    return this.approval.parts(details, {
      now: this.now(),
      isWide: this.#isWide,
      input: (input, more) => this.#input(details, input, "div", more),
      button: (action, more) => buttonOf(details, action, more),
    });
  }

  /** @param {Details} details */
  #tabbed(details) {
    const tabs = tabsOf(details);
    const chosen = tabs.find(({ id }) => id === this.#tab)?.id ?? (details.error ? "traceback" : "output");
    const offered = offeredBy(details);
    return [
      dom.h("div", { class: "head" }, titleOf(details), sideOf(details.key, this.#isWide)),
      crumbsOf(details),
      details.why?.length ? whyOf(details) : null,
      offered.length ? dom.h("div", { class: "row tight offered" }, ...offered, dom.h("span", { class: "said answer", hidden: true })) : null,
      tabBar(tabs, chosen),
      dom.h("div", { role: "tabpanel", "aria-label": chosen, class: chosen === "output" ? "panel flush" : "panel pad" }, ...this.#content(details, chosen)),
    ];
  }

  /** @param {Details} details @param {string} chosen @returns {(Node | null)[]} */
  #content(details, chosen) {
    const { inputs = [], logs = [], history = [], error } = details;
    if (chosen === "inputs") return inputs.length ? inputs.map((input) => this.#input(details, input, "section")) : [dim("It has no inputs.")];
    if (chosen === "logs") return [logView(logs)];
    if (chosen === "traceback" && error) return traceback(error, this.#isUnfolded);
    if (chosen === "history")
      return this.#compared ? [this.#compared.el] : [historyTable({ key: details.key, history, now: this.now(), ...this.#canDo(details) })];
    return [...this.#output(details), ...this.#displays(details)];
  }

  /** What may be done with an earlier output. @param {Details} details */
  #canDo({ output, down = [] }) {
    const { cannot } = this.given;
    return { canCompare: Boolean(output) && !cannot.has("compare"), canRun: down.length > 0 && !cannot.has("run-from") };
  }

  /** Compare the output of another run with this one. @param {string} run */
  compare(run) {
    const details = this.#shown;
    if (!details) return;
    const { key, history = [] } = details;
    const end = new AbortController();
    const el = dom.h("div", { class: "fork" });
    const choices = () => [
      { version: { key }, text: "this run" },
      ...history
        .filter(({ hash }) => hash)
        .map((each) => ({ version: { run: each.id ?? "", key }, text: `run ${each.run}, ${format.moment(each.at, this.now())}` })),
    ];
    const keep = this.given.cannot.has("to-variable")
      ? null
      : dom.button("keep-difference", "Difference to a variable", { class: "primary", "data-slot": "keep" });
    const view = new DiffView({
      ...{ el, name: key, first: { run, key }, second: { key }, choices, ask: (asked) => this.#askForDiff(asked) },
      buttons: [keep, dom.button("end-compare", "Close", { "data-slot": "close" })],
      signal: AbortSignal.any([this.given.signal, end.signal]),
    });
    this.#compared = { el, view, end };
    this.#draw();
  }

  /** @param {import("./diff.js").Asked} asked */
  #askForDiff(asked) {
    const { link } = this.given;
    return link.status === "live" ? link.command("compare-values", /** @type {any} */ (asked), "compare-values:") : null;
  }

  /** What is compared, as the kernel is asked for it. */
  get difference() {
    return this.#compared?.view.asked ?? null;
  }

  #endCompare() {
    this.#compared?.end.abort();
    this.#compared = null;
  }

  /** What the task displayed while it ran. @param {Details} details */
  #displays({ key, shown = [] }) {
    return shown.map((preview, index) => {
      const head = dom.h("div", { class: "head" }, dom.h("span", { class: "grow dim" }, `Displayed: ${preview.text}`));
      const why = whyUnseen(preview);
      const has = preview.page || preview.repr || preview.body;
      const below = why ? dom.h("div", { class: "pad" }, dim(why)) : has ? this.#values.element(key, `shown:${index}`, preview) : null;
      return dom.h("section", { class: "shown", "data-flowbook": "display" }, head, below);
    });
  }

  /** @param {Details} details */
  #output(details) {
    const value = details.output;
    if (!value) return [dom.h("div", { class: "pad" }, dim(noOutput(details)))];
    const [what, rest] = headOf(value);
    const size = value.size_bytes ? `, ${format.size(value.size_bytes)}` : "";
    const head = dom.h("div", { class: "head" }, dom.h("span", { class: "grow" }, dom.h("b", {}, what), rest ? `, ${rest}` : "", size));
    const why = whyUnseen(value);
    if (why) return [head, dom.h("div", { class: "pad" }, dim(why))];
    return value.page || value.repr || value.body ? [head, this.#values.element(details.key, "output", value)] : [head];
  }

  /** @param {Details} details @param {Input} input @param {"div" | "section"} tag @param {(Node | null)[]} [more] */
  #input(details, input, tag, more = []) {
    const { name, from, preview } = input;
    const what = `input:${name}`;
    const words = preview && typeof preview.body === "string" ? headOf(preview) : [preview?.text ?? input.text ?? ""];
    const text = [...words, from ? `from ${from}` : "", input.changed ?? ""].filter(Boolean).join(", ");
    const keep = details.actions?.includes("to-variable")
      ? dom.button("to-variable", "To a variable", { "data-task": details.key, "data-what": what, title: `Puts ${name} into a variable of the notebook` })
      : null;
    const head = dom.h("div", { class: "row input" }, dom.h("b", { class: "mono" }, name), dom.h("span", { class: "dim grow" }, text), keep);
    const value = preview && !isSaid(preview) && (preview.page || preview.repr || preview.body) ? this.#values.element(details.key, what, preview) : null;
    return dom.h(tag, { class: "in" }, head, value, ...more);
  }

  /** @param {Event} event */
  #click(event) {
    const target = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const action = target?.getAttribute("data-action");
    if (action === "compare-version") this.compare(target?.getAttribute("data-run-id") ?? "");
    else if (action === "end-compare") this.#endCompare();
    else if (action === "tab") this.#tab = target?.getAttribute("data-tab") ?? null;
    else if (action === "all-frames") this.#isUnfolded = true;
    else if (action === "change-input") return this.#openField(target?.getAttribute("data-input") ?? "");
    else if (action === "copy") return void copyText(target, this.#shown?.error?.text ?? "");
    else return;
    event.stopPropagation();
    this.#redraw();
  }

  /** @param {string} name */
  #openField(name) {
    this.approval.open(name);
    this.#redraw();
    this.approval.field(name)?.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = event.target instanceof Element ? event.target.closest('[role="tab"]') : null;
    if (!target || !this.#shown || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    const ids = tabsOf(this.#shown).map(({ id }) => id);
    const next = ids.indexOf(target.getAttribute("data-tab") ?? "") + (event.key === "ArrowRight" ? 1 : -1);
    this.#tab = ids.at(next % ids.length) ?? null;
    event.preventDefault();
    this.#redraw();
  }

  /** Its new controls are as the others of the panel from the first frame on. */
  #redraw() {
    this.#draw();
    this.given.onRedraw();
  }
}

/** @param {Details} details @param {string} action @param {Record<string, string | null>} [more] */
function buttonOf(details, action, more = {}) {
  const [name, title] = LABELS[action] ?? [action, ""];
  const label = action === "retry" && details.why?.[0]?.[0] === "Its children" ? "Retry failed" : name;
  return dom.button(action, label, { "data-task": details.key, title, ...more });
}

/** The buttons beside the tabs. @param {Details} details */
function offeredBy(details) {
  const primary = primaryOf(details);
  const more = (details.actions ?? []).includes("run-from") ? [dom.button("run-from", "Run from here", { ...RUN_FROM, "data-task": details.key })] : [];
  const own = (details.actions ?? [])
    .filter((action) => LABELS[action] && (action !== "to-variable" || details.output))
    .map((action) =>
      buttonOf(details, action, { class: action === primary ? "primary" : null, ...(action === "to-variable" ? { "data-what": "output" } : {}) }),
    );
  // Last, so that its undoing, whose word is longer, moves no other.
  const isLast = (/** @type {HTMLElement} */ { dataset }) => dataset.action === "invalidate" || dataset.action === "renew";
  return [...own.filter((each) => !isLast(each)), ...more, ...own.filter(isLast)];
}

/** @param {string} text */
const dim = (text) => dom.h("p", { class: "dim" }, text);

/** @param {Details} details */
function noOutput({ state, word, why = [] }) {
  if (why.some(([question]) => question === "Its children") && states.isFinished(state))
    return "Each of its children has an output of its own: open one in the table.";
  if (word && word === states.WAS[state]) return "It had no output yet.";
  if (states.isGoing(state)) return "It is still running; its output comes when it is done.";
  if (!states.isFinished(state)) return "It has not run yet.";
  return state === "Success" || state === "Cached" ? "Its output was not kept." : "It gave no output.";
}
