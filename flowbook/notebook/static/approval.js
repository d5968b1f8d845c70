/** The card of a task that waits for a person: what it would get, changed if wanted, the note, the answers, and earlier decisions. */

import { sideOf, titleOf, whyOf } from "./card_head.js";
import * as dom from "./dom.js";
import * as format from "./format.js";
import { historyList } from "./task_history.js";

/** @typedef {import("./inspector.js").Details} Details */
/** @typedef {import("./inspector.js").Input} Input */
/** @typedef {{now: number, isWide: boolean, input: (input: Input, more: (Node | null)[]) => Node, button: (action: string, more?: Record<string, string | null>) => Node}} Given */

const ANSWERS = ["skip", "reject"];

/** What was typed for inputs that is another text than they have. @param {Iterable<[string, string]>} typed @param {Input[]} inputs */
export function changesOf(typed, inputs) {
  const had = new Map(inputs.map(({ name, literal }) => [name, literal ?? ""]));
  return Object.fromEntries([...typed].map(([name, text]) => [name, text.trim()]).filter(([name = "", text]) => text && text !== had.get(name)));
}

/** The word on the button that goes on. @param {string[]} changed names of inputs */
export const resumeText = (changed) => (changed.length ? `Resume with another ${changed.join(", ")}` : "Resume");

export class Approval {
  #note = dom.h("textarea", { "data-action": "note", placeholder: "Why? It is kept with the run.", "aria-label": "Note" });
  /** Fields of the inputs that can be changed, by name. @type {Map<string, HTMLInputElement>} */
  #fields = new Map();
  /** Inputs from other tasks whose field was asked for. @type {Set<string>} */
  #opened = new Set();
  /** @type {Details | null} */
  #shown = null;

  /** @param {{el: HTMLElement, signal: AbortSignal, hasVariables: boolean}} given `hasVariables`: whether an input may be a variable's value */
  constructor({ el, signal, hasVariables }) {
    this.el = el;
    this.hasVariables = hasVariables;
    el.addEventListener("input", () => this.#showChanges(), { signal });
  }

  /** Forget what was written: another task is shown, or this one was decided about. */
  clear() {
    this.#note.value = "";
    this.#fields.clear();
    this.#opened.clear();
  }

  note() {
    return this.#note.value.trim();
  }

  /** The inputs that were changed, as texts by name. @returns {Record<string, string>} */
  inputs() {
    const typed = /** @type {[string, string][]} */ ([...this.#fields].map(([name, field]) => [name, field.value]));
    return changesOf(typed, this.#shown?.inputs ?? []);
  }

  /** Show a field for an input from another task. @param {string} name */
  open(name) {
    this.#opened.add(name);
  }

  /** The field of an input, to move the focus to. @param {string} name */
  field(name) {
    return this.#fields.get(name) ?? null;
  }

  /** @param {Details} details @param {Given} given */
  parts(details, given) {
    this.#shown = details;
    const { inputs = [], why = [] } = details;
    const count = dom.h("span", { class: "dim" }, inputs.length ? format.plural(inputs.length, "input") : "no inputs");
    return [
      dom.h("div", { class: "head" }, titleOf(details), sideOf(details.key, given.isWide)),
      why.length ? dom.h("section", {}, whyOf(details)) : null,
      dom.h(
        "section",
        { class: "inputs" },
        dom.h("div", { class: "row" }, dom.h("h4", {}, "What it would get"), count),
        ...inputs.map((input) => given.input(input, this.#change(details, input))),
      ),
      this.#answers(details, given),
      earlierOf(details, given.now),
    ];
  }

  /** What changes an input: a field with its literal, or a button that offers one. @param {Details} details @param {Input} input */
  #change(details, { name, literal, from }) {
    if (!details.actions?.includes("change-input")) return [];
    if ((!literal || from) && !this.#opened.has(name)) {
      return [
        dom.button("change-input", `Change ${name}…`, {
          "data-input": name,
          title: this.hasVariables
            ? "Takes a value, such as 20 or 2026-01-28, or the name of a variable, as $name"
            : "Takes a value, such as 20, JFK or 2026-01-28",
        }),
      ];
    }
    const known = this.#fields.get(name);
    const field = known ?? dom.h("input", { name, "aria-label": `Value of ${name}`, spellcheck: "false", autocomplete: "off", class: "mono" });
    if (!known) {
      field.value = literal ?? "";
      field.placeholder = this.hasVariables ? "a value, or $variable" : "a value";
      this.#fields.set(name, field);
    }
    return [dom.h("label", { class: "row change" }, field, dom.h("span", { class: "dim" }, "a change is recorded"))];
  }

  /** @param {Details} details @param {Given} given */
  #answers(details, { button }) {
    const actions = details.actions ?? ["resume"];
    const others = ANSWERS.filter((action) => actions.includes(action)).map((action) => button(action));
    const resume = actions.includes("resume") ? button("resume", { class: details.above ? null : "primary" }) : null;
    // What is answered stands behind them all, so that it moves none.
    const buttons = dom.h("div", { class: "row answers" }, resume, ...others, dom.h("span", { class: "said answer", hidden: true }));
    if (!resume && !others.length) return null;
    if (!others.length) return dom.h("section", { class: "verdict" }, buttons);
    const when = actions.includes("reject") ? "needed to reject, otherwise optional" : "optional";
    const about = dom.h("div", { class: "row about" }, dom.h("h4", {}, "Note"), dom.h("span", { class: "dim" }, when));
    return dom.h("section", { class: "verdict" }, about, this.#note, buttons);
  }

  #showChanges() {
    const resume = this.el.querySelector('.answers [data-action="resume"]');
    if (resume) dom.say(resume, resumeText(Object.keys(this.inputs())));
  }
}

/** What people decided before; where nobody did, how the task fared. @param {Details} details @param {number} now */
function earlierOf({ earlier = [], history = [] }, now) {
  if (!earlier.length) return history.length ? dom.h("section", {}, dom.h("h4", {}, "Earlier runs"), historyList(history, now)) : null;
  const lines = earlier.flatMap(({ run, at, text }) => [dom.h("dt", {}, `run ${run}, ${format.moment(at, now)}`), dom.h("dd", {}, text)]);
  return dom.h("section", { class: "earlier" }, dom.h("h4", {}, "Earlier decisions"), dom.h("dl", { class: "kv" }, ...lines));
}
