/** The page of the cache: the same browser as in the notebook. */

import cache from "./cache.js";
import * as dom from "./dom.js";
import { PageModel } from "./host_page.js";
import { base, person, shell, tell } from "./page_shell.js";

const [root] = shell("cache");
const el = /** @type {HTMLElement} */ (root);
const end = new AbortController();
const model = new PageModel({ what: "cache", base, by: person, showRun: () => {}, signal: end.signal });
const first = new AbortController();

el.replaceChildren(dom.h("p", { class: "pad dim" }, "Looking into the cache…"));
tell("Cache", null);
model.on(
  "snapshot",
  () => {
    first.abort();
    el.replaceChildren();
    cache.render({ model, root: el, signal: end.signal });
  },
  first.signal,
);
model.on(
  "connection",
  () => {
    const { text } = model.get("connection");
    if (text) el.replaceChildren(dom.h("p", { class: "pad", role: "alert" }, text));
  },
  first.signal,
);
model.begin();
