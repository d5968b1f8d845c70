/** The page of one run: the panel itself, live. */

import * as dom from "./dom.js";
import { PageModel } from "./host_page.js";
import { base, person, shell, tell } from "./page_shell.js";
import panel from "./panel.js";

const [root] = shell("runs");
const run = decodeURIComponent(location.pathname.split("/").pop() ?? "");
/** Of the run to compare this one with, where a link says so. */
const other = new URLSearchParams(location.search).get("compare");
const end = new AbortController();
const model = new PageModel({
  what: `run:${run}`,
  base,
  by: person,
  showRun: (id) => location.assign(new URL(`runs/${encodeURIComponent(id)}`, base)),
  signal: end.signal,
  ...(other ? { begin: `compare:${other}` } : {}),
});

begin(/** @type {HTMLElement} */ (root));

/** @param {HTMLElement} el */
function begin(el) {
  const first = new AbortController();
  el.replaceChildren(dom.h("p", { class: "pad dim" }, `Looking for run ${run.slice(0, 40)}…`));
  model.on(
    "snapshot",
    () => {
      if (!model.get("graph")) return;
      first.abort();
      el.replaceChildren();
      panel.render({ model, root: el, signal: end.signal });
      tellState();
      if (!other) choose();
    },
    first.signal,
  );
  model.on("connection", () => sayWhy(el), first.signal);
  model.on("message", () => requestAnimationFrame(tellState), end.signal);
  model.begin();
}

/** @param {HTMLElement} el */
function sayWhy(el) {
  const { text } = model.get("connection");
  if (text) el.replaceChildren(dom.h("p", { class: "pad", role: "alert" }, text));
}

function tellState() {
  const [el] = document.getElementsByClassName("fb").length > 1 ? [document.getElementsByClassName("fb")[1]] : [null];
  const state = el?.getAttribute("data-state");
  if (!state || state === document.body.dataset.told) return;
  document.body.dataset.told = state;
  tell(`${el?.getAttribute("data-flow")} run ${el?.getAttribute("data-run")}: ${state}`, state);
}

/** Open the task that a link names, or the one that waits alone. */
function choose() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  requestAnimationFrame(() => {
    const all = [...document.querySelectorAll('g.node[data-state="Paused"]')];
    const node = wanted ? document.querySelector(`g.node[data-task="${CSS.escape(wanted)}"]`) : all.length === 1 ? all[0] : null;
    node?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  });
}
