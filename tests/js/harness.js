/** Mounts a view on a fake model; `window.harness` lets a browser test drive it. */

import * as fixtures from "./fixtures.js";
import { FakeModel } from "./model.js";

const STATIC = "../../flowbook/notebook/static/";

const query = new URLSearchParams(location.search);
const show = query.get("show") ?? "running";
document.body.dataset.jpThemeLight = query.get("theme") === "dark" ? "false" : "true";

const text = async (/** @type {string} */ url) => (await fetch(url)).text();
const json = async (/** @type {string} */ name) => JSON.parse(await text(`fixtures/${name}.json`));
const SHEETS = ["tokens.css", "flowbook.css"];
const isCache = show === "cache";
/** The text of a module and of all that it imports, by name. @param {string} name @param {string} file @param {Record<string, string>} found */
async function withImports(name, file, found) {
  found[name] = await text(`${STATIC}${file}`);
  for (const [, imported = ""] of found[name].matchAll(/\bfrom "\.\/([\w-]+)\.js"/g)) {
    if (!(imported in found)) await withImports(imported, `${imported}.js`, found);
  }
  return found;
}
const sheets = Object.fromEntries(await Promise.all(SHEETS.map(async (name) => [name, await text(`${STATIC}${name}`)])));
const modules = await withImports("main", isCache ? "cache.js" : "panel.js", {});
const texts = { ...(await withImports("host_widget", "host_widget.js", modules)), ...sheets };
const [graph, frames] = await Promise.all([json("graph"), json("frames")]);
const now = Date.now() / 1000;
const details = fixtures.details(now, frames);

const snapshots = {
  running: fixtures.running,
  paused: fixtures.paused,
  failed: fixtures.failed,
  finished: fixtures.finished,
  plan: () => ({ version: 1, seq: 0, run: null, tasks: {} }),
};
const snapshot = isCache ? fixtures.cache(now, frames) : (snapshots[/** @type {keyof typeof snapshots} */ (show)] ?? snapshots.running)(now);
/** Packed as Python packs them. */
const packed = new Blob([JSON.stringify(texts)]).stream().pipeThrough(new CompressionStream("deflate"));
const parts = new DataView(await new Response(packed).arrayBuffer());
const model = new FakeModel({ parts, graph, snapshot });
const harness = { model, graph, snapshot, answers: query.get("answers") !== "no", close: async () => {}, fixtures };

model.onSend = (message) => {
  if (!harness.answers) return;
  queueMicrotask(() => {
    model.tell({ type: "ack", id: message.id, ok: true, text: message.type === "to-variable" ? "report = DataFrame, 10 × 6" : "" });
    if (message.type === "inspect" && message.key && details[message.key]) model.tell({ type: "details", ...details[message.key] });
    if (message.type === "page")
      model.tell({
        type: "page",
        id: message.id,
        frame: { ...frames.joined.page, offset: message.offset, sort: message.sort, descending: message.descending },
      });
  });
};

const { default: widget } = await import(`${STATIC}loader.js`);
const el = /** @type {HTMLElement} */ (document.getElementById("view"));
const end = new AbortController();
const undo = await widget.render({ model, el, signal: end.signal });
harness.close = async () => {
  await undo();
  end.abort();
};
const open = query.get("inspect");
if (open) {
  await new Promise((resolve) => setTimeout(resolve, 150));
  /** @type {HTMLElement | null} */ (el.querySelector(`.rail [data-action="inspect"][data-task="${open}"], g.node[data-task="${open}"]`))?.dispatchEvent(
    new MouseEvent("click", { bubbles: true }),
  );
}
/** A second view of the same model, as "Create New View for Output" makes. */
const again = async () => {
  const other = document.createElement("div");
  el.after(other);
  await widget.render({ model, el: other, signal: end.signal });
};
Object.assign(window, { harness: Object.assign(harness, { again }) });
