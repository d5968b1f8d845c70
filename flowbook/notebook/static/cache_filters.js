/** The filters of the cache browser: the kernel sets the first ones; afterwards only the user changes the fields. */

import * as dom from "./dom.js";

/** @typedef {{flows: string[], tasks: string[], types: string[]}} Names */

const TYPING_MS = 300;

export class CacheFilters {
  #flow = dom.h("select", { name: "flow", "data-action": "filter-flow", "aria-label": "Flow" });
  #task = dom.h("select", { name: "task", "data-action": "filter-task", "aria-label": "Task" });
  #kind = dom.h("select", { name: "kind", "data-action": "filter-type", "aria-label": "Type" });
  #parameters = dom.h("input", {
    name: "parameters",
    "data-action": "filter-parameters",
    class: "filter",
    placeholder: "parameters, e.g. origin=JFK",
    "aria-label": "Parameters",
    autocomplete: "off",
    spellcheck: "false",
  });
  el = dom.h("span", { class: "row tight" }, this.#flow, this.#task, this.#kind, this.#parameters);

  /**
   * @param {{clock: import("./wire.js").Clock, signal: AbortSignal, onChange: (fields: Record<string, string | null>) => boolean}} given
   *   `onChange` returns false if it can't take the fields yet
   */
  constructor({ clock, signal, onChange }) {
    /** @type {(() => void) | null} */
    let waiting = null;
    const send = () => {
      waiting = onChange(this.#fields()) ? null : clock.later(TYPING_MS, send);
    };
    const sendLater = () => {
      waiting?.();
      waiting = clock.later(TYPING_MS, send);
    };
    for (const field of [this.#flow, this.#task, this.#kind]) field.addEventListener("change", send, { signal });
    this.#parameters.addEventListener("input", sendLater, { signal });
  }

  get isSet() {
    return Object.values(this.#fields()).some((text) => text !== null);
  }

  /** Take what the kernel filters by at first. @param {Record<string, string>} filter */
  begin(filter) {
    for (const field of this.#all) field.value = filter[field.name] ?? "";
  }

  /** @param {Names} names @param {string | null} why they can't be used */
  update({ flows, tasks, types }, why) {
    fill(this.#flow, "every flow", flows, (name) => `flow: ${name}`);
    fill(this.#task, "every task", tasks, (name) => name);
    fill(this.#kind, "every type", types, (name) => name);
    for (const field of this.#all) dom.set(field, { disabled: why !== null, title: why });
  }

  get #all() {
    return [this.#flow, this.#task, this.#kind, this.#parameters];
  }

  #fields() {
    return Object.fromEntries(this.#all.map((field) => [field.name, field.value.trim() || null]));
  }
}

/** @param {HTMLSelectElement} field @param {string} all @param {string[]} names @param {(name: string) => string} label */
function fill(field, all, names, label) {
  const json = JSON.stringify(names);
  if (field.dataset.names === json) return;
  const kept = field.value;
  field.dataset.names = json;
  field.replaceChildren(dom.h("option", { value: "" }, all), ...names.map((name) => dom.h("option", { value: name }, label(name))));
  field.value = names.includes(kept) ? kept : "";
}
