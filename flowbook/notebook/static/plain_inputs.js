/** The inputs of a task that waits which are told in a line: what was approved last beside them, and a field for those that may be changed. */

import * as dom from "./dom.js";

/** @typedef {import("./page_approve.js").Input} Input */
/** @typedef {import("./page_approve.js").Approved} Approved */

export class PlainInputs {
  /** Fields that were asked for, by the input's name. @type {Map<string, HTMLInputElement>} */
  #fields = new Map();
  /** @type {Map<string, string>} */
  #literals = new Map();

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
  }

  /** The texts that were changed, by name. @returns {Record<string, string>} */
  changes() {
    const typed = [...this.#fields].map(([name, field]) => /** @type {const} */ ([name, field.value.trim()]));
    return Object.fromEntries(typed.filter(([name, text]) => text && text !== this.#literals.get(name)));
  }

  /** @param {Input[]} inputs @param {Approved | null} approved */
  list(inputs, approved) {
    return dom.h("dl", { class: "kv" }, ...inputs.flatMap((input) => [dom.h("dt", { class: "mono" }, input.name), this.#value(input, approved)]));
  }

  /** @param {Input} input @param {Approved | null} approved */
  #value(input, approved) {
    const { name, from, literal, text, preview, before, changeable } = input;
    this.#literals.set(name, literal);
    const isOther = before !== null && !before.same;
    const known = this.#fields.get(name);
    const shown = known ?? dom.h(isOther ? "ins" : "span", { class: "mono wrap" }, literal || preview?.repr || text);
    const beside = [
      isOther ? [", was ", dom.h("del", { class: "mono wrap" }, before.text)] : [],
      before?.same ? [dom.h("span", { class: "dim" }, `, the same${approved ? ` as in run ${approved.run}` : ""}`)] : [],
      from ? [dom.h("span", { class: "dim" }, `, from ${from}`)] : [],
    ].flat();
    return dom.h("dd", {}, shown, ...beside, changeable && !known ? this.#changer(shown, name) : null);
  }

  /** What makes a field of a value. @param {HTMLElement} shown @param {string} name */
  #changer(shown, name) {
    const button = dom.button("change-input", "Change", { class: "plain change", "aria-label": `Change ${name}` });
    button.addEventListener("click", () => {
      const field = this.#field(name);
      shown.replaceWith(field);
      button.replaceWith(dom.h("span", { class: "dim" }, ". A change is recorded"));
      field.focus();
    });
    return button;
  }

  /** @param {string} name */
  #field(name) {
    const field = dom.h("input", { class: "mono", "aria-label": `Value of ${name}`, maxlength: 1000, autocomplete: "off", spellcheck: "false" });
    field.value = this.#literals.get(name) ?? "";
    field.addEventListener("input", this.onChange);
    this.#fields.set(name, field);
    return field;
  }
}
