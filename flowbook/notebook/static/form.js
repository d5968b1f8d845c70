/**
 * The form of the parameters: one field each, typed by its default. Values travel as text; Python reads them.
 * Of a secret only a mask comes here; where nothing is typed it goes back, and Python takes the value that it stands for.
 */

import * as dom from "./dom.js";
import { nameIn } from "./names.js";

/** @typedef {import("./graph.js").Parameter} Parameter */

/**
 * The problem with `text`, or null; checks only what can be checked without Python.
 *
 * @param {Parameter} parameter
 * @param {string} text
 */
export function complaint({ name, type, required, secret }, text) {
  const value = text.trim();
  if (!value) return required ? `${name} needs a value.` : null;
  if (secret && value === MASK) return null;
  if (type === "int" && !/^[+-]?\d[\d_]*$/.test(value)) return `${name} is an int: ${JSON.stringify(value)} is not a whole number.`;
  if (type === "float" && Number.isNaN(Number(value.replaceAll("_", "")))) return `${name} is a float: ${JSON.stringify(value)} is not a number.`;
  return null;
}

/** What is said of a parameter's type: its name in Python; one that has no default takes any. @param {Parameter} parameter */
export const typeOf = ({ type, python }) => python || (type === "literal" ? "any type" : type);

/** The text of a default, as the field shows it. @param {Parameter} parameter */
export function textOf({ type, default: value }) {
  if (value === null || value === undefined) return "";
  if (type === "bool") return value ? "true" : "false";
  return String(value);
}

/** What stands for a secret that there is. */
export const MASK = "*****";

const AS_LITERAL = 'Written as in Python or as JSON, e.g. ["JFK", "EWR"], {"n": 1} or 2026-01-28';
let count = 0;

/** The fields in `el`. */
export class ParameterForm {
  /** @type {Map<string, HTMLInputElement>} */
  #fields = new Map();
  /** What stands for a secret that is there, by name. @type {Map<string, string>} */
  #masks = new Map();
  #wrong = dom.h("p", { class: "wrong", role: "alert", hidden: true });

  /**
   * @param {{el: HTMLElement, parameters: Parameter[], values: Record<string, string>, signal: AbortSignal, onSubmit: () => void}} given
   *   `values` are the texts of the run before; they come first
   */
  constructor({ el, parameters, values, signal, onSubmit }) {
    count += 1;
    this.parameters = parameters;
    const form = dom.h("form", { class: "form", "data-flowbook": "parameters" });
    for (const parameter of parameters) form.append(...this.#row(parameter, values[parameter.name] ?? textOf(parameter)));
    form.noValidate = true;
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        onSubmit();
      },
      { signal },
    );
    // A form with one field submits on Enter without a button; with several fields it needs this.
    form.append(dom.h("button", { type: "submit", hidden: true, "aria-hidden": "true", tabindex: -1 }));
    el.append(form, this.#wrong);
  }

  /** The texts by name; null if one can't be, and then the form says which. @returns {Record<string, string> | null} */
  values() {
    /** @type {Record<string, string>} */
    const texts = {};
    this.#wrong.hidden = true;
    for (const parameter of this.parameters) {
      const field = /** @type {HTMLInputElement} */ (this.#fields.get(parameter.name));
      const typed = parameter.type === "bool" ? String(field.checked) : field.value;
      const text = typed || (this.#masks.get(parameter.name) ?? "");
      const why = complaint(parameter, text);
      dom.set(field, { "aria-invalid": why ? "true" : null });
      if (why) {
        dom.say(this.#wrong, why);
        this.#wrong.hidden = false;
        field.focus();
        return null;
      }
      if (text.trim() || (parameter.type === "str" && !parameter.secret)) texts[parameter.name] = text;
    }
    return texts;
  }

  /** @param {Parameter} parameter @param {string} text */
  #row(parameter, text) {
    const id = `fb-p${count}-${parameter.name}`;
    const field = fieldOf(parameter, id, text);
    if (parameter.secret) this.#masks.set(parameter.name, text);
    this.#fields.set(parameter.name, field);
    return [
      dom.h("label", { for: id, class: "mono" }, nameIn(parameter.name)),
      parameter.type === "bool" ? dom.h("span", { class: "check" }, field) : field,
      dom.h("span", { class: "dim", title: parameter.type === "literal" ? AS_LITERAL : null }, typeOf(parameter)),
    ];
  }
}

/** @param {Parameter} parameter @param {string} id @param {string} text */
function fieldOf({ name, type, required, secret }, id, text) {
  const field = dom.h("input", {
    id,
    name,
    "data-action": "parameter",
    type: type === "bool" ? "checkbox" : secret ? "password" : "text",
    autocomplete: secret ? "new-password" : "off",
    spellcheck: "false",
  });
  if (type === "bool") {
    field.checked = text.toLowerCase() === "true";
    return field;
  }
  const isKept = secret && text.includes(MASK);
  field.value = secret ? "" : text;
  dom.set(field, {
    class: type === "literal" ? "mono" : null,
    inputmode: type === "int" ? "numeric" : null,
    required: Boolean(required) && !isKept,
    placeholder: isKept ? "unchanged" : required ? "needed" : null,
    title: secret ? "A secret by its name: it isn't shown, and isn't saved with the notebook" : null,
  });
  return field;
}
