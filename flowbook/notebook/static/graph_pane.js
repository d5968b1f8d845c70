/** The graph's place in a panel: makes the drawing of the present graph, and gathers what must be drawn anew. */

import { GraphView } from "./graph.js";

/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./panel_state.js").PanelState} PanelState */
/** @typedef {{el: HTMLElement, view: string, signal: AbortSignal, state: PanelState, now: () => number, onSelect: (key: string) => void, onLens: () => void}} Given */

export class GraphPane {
  /** @type {GraphView | null} */
  drawing = null;
  /** Ends what belongs to the graph that is drawn. @type {AbortController | null} */
  #drawn = null;
  /** Keys to draw anew. @type {Set<string> | "all"} */
  #dirty = "all";
  #isLensDirty = true;

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
  }

  /** Draw another graph. @param {Graph} graph */
  draw(graph) {
    const { el, view, state, now, onSelect, onLens } = this.given;
    this.#drawn?.abort();
    this.#drawn = new AbortController();
    const signal = AbortSignal.any([this.given.signal, this.#drawn.signal]);
    el.replaceChildren();
    state.setGraph(graph);
    this.drawing = new GraphView({ el, graph, view, signal, now, onSelect, onLens });
    this.mark("all");
    this.markLens();
  }

  /** Have these drawn anew. @param {Iterable<string> | "all"} keys */
  mark(keys) {
    if (keys === "all") this.#dirty = "all";
    else if (this.#dirty !== "all") for (const key of keys) this.#dirty.add(this.given.state.nodeOf(key) ?? key);
  }

  /** What is selected, filtered or searched for has changed. */
  markLens() {
    this.#isLensDirty = true;
  }

  /** Draw what was marked. */
  update() {
    const { state } = this.given;
    const changed = this.#dirty === "all" ? state.keys : [...this.#dirty].filter((key) => state.keys.has(key));
    this.#dirty = new Set();
    this.drawing?.update([...changed].map((key) => [key, state.seen(key)]));
    if (this.#isLensDirty || state.filter) this.drawing?.look({ selected: state.selected, filter: state.filter, matches: (key) => state.matches(key) });
    this.#isLensDirty = false;
  }
}
