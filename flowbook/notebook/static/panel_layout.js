/** Creates the fixed elements of a panel, into which all others are put. */

import { gripElement } from "./card_grip.js";
import * as dom from "./dom.js";
import { SIGNS } from "./states.js";

/**
 * Create the fixed elements, into which all others are put.
 *
 * @param {HTMLElement} root
 */
export function build(root) {
  const head = dom.h("div");
  const asTable = dom.button("as-table", "As a table", { "aria-pressed": "false" });
  const tab = dom.h("button", { type: "button", role: "tab", "data-action": "tab", "data-tab": "graph", "aria-selected": "true" }, "Graph");
  const tabs = dom.h(
    "div",
    { class: "tabs" },
    dom.h("div", { role: "tablist", class: "tablist" }, tab),
    dom.h("div", { class: "tools" }, search(), zoom(), asTable),
  );
  const canvas = dom.h("div", { class: "canvas" });
  const table = dom.h("div", { class: "scroll listing", tabindex: 0 });
  const needs = dom.h("section", { "aria-label": "Needs you" }, dom.h("h3", {}, "Needs you"));
  const runTitle = dom.h("h3");
  const form = dom.h("div");
  const facts = dom.h("dl", { class: "kv" });
  const run = dom.h("section", { "aria-label": "This run" }, runTitle, form, facts);
  const rail = dom.h("aside", { class: "rail split" }, needs, run);
  const grip = gripElement();
  const inspector = dom.h("aside", { "data-flowbook": "inspector", class: "card", tabindex: -1 });
  const body = dom.h("div", { class: "body" }, canvas, table, rail, grip, inspector);
  const status = dom.h("p", { class: "sr", role: "status", "aria-live": "polite" });
  root.replaceChildren(head, tabs, body, status);
  return { head, tabs, asTable, canvas, table, needs, runTitle, form, facts, run, rail, body, grip, inspector, status };
}

const search = () =>
  dom.h(
    "label",
    { class: "row tight" },
    dom.h("span", { class: "sr" }, "Find a task"),
    dom.h("input", { "data-action": "search", placeholder: "Find a task", class: "search", autocomplete: "off", spellcheck: "false" }),
  );

const zoom = () =>
  dom.h(
    "span",
    { class: "group" },
    dom.button("zoom-out", icon("minus"), { class: "icon", title: "Zoom out (-)", "aria-label": "Zoom out" }),
    dom.button("zoom-in", icon("plus"), { class: "icon", title: "Zoom in (+)", "aria-label": "Zoom in" }),
    dom.button("fit", icon("fit"), { class: "icon", title: "Fit (0)", "aria-label": "Fit" }),
  );

/** @param {string} name */
const icon = (name) => dom.icon(SIGNS[name] ?? []);
