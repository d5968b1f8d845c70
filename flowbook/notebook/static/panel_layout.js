/** Creates the fixed elements of a panel, into which all others are put. */

import { gripElement } from "./card_grip.js";
import * as dom from "./dom.js";
import { search, zoom } from "./graph_tools.js";

/** @type {[import("./panel_state.js").Tab, string][]} */
const TABS = [
  ["graph", "Graph"],
  ["timeline", "Timeline"],
  ["logs", "Logs"],
  ["runs", "Runs"],
  ["plan", "Plan"],
];

/** @type {[string, string][]} */
const GROUPINGS = [
  ["auto", "groups if many"],
  ["layer", "groups by layer"],
  ["task", "every task"],
];

/** @param {[string, string]} choice */
const option = ([value, text]) => dom.h("option", { value }, text);

/**
 * Create the fixed elements, into which all others are put.
 *
 * @param {HTMLElement} root
 * @param {ReadonlySet<string>} cannot commands that the host never carries out
 */
export function build(root, cannot) {
  const head = dom.h("div");
  const asTable = dom.button("as-table", "As a table", { "aria-pressed": "false" });
  const replayButton = dom.button("replay-toggle", "Replay", { "aria-pressed": "false", title: "A slider that shows the graph as it was at each moment" });
  const order = dom.h(
    "select",
    { "data-action": "timeline-order" },
    dom.h("option", { value: "start" }, "by start"),
    dom.h("option", { value: "graph" }, "as in the graph"),
  );
  const groupBy = dom.h("select", { "data-action": "group-by", "aria-label": "Groups", title: "Groups of tasks, or every task" }, ...GROUPINGS.map(option));
  const tools = {
    graph: dom.h("div", { class: "tools" }, search(), groupBy, zoom(), replayButton, asTable),
    timeline: dom.h("div", { class: "tools" }, dom.h("label", { class: "row tight" }, "Rows", order)),
    logs: dom.h("div", { class: "tools" }),
    runs: dom.h("div", { class: "tools" }),
    compare: dom.h("div", { class: "tools" }),
    plan: dom.h("div", { class: "tools", "data-tools": "plan" }),
  };
  const tabButtons = TABS.filter(([id]) => !cannot.has(id)).map(([id, label]) =>
    dom.h("button", { type: "button", role: "tab", "data-action": "tab", "data-tab": id }, label),
  );
  const tablist = dom.h("div", { role: "tablist", class: "tablist", "aria-label": "Views" }, ...tabButtons);
  const tabs = dom.h("div", { class: "tabs" }, tablist, ...Object.values(tools));
  const canvas = dom.h("div", { class: "canvas" });
  const table = dom.h("div", { class: "scroll listing", tabindex: 0 });
  const needs = dom.h("section", { "aria-label": "Needs you" }, dom.h("h3", {}, "Needs you"));
  const runTitle = dom.h("h3");
  const form = dom.h("div");
  const facts = dom.h("dl", { class: "kv" });
  const run = dom.h("section", { "aria-label": "This run" }, runTitle, form, facts);
  const rail = dom.h("aside", { class: "rail split" }, needs, run);
  const children = dom.h("section", { class: "stack", "data-flowbook": "children", "aria-label": "Children" });
  const timeline = view("timeline", "Timeline");
  const logs = view("logs", "Logs");
  const runs = view("runs", "Runs");
  const compare = dom.h("section", { class: "compare", "data-flowbook": "compare", "aria-label": "Two runs compared", hidden: true });
  runs.append(compare);
  const plan = view("plan", "Plan");
  const replay = dom.h("section", { class: "replay", "aria-label": "Replay" });
  const grip = gripElement();
  const inspector = dom.h("aside", { "data-flowbook": "inspector", class: "card", tabindex: -1 });
  const body = dom.h("div", { class: "body" }, canvas, table, children, timeline, logs, runs, plan, replay, rail, grip, inspector);
  const status = dom.h("p", { class: "sr", role: "status", "aria-live": "polite" });
  const kept = dom.h("p", { class: "foot part kept", hidden: true });
  root.replaceChildren(head, tabs, body, kept, status);
  return {
    ...{ head, tabs, tabButtons, tools, order, groupBy, asTable, replayButton, kept, status },
    ...{ body, canvas, table, children, timeline, logs, runs, compare, plan, replay, grip, inspector },
    ...{ rail, needs, run, runTitle, form, facts },
  };
}

/** @param {string} name @param {string} label */
const view = (name, label) => dom.h("section", { class: `view view-${name}`, "data-flowbook": name, role: "tabpanel", "aria-label": label });
