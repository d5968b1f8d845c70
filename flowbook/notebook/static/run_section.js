/** The run's section: the form of its parameters before it runs, their values and the executor afterwards. */

import * as dom from "./dom.js";
import { ParameterForm } from "./form.js";
import { isUnderWay } from "./head.js";

/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./wire.js").Run} Run */

export class RunSection {
  /** @type {ParameterForm | null} */
  #form = null;
  /** @type {Graph["parameters"]} */
  #parameters = [];
  #json = "";
  /** Ends the form of the graph before. @type {AbortController | null} */
  #end = null;

  /** @param {{section: HTMLElement, title: HTMLElement, form: HTMLElement, facts: HTMLElement}} parts */
  constructor(parts) {
    this.parts = parts;
  }

  /** Make the form of another graph. @param {{graph: Graph, run: Run | null, signal: AbortSignal, onSubmit: () => void}} given */
  reset({ graph, run, signal, onSubmit }) {
    const json = JSON.stringify([graph.flow, graph.parameters]);
    // The same graph may come again, drawn otherwise; what was typed stays.
    if (json === this.#json) return;
    this.#json = json;
    this.#end?.abort();
    this.#end = new AbortController();
    this.#parameters = graph.parameters ?? [];
    this.parts.form.replaceChildren();
    this.#form = this.#parameters.length
      ? new ParameterForm({
          el: this.parts.form,
          parameters: this.#parameters,
          values: run?.parameters ?? {},
          signal: AbortSignal.any([signal, this.#end.signal]),
          onSubmit,
        })
      : null;
  }

  /** The texts of the form; null if one is invalid. */
  values() {
    return this.#form ? this.#form.values() : {};
  }

  /** @param {Run | null} run @param {boolean} canRun whether a kernel could start it */
  update(run, canRun) {
    const { section, title, form, facts } = this.parts;
    const canEdit = canRun && this.#form !== null && !isUnderWay(run) && run?.state !== "Paused";
    // A plan holds the form meanwhile: it is of the next run, whatever this one does.
    form.hidden = !canEdit && section.contains(form);
    dom.say(title, canEdit ? "Parameters" : "This run");
    const rows = [...(canEdit ? [] : this.#values(run)), ...(run?.executor ? [["executor", run.executor]] : [])];
    section.hidden = !canEdit && !rows.length;
    const json = JSON.stringify(rows);
    if (facts.dataset.shown === json) return;
    facts.dataset.shown = json;
    const cells = rows.flatMap(([name = "", value = ""]) => [dom.h("dt", {}, name), dom.h("dd", { class: name === "executor" ? null : "mono" }, value)]);
    facts.replaceChildren(...cells);
  }

  /** @param {Run | null} run */
  #values(run) {
    const texts = new Set(this.#parameters.filter(({ type, secret }) => type === "str" && !secret).map(({ name }) => name));
    return Object.entries(run?.parameters ?? {}).map(([name, text]) => [name, texts.has(name) ? JSON.stringify(text) : text]);
  }
}
