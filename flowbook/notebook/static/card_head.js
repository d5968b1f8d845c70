/** The head of a task's card: who it is, in what state, why, what is above and below it, and its tabs. */

import * as dom from "./dom.js";
import { nameIn } from "./names.js";
import * as states from "./states.js";
import { parentOf } from "./task_keys.js";

/** @typedef {import("./inspector.js").Details} Details */
/** @typedef {import("./inspector.js").Tab} Tab */
/** A part of an answer: plain text, code, a new value or the old one. @typedef {["text" | "code" | "now" | "was", string]} Segment */

const CRUMBS = 2;

/** @param {Pick<Details, "key" | "state" | "word" | "title" | "label">} details */
export function titleOf({ key, state, word, title, label }) {
  const name = word || state;
  const shown = label || key;
  const about = [label ? key : "", title !== key ? title : ""].filter(Boolean).join(", ");
  return dom.h(
    "span",
    { class: "row title" },
    dom.h("span", { class: "tile", "data-state": state, "data-word": word || null }, dom.icon(states.glyphOf(name))),
    dom.h("h3", {}, nameIn(shown)),
    dom.h("span", { class: "word", "data-state": state, "data-word": word || null }, name),
    about && dom.h("span", { class: "dim ell", title: about }, about),
  );
}

/** The buttons at the end of the head. @param {string} key @param {boolean} isWide */
export const sideOf = (key, isWide) =>
  dom.h(
    "span",
    { class: "row tight side-buttons" },
    ...(parentOf(key) ? [stepper(-1, "previous", "Previous child"), stepper(1, "next", "Next child")] : []),
    dom.button("widen", dom.icon(states.SIGNS.widen ?? []), {
      class: "icon plain",
      title: isWide ? "Beside the graph again" : "As wide as the panel",
      "aria-label": "As wide as the panel",
      "aria-pressed": isWide ? "true" : "false",
    }),
    dom.button("node-menu", dom.icon(states.SIGNS.more ?? []), {
      class: "icon plain",
      "data-task": key,
      title: "Run a part of the flow",
      "aria-label": "Run a part of the flow",
      "aria-haspopup": "menu",
    }),
    dom.button("close", dom.icon(states.SIGNS.close ?? []), { class: "icon plain", title: "Close (Esc)", "aria-label": "Close" }),
  );

/** @param {1 | -1} step @param {string} sign @param {string} label */
const stepper = (step, sign, label) =>
  dom.button("child-step", dom.icon(states.SIGNS[sign] ?? []), { class: "icon plain", "data-step": step, title: label, "aria-label": label });

/** Why it is as it is, as questions and answers; null if there is nothing to say. One question may have several answers. @param {Details} details */
export function whyOf({ why = [] }) {
  if (!why.length) return null;
  const lines = why.flatMap(([question, answer], at) => [
    question === why[at - 1]?.[0] ? null : dom.h("dt", {}, question),
    dom.h("dd", {}, ...answerOf(answer)),
  ]);
  return dom.h("dl", { class: "why" }, ...lines);
}

/** @param {string | Segment[]} answer */
const answerOf = (answer) => (typeof answer === "string" ? [answer] : answer.map(segmentOf));

/** @param {Segment} segment */
function segmentOf([kind, text]) {
  if (kind === "code") return dom.h("code", {}, text);
  if (kind === "now") return dom.h("ins", {}, text);
  return kind === "was" ? dom.h("del", {}, text) : text;
}

/** @param {Tab[]} tabs @param {string} chosen */
export function tabBar(tabs, chosen) {
  const buttons = tabs.map(({ id, label }) => {
    const isChosen = id === chosen;
    const attrs = {
      type: "button",
      role: "tab",
      "data-action": "tab",
      "data-tab": id,
      tabindex: isChosen ? 0 : -1,
      "aria-selected": isChosen ? "true" : "false",
    };
    return dom.h("button", attrs, label);
  });
  return dom.h("div", { class: "tabs", role: "tablist" }, ...buttons);
}

/** What is above and below. @param {Details} details */
export function crumbsOf({ key, up = [], down = [] }) {
  if (!up.length && !down.length) return null;
  const link = (/** @type {string} */ k) => dom.button("inspect", nameIn(k), { "data-task": k, class: "plain" });
  const named = (/** @type {string[]} */ keys) => keys.flatMap((key, at) => (at ? [dom.h("span", { class: "comma" }, ","), link(key)] : [link(key)]));
  const some = (/** @type {string[]} */ keys) => [
    ...named(keys.slice(0, CRUMBS)),
    keys.length > CRUMBS ? dom.h("span", {}, `and ${keys.length - CRUMBS} more`) : null,
  ];
  const arrow = (/** @type {string[]} */ keys) => (keys.length ? dom.icon(states.SIGNS.next ?? []) : null);
  return dom.h("span", { class: "row tight dim crumbs" }, ...some(up), arrow(up), dom.h("b", {}, nameIn(key)), arrow(down), ...some(down));
}
