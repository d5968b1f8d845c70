/** What stands above a graph: a field that finds a task, and the buttons that zoom. */

import * as dom from "./dom.js";
import { SIGNS } from "./states.js";

/** A field that finds a task. */
export const search = () =>
  dom.h(
    "label",
    { class: "row tight" },
    dom.h("span", { class: "sr" }, "Find a task"),
    dom.h("input", { "data-action": "search", placeholder: "Find a task", class: "search", autocomplete: "off", spellcheck: "false" }),
  );

/** Buttons that zoom. */
export const zoom = () =>
  dom.h(
    "span",
    { class: "group" },
    dom.button("zoom-out", icon("minus"), { class: "icon", title: "Zoom out (-)", "aria-label": "Zoom out" }),
    dom.button("zoom-in", icon("plus"), { class: "icon", title: "Zoom in (+)", "aria-label": "Zoom in" }),
    dom.button("fit", icon("fit"), { class: "icon", title: "Fit (0)", "aria-label": "Fit" }),
  );

/** @param {string} name */
const icon = (name) => dom.icon(SIGNS[name] ?? []);
