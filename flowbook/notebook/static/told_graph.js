/**
 * A graph of which something else is told than the states of a run: what a plan or a comparison says of each task. It has its own
 * search, zoom, and opened group.
 */

import { ChildrenView } from "./children.js";
import * as dom from "./dom.js";
import { GraphView } from "./graph.js";
import { keyOfNode } from "./graph_keys.js";
import { search, zoom } from "./graph_tools.js";
import { groupPage } from "./group_page.js";
import { PanelState } from "./panel_state.js";

/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./wire.js").Task} Task */
/**
 * @typedef {object} Given
 * @property {HTMLElement} tools what stands above it
 * @property {string} view a name that no other picture of the page has
 * @property {AbortSignal} signal
 * @property {import("./wire.js").Clock} clock
 * @property {Record<string, string>} words what is said of a square in a state
 * @property {Record<string, string>} heads of the table of a group's tasks, in place of state, rows, duration, message
 * @property {(members: [string, Task][]) => Task} group what a group shows for its tasks
 * @property {(key: string | null) => void} onChoose a task was chosen, or none is any more
 * @property {(from: Task, to: Task) => boolean} [lit] which edges stand out
 */

const KEYS = "Enter tells more.";
/** @type {Record<string, "in" | "out" | "fit">} */
const ZOOMS = { "zoom-in": "in", "zoom-out": "out", fit: "fit" };

export class ToldGraph {
  canvas = dom.h("div", { class: "canvas" });
  stack = dom.h("section", { class: "stack", "aria-label": "Tasks of a group", hidden: true });
  tools = dom.h("span", { class: "row tight", "data-own": true }, search(), zoom());
  #state = new PanelState({ version: 1, flow: "", svg: "", width: 0, height: 0, nodes: [], parameters: [] });
  /** @type {GraphView | null} */
  #drawing = null;
  /** Ends the graph that is drawn. @type {AbortController | null} */
  #end = null;
  /** @type {string | null} */
  #chosen = null;
  /** What each node shows, as text. @type {Map<string, string>} */
  #drawn = new Map();

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    const { signal, clock, words, heads } = given;
    const ask = (/** @type {string} */ key, /** @type {import("./children.js").Wish} */ wish) => this.#showGroup(key, wish);
    this.children = new ChildrenView({ el: this.stack, signal, clock, now: () => 0, ask, words, heads });
    for (const part of [this.canvas, this.stack, this.tools]) {
      part.addEventListener("click", (event) => this.#act(event), { signal });
      part.addEventListener("keydown", (event) => this.#key(event), { signal });
    }
    this.tools.addEventListener("input", (event) => this.#search(event), { signal });
  }

  /** Whether this graph is drawn. @param {Graph} graph */
  shows(graph) {
    return this.#state.graph === graph;
  }

  /** @param {Graph} graph */
  draw(graph) {
    this.#end?.abort();
    this.#end = new AbortController();
    this.#drawn.clear();
    const query = this.#state.query;
    this.#state = new PanelState(graph);
    this.#state.query = query;
    this.#state.setGraph(graph);
    this.#drawing = new GraphView({
      ...{ el: this.canvas, graph, view: this.given.view, keys: KEYS, now: () => 0 },
      signal: AbortSignal.any([this.given.signal, this.#end.signal]),
      onSelect: (key) => this.#light(key),
      onLens: () => this.#dress(),
    });
    this.#open(null);
    this.#dress();
  }

  /** Say this of the tasks, by key. @param {Map<string, Task>} tasks */
  tell(tasks) {
    const state = this.#state;
    state.past = tasks;
    const seen = [...state.keys].map((key) => /** @type {[string, Task]} */ ([key, this.#seen(key)]));
    this.#drawing?.update(seen.filter(([key, task]) => this.#isNew(key, task)));
    if (state.opened) this.children.refresh();
    this.choose(this.#chosen !== null && tasks.has(this.#chosen) ? this.#chosen : null);
  }

  /** Choose a task, or none. @param {string | null} key */
  choose(key) {
    this.#chosen = key;
    this.#light(key === null ? null : this.#state.nodeOf(key));
    if (this.#state.opened) this.children.show(key);
    this.given.onChoose(key);
  }

  /** Open the group that a task is in, or bring its node into sight; one that isn't in the graph is only chosen. @param {string} key */
  show(key) {
    const node = this.#state.nodeOf(key);
    if (!node) return this.choose(key);
    if (this.#state.membersOf(node)) this.#open(node);
    else {
      this.#open(null);
      this.#drawing?.focus(node);
    }
    this.choose(key);
  }

  /** @param {string} key */
  #seen(key) {
    const members = this.#membersOf(key);
    return members ? this.given.group(members) : this.#state.seenTask(key);
  }

  /** The tasks of a group, without what was given: parameters are no tasks to people; null for a task. @param {string} key */
  #membersOf(key) {
    return this.#state.membersOf(key)?.filter(([, task]) => task.told?.outcome !== "given") ?? null;
  }

  /** Whether a node doesn't show this yet: to draw a node costs more than to look. @param {string} key @param {Task} task */
  #isNew(key, task) {
    const text = JSON.stringify(task);
    const isNew = this.#drawn.get(key) !== text;
    this.#drawn.set(key, text);
    return isNew;
  }

  /** @param {string | null} selected */
  #light(selected) {
    const state = this.#state;
    state.selected = selected;
    const { lit = () => false } = this.given;
    this.#drawing?.look({ selected, filter: null, matches: (key) => state.matches(key), lit: (from, to) => lit(this.#seen(from), this.#seen(to)) });
  }

  /** @param {string | null} key */
  #open(key) {
    const state = this.#state;
    state.opened = key;
    this.stack.hidden = key === null;
    this.canvas.hidden = key !== null;
    const node = state.graph.nodes.find((each) => each.key === key);
    if (key !== null) this.children.open({ key, up: node?.up ?? [], down: node?.down ?? [], isGroup: true });
  }

  #leave() {
    const { opened } = this.#state;
    this.#open(null);
    if (opened) this.#drawing?.focus(opened);
  }

  /** @param {string} key @param {import("./children.js").Wish} wish */
  #showGroup(key, wish) {
    const members = this.#membersOf(key);
    if (members) this.children.update(groupPage(key, members, wish), this.#chosen);
  }

  #dress() {
    for (const [action, way] of Object.entries(ZOOMS)) {
      const isEnd = way !== "fit" && !this.#drawing?.canZoom(way);
      dom.set(/** @type {Element} */ (this.tools.querySelector(`[data-action="${action}"]`)), { "aria-disabled": isEnd ? "true" : null });
    }
  }

  // What a person does. What is done here isn't the panel's.

  /** @param {Event} event */
  #act(event) {
    const control = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    if (control && this.#done(control.getAttribute("data-action") ?? "", control)) event.stopPropagation();
  }

  /** @param {string} action @param {Element} control */
  #done(action, control) {
    const key = keyOfNode(control) ?? "";
    if (ZOOMS[action]) this.#drawing?.zoom(ZOOMS[action]);
    else if (action === "inspect") this.choose(key);
    else if (action === "open-group") this.#open(key);
    else if (action === "back-to-graph") this.#leave();
    else if (action === "go-to-node") this.show(key);
    else return false;
    return true;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { target } = event;
    if (!(target instanceof Element) || event.ctrlKey || event.metaKey || event.altKey) return;
    const control = target.closest('g.node, [role="gridcell"]');
    const isPress = event.key === "Enter" || event.key === " ";
    if (control && isPress) this.#done(control.getAttribute("data-action") ?? "", control);
    else if (event.key === "Enter" && target.matches(".search") && this.tools.contains(target)) this.#find(/** @type {HTMLInputElement} */ (target).value);
    else if (event.key === "Escape" && (this.#state.opened || this.#chosen)) this.#escape();
    else if (!control || event.key.toLowerCase() !== "r") return;
    event.preventDefault();
    event.stopPropagation();
  }

  #escape() {
    if (this.#chosen) this.choose(null);
    else this.#leave();
  }

  /** @param {Event} event */
  #search(event) {
    event.stopPropagation();
    this.#state.query = /** @type {HTMLInputElement} */ (event.target).value;
    this.#light(this.#state.selected);
  }

  /** @param {string} query */
  #find(query) {
    const found = this.#state.find(query);
    if (found) this.show(found);
  }
}
