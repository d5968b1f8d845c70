/** Draws the inside of a node of the graph: glyph, word, time, note, bar of its children, buttons. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import * as states from "./states.js";
import { endCut, nameWidth } from "./text_fit.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./graph.js").GraphNode} GraphNode */

export const TEXT_X = 32;
const [TWO_LINES, THREE_LINES, TALL] = [44, 64, 80];
/** The width of a node's third line: from its start to the node's right edge, less some space. */
const NOTE_ROOM = 152;

/**
 * The height of a node: two lines, a note, or its buttons or bar.
 *
 * @param {Pick<GraphNode, "h">} node
 * @param {Task} task
 * @param {string} note
 */
export function drawnHeight({ h }, task, note) {
  if (h >= 72 && (task.counts || asks(task))) return Math.min(h, TALL);
  return note && !asks(task) ? Math.min(h, THREE_LINES) : Math.min(h, TWO_LINES);
}

/** Whether a node has the buttons of a task that waits; where only something is told of it, it has none. @param {Task} task */
const asks = (task) => task.state === "Paused" && !task.told;

/** Make a box as high as its content; the layout reserved room for everything that it may ever show. @param {Element} g @param {GraphNode} node @param {number} high */
export function shape(g, node, high) {
  for (const [part, height] of /** @type {const} */ ([
    [".box", high - 1],
    [".tile-bg", high - 2],
    [".ring", high + 6],
  ])) {
    const rect = g.querySelector(part);
    if (rect) dom.set(rect, { height });
  }
  const under = g.querySelector(".under");
  if (under) dom.set(under, { d: `M4 ${high}v4h${node.w}v-${high}h-4` });
}

/**
 * The elements inside a node, except its boxes and its name.
 *
 * @param {GraphNode} node
 * @param {Task} task
 * @param {{now: number, svg: Element}} given `svg` says which font is measured
 * @returns {SVGElement[]}
 */
export function insideOf(node, task, { now, svg }) {
  const right = node.w - 8;
  const word = states.saidOf(task);
  /** @type {SVGElement[]} */
  const parts = [
    dom.s("g", { class: "glyph", transform: "translate(7 16)" }, ...dom.drawn(states.glyphOfTask(task))),
    dom.s("text", { class: "word", x: TEXT_X, y: 35 }, word, ...shareText(task)),
    ...progressBar(node, task),
  ];
  if (task.width) parts.push(dom.s("text", { class: "end", x: right, y: 18 }, `×${format.thousands(task.width)}`));
  const isWaiting = asks(task);
  const isLow = node.h < 72;
  const isTold = node.h >= 60 && format.isMadeNote(task);
  if (isWaiting && isLow) return [...parts, control("resume", node.key, "Resume", { x: right - 68, y: 18, width: 72 }, task.above)];
  const time = isTold ? "" : format.timeOf(task, now);
  const kept = time || isTold || node.h >= 60 ? "" : keptNote(task);
  // Times are short; what else stands there may not fit beside the word, which is measured as if it were a name, some px too wide.
  const long = kept || (task.told ? time : "");
  const short = long && endCut(long, NOTE_ROOM - nameWidth(word, svg) - 2, svg);
  parts.push(dom.s("text", { class: "end time", x: right, y: 35 }, short || time, ...(long ? [dom.s("title", {}, long)] : [])));
  if (isWaiting && !task.counts) {
    const resume = control("resume", node.key, "Resume", { x: TEXT_X, y: 44, width: 72 }, task.above);
    return [...parts, resume, control("inspect", node.key, "Inputs", { x: 112, y: 44, width: 64 })];
  }
  if (task.counts && !isLow) return [...parts, ...barOf(node, task, svg)];
  return node.h >= 60 ? [...parts, ...noteOf(task, svg, now)] : parts;
}

/** Whose result it is, where there is no third line to say so. @param {Task} task */
const keptNote = ({ note = "" }) => (note.startsWith("kept from ") || note === "left out" ? note : "");

/** How much of a task is done, beside its word. @param {Task} task @returns {SVGElement[]} */
function shareText({ progress }) {
  const share = progress ? format.shareOf(progress) : null;
  return share === null ? [] : [dom.s("tspan", { class: "share", dx: 6 }, `${Math.floor(share * 100)} %`)];
}

/** How much of a task is done, along the lower edge of its box. @param {GraphNode} node @param {Task} task @returns {SVGElement[]} */
function progressBar(node, task) {
  const share = task.progress ? format.shareOf(task.progress) : null;
  if (share === null) return [];
  const y = drawnHeight(node, task, format.noteOf(task, 0)) - 5;
  const room = node.w - TEXT_X - 8;
  const rest = dom.s("rect", { class: "rest", x: TEXT_X, y, width: room, height: 3 });
  const seg = dom.s("rect", { class: "seg", "data-state": task.state, x: TEXT_X, y, width: (room * share).toFixed(1), height: 3 });
  return [dom.s("g", { class: "bar own", "aria-hidden": "true" }, rest, seg)];
}

/** @param {Task} task @param {Element} svg @param {number} now @returns {SVGElement[]} */
function noteOf(task, svg, now) {
  const text = format.noteOf(task, now);
  if (!text) return [];
  const isWarning = task.stale || Boolean(task.lost);
  const short = endCut(text, NOTE_ROOM - (isWarning ? 16 : 0), svg);
  if (!isWarning) return [dom.s("text", { class: "note", x: TEXT_X, y: 53 }, short, dom.s("title", {}, text))];
  const sign = dom.s("g", { class: "glyph-ink", transform: `translate(${TEXT_X} 43)` }, ...dom.drawn(states.SIGNS.warn ?? []));
  return [dom.s("g", { "data-state": "Paused" }, sign), dom.s("text", { class: "note warn", x: TEXT_X + 16, y: 53 }, short, dom.s("title", {}, text))];
}

/** The bar of a mapped task's children; under it how many are in which state or, of one state, the node's note. @param {GraphNode} node @param {Task} task @param {Element} svg @returns {SVGElement[]} */
function barOf(node, task, svg) {
  const counts = states.inOrder(states.spread(task));
  const total = counts.reduce((sum, [, n]) => sum + n, 0) || 1;
  const room = node.w - TEXT_X - 8 - (counts.length - 1);
  const bar = dom.s("g", { class: "bar", "aria-hidden": "true" });
  let x = TEXT_X;
  for (const [state, n] of counts) {
    const wide = Math.max(1.5, (room * n) / total);
    bar.append(dom.s("rect", { class: "seg", "data-state": state, x: x.toFixed(1), y: 44, width: wide.toFixed(1), height: 8 }));
    x += wide + 1;
  }
  const note = task.told ? "" : (task.note ?? "");
  if (!note || counts.length > 1) return [bar, legendOf(node, counts)];
  return [bar, dom.s("text", { class: "note", x: TEXT_X, y: 69 }, endCut(note, NOTE_ROOM, svg), dom.s("title", {}, note))];
}

/** The counts under the bar, as far as there is room. @param {GraphNode} node @param {[string, number][]} counts */
function legendOf(node, counts) {
  const legend = dom.s("g", { class: "counts", "aria-hidden": "true" });
  let x = TEXT_X;
  for (const [state, n] of counts) {
    const text = format.thousands(n);
    const wide = 18 + text.length * 7.5;
    if (x + wide - 6 > node.w - 4) continue;
    const sign = dom.s("g", { class: "glyph-ink", transform: `translate(${x} 60) scale(.8)` }, ...dom.drawn(states.glyphOf(state)));
    legend.append(dom.s("g", { "data-state": state }, sign, dom.s("text", { x: x + 13, y: 69 }, text)));
    x += Math.ceil(wide) + 3;
  }
  return legend;
}

/** @param {string} action @param {string} key @param {string} text @param {{x: number, y: number, width: number}} box @param {string} [above] what above it failed */
const control = (action, key, text, { x, y, width }, above = "") =>
  dom.s(
    "g",
    {
      role: "button",
      tabindex: -1,
      "data-action": action,
      "data-task": key,
      class: action === "resume" && !above ? null : "ctl",
      transform: `translate(${x} ${y})`,
      "aria-label": `${text}: ${key}${above && `, though ${above}`}`,
    },
    ...(above ? [dom.s("title", {}, above)] : []),
    dom.s("rect", { width, height: 24, rx: 2 }),
    dom.s("text", { x: width / 2, y: 16 }, text),
  );
