/** The form of the parameters: one field each, typed by its default. Values travel as text; Python reads them. */

/** @typedef {import("./graph.js").Parameter} Parameter */
/** @typedef {{dom: typeof import("./dom.js")}} Tools */

/**
 * Say what is wrong with `text`, or null. Only what can be told without Python.
 *
 * @param {Parameter} parameter
 * @param {string} text
 */
export function complaint({ name, type, required }, text) {
  const value = text.trim();
  if (!value) return required ? `${name} needs a value.` : null;
  if (type === "int" && !/^[+-]?\d[\d_]*$/.test(value)) return `${name} is an int: ${JSON.stringify(value)} is not a whole number.`;
  if (type === "float" && Number.isNaN(Number(value.replaceAll("_", "")))) return `${name} is a float: ${JSON.stringify(value)} is not a number.`;
  if (type === "json") return jsonComplaint(name, value);
  return null;
}

/** @param {string} name @param {string} value */
function jsonComplaint(name, value) {
  try {
    JSON.parse(value);
    return null;
  } catch {
    return `${name} is JSON: ${JSON.stringify(value)} can't be read. Write text in double quotes, e.g. ["JFK", "EWR"].`;
  }
}

/** The text of a default, as the field shows it. @param {Parameter} parameter */
export function textOf({ type, default: value }) {
  if (value === null || value === undefined) return "";
  if (type === "json") return JSON.stringify(value);
  if (type === "bool") return value ? "true" : "false";
  return String(value);
}

let count = 0;

/**
 * Show the fields in `el`.
 *
 * @param {{el: HTMLElement, parameters: Parameter[], values: Record<string, string>, tools: Tools, signal: AbortSignal, onSubmit: () => void}} given
 *   `values` are the texts of the run before; they come first
 */
function render({ el, parameters, values, tools: { dom }, signal, onSubmit }) {
  count += 1;
  /** @type {Map<string, HTMLInputElement>} */
  const fields = new Map();
  const wrong = dom.h("p", { class: "wrong", role: "alert" });
  wrong.hidden = true;
  const form = dom.h("form", { class: "form", "data-flowbook": "parameters" });
  for (const parameter of parameters) {
    const id = `fb-p${count}-${parameter.name}`;
    const text = values[parameter.name] ?? textOf(parameter);
    const field = dom.h("input", {
      id,
      name: parameter.name,
      "data-action": "parameter",
      type: parameter.type === "bool" ? "checkbox" : "text",
      autocomplete: "off",
      spellcheck: "false",
    });
    if (parameter.type === "bool") field.checked = text.toLowerCase() === "true";
    else {
      field.value = text;
      dom.set(field, {
        class: parameter.type === "json" ? "mono" : null,
        inputmode: parameter.type === "int" ? "numeric" : null,
        required: Boolean(parameter.required),
        placeholder: parameter.required ? "needed" : null,
      });
    }
    fields.set(parameter.name, field);
    form.append(
      dom.h("label", { for: id, class: "mono" }, parameter.name),
      parameter.type === "bool" ? dom.h("span", { class: "check" }, field) : field,
      dom.h("span", { class: "dim" }, parameter.type),
    );
  }
  form.noValidate = true;
  form.addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      onSubmit();
    },
    { signal },
  );
  // One field submits by Enter without a button; several need this.
  form.append(dom.h("button", { type: "submit", hidden: true, "aria-hidden": "true", tabindex: -1 }));
  el.append(form, wrong);

  return {
    /** The texts by name; null if one can't be, and then the form says which. @returns {Record<string, string> | null} */
    values() {
      /** @type {Record<string, string>} */
      const texts = {};
      wrong.hidden = true;
      for (const parameter of parameters) {
        const field = /** @type {HTMLInputElement} */ (fields.get(parameter.name));
        const text = parameter.type === "bool" ? String(field.checked) : field.value;
        const why = complaint(parameter, text);
        dom.set(field, { "aria-invalid": why ? "true" : null });
        if (why) {
          dom.say(wrong, why);
          wrong.hidden = false;
          field.focus();
          return null;
        }
        if (text.trim() || parameter.type === "str") texts[parameter.name] = text;
      }
      return texts;
    },
  };
}

export default { render };
