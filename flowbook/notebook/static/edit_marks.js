/** Marks on the graph's nodes: a pencil on tasks that were edited since the run, a dot on those below them. */

import * as dom from "./dom.js";
import * as states from "./states.js";

/** @typedef {import("./wire.js").Run} Run */

const WORDS = { edited: "edited since this run", stale: "below a task that was edited since" };

/** By key, how a task is marked. @param {Pick<Run, "edited" | "stale"> | null} run @returns {Map<string, "edited" | "stale">} */
export function marksOf(run) {
  /** @type {Map<string, "edited" | "stale">} */
  const marks = new Map();
  for (const key of run?.stale ?? []) marks.set(key, "stale");
  for (const key of run?.edited ?? []) marks.set(key, "edited");
  return marks;
}

/** One sentence on what was edited; "" if nothing was. @param {Pick<Run, "edited" | "stale"> | null} run */
export function editsIn(run) {
  const edited = run?.edited ?? [];
  if (!edited.length) return "";
  const named = edited.length > 2 ? `${edited[0]} and ${edited.length - 1} more` : edited.join(" and ");
  return `${named} ${edited.length === 1 ? "was" : "were"} edited since`;
}

/** How many tasks would run if only what changed did. @param {Pick<Run, "edited" | "stale"> | null} run */
export const editCount = (run) => (run?.edited?.length ? run.edited.length + (run.stale?.length ?? 0) : 0);

/** Bring the marks of all nodes in `root` up to date. @param {Element} root @param {Run | null} run */
export function markEdits(root, run) {
  const marks = marksOf(run);
  for (const node of root.querySelectorAll("g.node[data-task]")) {
    const kind = marks.get(node.getAttribute("data-task") ?? "") ?? null;
    const sign = node.querySelector(":scope > .edit");
    if ((node.getAttribute("data-edit") ?? null) === kind && Boolean(sign) === Boolean(kind)) continue;
    dom.set(node, { "data-edit": kind });
    sign?.remove();
    if (kind) node.append(signOf(node, kind));
  }
}

/** @param {Element} node @param {"edited" | "stale"} kind */
function signOf(node, kind) {
  const wide = Number(node.querySelector(".box")?.getAttribute("width") ?? 191);
  const drawn = kind === "edited" ? dom.drawn(states.SIGNS.pencil ?? []) : [dom.s("circle", { cx: 6, cy: 6, r: 2.5 })];
  return dom.s(
    "g",
    { class: "edit glyph-ink", transform: `translate(${wide - 12} -8)`, role: "img", "aria-label": WORDS[kind] },
    dom.s("circle", { class: "ground", cx: 6, cy: 6, r: 9 }),
    ...drawn,
    dom.s("title", {}, WORDS[kind]),
  );
}
