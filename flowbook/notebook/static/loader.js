/**
 * The code of a widget that the host imports: moves code and data off the model, and starts the view.
 *
 * A host that saves the state of widgets into the notebook saves the model. So large data and user data are moved from the model
 * into this module as they arrive; empty values stay on the model. Nothing here calls `save_changes`, so the kernel's values are
 * unchanged. The host imports this module anew for each widget, so its data belong to one widget.
 */

/** @typedef {import("@anywidget/types").AnyModel} Model */
/** @typedef {typeof import("./host_widget.js")} Host */
/** @typedef {{default: {render: (given: {model: import("./host.js").Model, root: HTMLElement, signal: AbortSignal}) => void}}} View */

const TAKEN = ["parts", "graph", "snapshot"];
const MAIN = "main";
const HOST = "host_widget";
const SHEET = ".css";

/** @typedef {{view: View, host: Host, sheet: string}} Loaded */

/** @type {Map<string, any>} */
const kept = new Map();
/** @type {Map<string, Set<(...args: any[]) => void>>} */
const heard = new Map();
/** @type {Promise<Loaded> | null} */
let loaded = null;

/** `from"./NAME.js"`: the form in which modules import each other. */
const FROM = /\bfrom ?"\.\/([\w-]+)\.js"/g;

/**
 * Import modules from their texts, and the modules that they import from theirs.
 *
 * @param {Record<string, string>} texts by name, style sheets among them
 * @param {string[]} names
 * @param {(text: string) => {url: string, revoke: () => void}} [toUrl]
 * @returns {Promise<any[]>} the named modules
 */
export async function load(texts, names, toUrl = blobUrl) {
  /** @type {Map<string, {url: string, revoke: () => void}>} */
  const made = new Map();
  /** @param {string} name @returns {string} */
  const urlOf = (name) => {
    const text = texts[name];
    if (text === undefined) throw new Error(`There is no part ${name}.`);
    /** @type {{url: string, revoke: () => void}} */
    const found = made.get(name) ?? toUrl(text.replace(FROM, (_, imported) => `from "${urlOf(imported)}"`));
    made.set(name, found);
    return found.url;
  };
  try {
    return await Promise.all(names.map((name) => import(/* @vite-ignore */ urlOf(name))));
  } finally {
    for (const { revoke } of made.values()) revoke();
  }
}

/** Read texts by name from what Python packed. @param {BlobPart} packed @returns {Promise<Record<string, string>>} */
export async function unpackParts(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** The style sheets among the parts, as one. @param {Record<string, string>} parts */
export const sheetOf = (parts) =>
  Object.entries(parts)
    .filter(([name]) => name.endsWith(SHEET))
    .map(([, text]) => text)
    .join("\n");

/** @param {string} text */
function blobUrl(text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return { url, revoke: () => URL.revokeObjectURL(url) };
}

/** Take what came from the model, now and whenever it changes. @param {Model} model @param {AbortSignal | undefined} signal */
function watch(model, signal) {
  for (const name of TAKEN) {
    const taking = () => take(model, name);
    model.on(`change:${name}`, taking);
    signal?.addEventListener("abort", () => model.off(`change:${name}`, taking), { once: true });
    taking();
  }
}

/** @param {Model} model @param {string} name */
function take(model, name) {
  const value = model.get(name);
  const isBytes = ArrayBuffer.isView(value);
  if (!value || (isBytes ? value.byteLength : Object.keys(value).length) === 0) return;
  kept.set(name, value);
  model.set(name, isBytes ? new DataView(new ArrayBuffer(0)) : {});
  for (const call of [...(heard.get(`change:${name}`) ?? [])]) call();
}

/** The widget with what was taken off it. @param {Model} model @returns {import("./host_widget.js").Widget} */
function whole(model) {
  const isTaken = (/** @type {string} */ event) => TAKEN.some((name) => event === `change:${name}`);
  return {
    get: (name) => kept.get(name) ?? model.get(name),
    send: (message) => model.send(message),
    on(name, call) {
      if (!isTaken(name)) return model.on(name, call);
      heard.set(name, (heard.get(name) ?? new Set()).add(call));
    },
    off(name, call) {
      if (isTaken(name)) heard.get(name)?.delete(call);
      else model.off(name, call);
    },
    get comm_live() {
      return /** @type {{comm_live?: boolean}} */ (/** @type {unknown} */ (model)).comm_live;
    },
  };
}

/** @param {{model: Model, signal?: AbortSignal}} props */
function initialize({ model, signal }) {
  watch(model, signal);
  begin();
  try {
    // From here on, the kernel may close the model.
    model.send({ type: "made" });
  } catch {
    // No kernel hears it, so none waits for it.
  }
}

/** Start importing the parts while the host prepares the view. */
function begin() {
  const parts = kept.get("parts");
  if (parts) loaded ??= loadAll(parts);
  // `render` reports the error.
  loaded?.catch(() => {});
  return loaded;
}

/** @param {BlobPart} packed @returns {Promise<Loaded>} */
async function loadAll(packed) {
  const parts = await unpackParts(packed);
  const [view, host] = await load(parts, [MAIN, HOST]);
  return { view, host, sheet: sheetOf(parts) };
}

/** @param {import("@anywidget/types").RenderProps} props */
async function render({ model, el, signal }) {
  const end = new AbortController();
  const ended = signal ? AbortSignal.any([signal, end.signal]) : end.signal;
  watch(model, ended);
  const root = document.createElement("div");
  root.className = "fb";
  // JupyterLab's single-key shortcuts (r, 0 0, Enter, arrows) must not act on the cell while somebody works in here.
  root.dataset.lmSuppressShortcuts = "true";
  const sheet = document.createElement("style");
  el.append(sheet, root);
  try {
    const found = await begin();
    if (!found) throw new Error("It was not saved with the notebook: run its cell again.");
    const { view, host } = found;
    sheet.textContent = found.sheet;
    if (!ended.aborted) view.default.render({ model: host.widgetModel({ widget: whole(model), el, signal: ended }), root, signal: ended });
  } catch (error) {
    root.textContent = `There is no live view. ${error instanceof Error ? error.message : String(error)}`;
  }
  return () => {
    end.abort();
    sheet.remove();
    root.remove();
  };
}

export default { initialize, render };
