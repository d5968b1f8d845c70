/**
 * The graph: adopts the kernel's SVG once; afterwards only states, texts, glyphs and bars of nodes change.
 *
 * Keeps no state of the run: selection, filter, search and zoom are the view's own.
 */

import * as dom from "./dom.js";
import { EdgeRows } from "./edge_rows.js";
import * as format from "./format.js";
import { keyOfNode, listenToGraph, reach } from "./graph_keys.js";
import { drawnHeight, insideOf, shape, TEXT_X } from "./node_view.js";
import * as states from "./states.js";
import { nameCut } from "./text_fit.js";

/** @typedef {{key: string, kind: string, up: string[], down: string[], x: number, y: number, w: number, h: number, members?: string[]}} GraphNode */
/** @typedef {{name: string, type: string, default?: unknown, required?: boolean, python?: string, secret?: boolean}} Parameter */
/** @typedef {{version: number, flow: string, svg: string, width: number, height: number, nodes: GraphNode[], parameters: Parameter[], tasks?: number, by?: string, aside?: string[]}} Graph */
/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{selected: string | null, filter: string | null, matches: (key: string) => boolean, lit?: (from: string, to: string) => boolean}} Lens `lit` tells which edges stand out while nothing is selected */
/** @typedef {{el: HTMLElement, graph: Graph, view: string, signal: AbortSignal, now: () => number, onSelect: (key: string) => void, onLens: () => void, keys?: string}} Given `keys` says what the keys do */

/** The free space around a node that is scrolled into view. */
const AIR = 12;
/** The space between the canvas's edge and the picture. */
const PADDING = 16;
const ZOOM_STEP = 1.25;
const ZOOM_MOST = 3;
/** Text is 12 px at 1, and never smaller. */
const ZOOM_LEAST = 1;
/** The elements of the kernel's picture that a node keeps; the others are drawn here. */
const ADOPTED = ".box, .under, .tile-bg, .ring, .edit, title, text.name";

/** The graph in `el`. */
export class GraphView {
  /** @type {SVGSVGElement | null} */
  #svg;
  /** @type {Map<string, GraphNode>} */
  #nodes;
  /** @type {Map<string, Element>} */
  #groups = new Map();
  /** @type {Map<string, Task>} */
  #shown = new Map();
  /** The room that each name was cut to, and its full text. @type {Map<string, {room: number, full: string}>} */
  #names = new Map();
  /** @type {EdgeRows | null} */
  #rows = null;
  /** @type {string | null} */
  #focused = null;
  #scale = 1;
  #size = { width: 0, height: 0 };

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    const { el, graph, view, signal } = given;
    this.#nodes = new Map(graph.nodes.map((node) => [node.key, node]));
    this.#svg = dom.parseSvg(graph.svg, view);
    if (this.#svg) this.#adopt(this.#svg);
    else el.replaceChildren(dom.h("p", { class: "pad" }, "The picture of this graph can't be read; “As a table” shows the same tasks."));
    const move = (/** @type {string} */ key) => {
      if (!this.#groups.has(key)) return;
      this.focus(key);
      given.onSelect(key);
    };
    listenToGraph({ el, nodes: this.#nodes, signal, zoom: (how) => this.zoom(how), move });
  }

  /** @param {Iterable<[string, Task]>} tasks */
  update(tasks) {
    for (const [key, task] of tasks) this.#paint(key, task);
  }

  /** Update the running times. */
  tick() {
    for (const [key, task] of this.#shown) {
      if (format.isMadeNote(task)) this.#renew(key, task);
      if (!states.isGoing(task.state) && task.state !== "Paused" && task.state !== "Scheduled") continue;
      const text = this.#groups.get(key)?.querySelector("text.time");
      if (text) dom.say(text, format.timeOf(task, this.given.now()));
    }
  }

  /** Draw a node anew whose third line tells an age, when that has changed. @param {string} key @param {Task} task */
  #renew(key, task) {
    const text = this.#groups.get(key)?.querySelector("text.note title")?.textContent;
    if (text && text !== format.noteOf(task, this.given.now())) this.#paint(key, task);
  }

  /** Light what is selected, filtered and searched for. @param {Lens} lens */
  look({ selected, filter, matches, lit }) {
    const known = selected !== null && this.#nodes.has(selected) ? selected : null;
    const up = known ? reach(this.#nodes, known, "up") : null;
    const down = known ? reach(this.#nodes, known, "down") : null;
    for (const [key, g] of this.#groups) {
      const isRelated = !known || key === known || up?.has(key) || down?.has(key);
      g.classList.toggle("far", !(isRelated && matches(key) && states.isIn(this.#shown.get(key), filter)));
      g.classList.toggle("selected", key === known);
    }
    for (const edge of this.#svg?.querySelectorAll("path.edge") ?? []) {
      const from = edge.getAttribute("data-from") ?? "";
      const to = edge.getAttribute("data-to") ?? "";
      const isUp = known !== null && up?.has(from) === true && (to === known || up.has(to));
      const isDown = known !== null && down?.has(to) === true && (from === known || down.has(from));
      lightEdge(edge, known === null ? Boolean(lit?.(from, to)) : isUp || isDown, known !== null);
    }
    this.#rows?.dim((key) => this.#groups.get(key)?.classList.contains("far") ?? false);
  }

  /** Give the one tab stop to `key`. @param {string} key @param {boolean} [isMoved] whether to move the focus there too */
  focus(key, isMoved = true) {
    const g = this.#groups.get(key);
    if (!g) return;
    if (this.#focused) this.#groups.get(this.#focused)?.setAttribute("tabindex", "-1");
    this.#focused = key;
    g.setAttribute("tabindex", "0");
    if (!isMoved) return;
    /** @type {SVGElement} */ (/** @type {unknown} */ (g)).focus({ preventScroll: true });
    this.show(key);
  }

  /** Bring the whole of a node into the canvas, without scrolling the notebook. @param {string} key */
  show(key) {
    const g = this.#groups.get(key);
    if (!g) return;
    const { el } = this.given;
    const [node, room] = [g.getBoundingClientRect(), el.getBoundingClientRect()];
    el.scrollLeft += past(node.left, node.right, room.left, room.left + el.clientWidth);
    el.scrollTop += past(node.top, node.bottom, room.top, room.top + el.clientHeight);
  }

  /** @param {"in" | "out" | "fit"} how */
  zoom(how) {
    if (!this.#svg) return;
    const { el } = this.given;
    const { width, height } = this.#size;
    const fit = Math.min((el.clientWidth - 2 * PADDING) / width, (el.clientHeight - 2 * PADDING) / height);
    const wanted = how === "fit" ? fit : this.#scale * (how === "in" ? ZOOM_STEP : 1 / ZOOM_STEP);
    const before = this.#scale;
    const scale = Math.min(ZOOM_MOST, Math.max(ZOOM_LEAST, Math.round(wanted * 1000) / 1000));
    this.#scale = scale;
    const middle = { x: (el.scrollLeft + el.clientWidth / 2) / before, y: (el.scrollTop + el.clientHeight / 2) / before };
    dom.set(this.#svg, { width: Math.round(width * scale), height: Math.round(height * scale) });
    this.#tellHeight();
    el.scrollLeft = how === "fit" ? 0 : middle.x * scale - el.clientWidth / 2;
    el.scrollTop = how === "fit" ? 0 : middle.y * scale - el.clientHeight / 2;
    this.given.onLens();
  }

  /** @param {"in" | "out"} way */
  canZoom(way) {
    return this.#svg !== null && (way === "in" ? this.#scale < ZOOM_MOST : this.#scale > ZOOM_LEAST);
  }

  /** Take over the kernel's picture. @param {SVGSVGElement} svg */
  #adopt(svg) {
    const { el, graph } = this.given;
    const [, , width = graph.width, height = graph.height] = (svg.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
    this.#size = { width, height };
    this.#groups = new Map([...svg.querySelectorAll("g.node")].map((g) => [keyOfNode(g) ?? "", g]));
    this.#focused = graph.nodes[0]?.key ?? null;
    for (const [key, g] of this.#groups) {
      const isGroup = this.#nodes.get(key)?.kind === "group";
      const action = isGroup ? "open-group" : "inspect";
      dom.set(g, {
        role: "group",
        tabindex: key === this.#focused ? 0 : -1,
        "data-action": action,
        "aria-roledescription": isGroup ? "group of tasks" : "task",
      });
    }
    const label = svg.getAttribute("aria-label") ?? `Graph of ${graph.flow}`;
    const keys = this.given.keys ?? "Enter inspects, R resumes.";
    dom.set(svg, { width, height, role: "group", "aria-label": `${label}. Arrows go along the edges, page keys by rows, ${keys}` });
    this.#rows = new EdgeRows(svg);
    el.replaceChildren(svg);
    this.#tellHeight();
    this.#beginAtTop();
  }

  /** The canvas has room for the whole picture, as far as it may be that high. */
  #tellHeight() {
    this.given.el.style.setProperty("--fb-natural", `${Math.round(this.#size.height * this.#scale) + 2 * PADDING}px`);
  }

  /** Where the picture is wider than its place, and nobody has panned or chosen yet, the first task is in the middle, not whatever is at the left. */
  #beginAtTop() {
    const { el, graph, signal } = this.given;
    const first = graph.nodes.reduce((found, node) => (found && (found.y < node.y || (found.y === node.y && found.x < node.x)) ? found : node), graph.nodes[0]);
    const watch = new ResizeObserver(() => {
      if (!first || !el.clientWidth || el.scrollLeft || el.querySelector(".node.selected")) return;
      if (PADDING + first.x + first.w > el.clientWidth) el.scrollLeft = PADDING + first.x + (first.w - el.clientWidth) / 2;
    });
    watch.observe(el);
    signal.addEventListener("abort", () => watch.disconnect(), { once: true });
  }

  /** @param {string} key @param {Task} task */
  #paint(key, task) {
    const g = this.#groups.get(key);
    const node = this.#nodes.get(key);
    if (!g || !node || !this.#svg) return;
    const before = this.#shown.get(key);
    this.#shown.set(key, task);
    this.#label(key, task);
    // A user who is pressing Resume at this moment must not lose the button.
    if (before?.state === "Paused" && task.state === "Paused" && !task.counts && !task.told) return;
    const hadFocus = g.contains(document.activeElement) && document.activeElement !== g;
    const { outcome, differs } = task.told ?? {};
    dom.set(g, { "data-state": task.state, "data-word": task.word || null, "data-outcome": outcome, "data-differs": differs });
    const high = drawnHeight(node, task, format.noteOf(task, this.given.now()));
    shape(g, node, high);
    this.#rows?.show(node, high, task.told ? task.told.rows : rowsOf(task));
    const share = task.progress ? format.shareOf(task.progress) : null;
    dom.set(g, { "data-progress": share === null ? null : share.toFixed(2) });
    for (const child of [...g.children]) if (!child.matches(ADOPTED)) child.remove();
    const ring = g.querySelector(".ring");
    for (const part of insideOf(node, task, { now: this.given.now(), svg: this.#svg })) g.insertBefore(part, ring);
    this.#fitName(key, node, task);
    if (hadFocus) /** @type {SVGElement} */ (/** @type {unknown} */ (g)).focus({ preventScroll: true });
  }

  /** @param {string} key @param {Task} task */
  #label(key, task) {
    const words = [key, states.saidOf(task), format.timeOf(task, this.given.now()), format.noteOf(task, this.given.now())];
    this.#groups.get(key)?.setAttribute("aria-label", words.filter(Boolean).join(", "));
  }

  /** @param {string} key @param {GraphNode} node @param {Task} task */
  #fitName(key, node, task) {
    const name = this.#groups.get(key)?.querySelector("text.name");
    const times = task.width ? 7 * format.thousands(task.width).length + 20 : 4;
    const room = node.w - TEXT_X - 8 - times;
    const known = this.#names.get(key);
    if (!name || !this.#svg || known?.room === room) return;
    const full = known?.full ?? key.replace(/\s+/g, " ").trim();
    this.#names.set(key, { room, full });
    dom.say(name, nameCut(full, room, this.#svg));
  }
}

/** How many rows a task's output has, in words. @param {Task} task */
const rowsOf = ({ rows }) => (typeof rows === "number" ? format.plural(rows, "row") : "");

/** @param {Element} edge @param {boolean} isLit @param {boolean} isAnySelected */
function lightEdge(edge, isLit, isAnySelected) {
  const tip = edge.nextElementSibling;
  for (const part of tip?.matches("path.tip") ? [edge, tip] : [edge]) {
    part.classList.toggle("lit", isLit);
    part.classList.toggle("far", isAnySelected && !isLit);
  }
}

/** How far what reaches from `a` to `b` is out of `from` to `to`, with some air. @param {number} a @param {number} b @param {number} from @param {number} to */
function past(a, b, from, to) {
  if (a - AIR < from) return a - AIR - from;
  return b + AIR > to ? Math.min(b + AIR - to, a - AIR - from) : 0;
}
