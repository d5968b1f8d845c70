/** Mounts the view of a panel that lives in the Python process that serves this page. */

import { FakeModel } from "./model.js";

const query = new URLSearchParams(location.search);
document.body.dataset.jpThemeLight = query.get("theme") === "dark" ? "false" : "true";

const traits = await (await fetch("/traits")).json();
traits.parts = new DataView(Uint8Array.from(atob(traits.parts), (character) => character.charCodeAt(0)).buffer);
const model = new FakeModel(traits);
model.onSend = (message) => void fetch("/say", { method: "POST", body: JSON.stringify(message) });

const { default: widget } = await import("../../flowbook/notebook/static/loader.js");
const el = /** @type {HTMLElement} */ (document.getElementById("view"));
const end = new AbortController();
await widget.render(/** @type {any} */ ({ model, el, signal: end.signal }));
Object.assign(window, { model });

let heard = traits.heard;
while (!end.signal.aborted) {
  const messages = await (await fetch(`/heard?from=${heard}`)).json();
  heard += messages.length;
  for (const message of messages) {
    if (message.type === "graph") model.set("graph", message.graph);
    else if (message.type !== "kept") model.tell(message);
  }
}
