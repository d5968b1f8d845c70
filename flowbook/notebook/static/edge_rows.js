/** Rows on the edges: how many rows an output has stands once, right of the edge where it leaves its node. */

import * as dom from "./dom.js";

/** @typedef {import("./graph.js").GraphNode} GraphNode */

const RIGHT_PX = 8;
const BELOW_PX = 16;

/** The number in a text, as a program reads it. @param {string} text */
const digitsOf = (text) => text.replace("\u2212", "-").replace(/[^\d-]/g, "");

export class EdgeRows {
  #layer = dom.s("g", { class: "halo rows", "aria-hidden": "true" });
  /** @type {Map<string, Element[]>} */
  #edges = new Map();
  /** @type {Map<string, Element>} */
  #texts = new Map();

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    for (const edge of svg.querySelectorAll("path.edge")) {
      const from = edge.getAttribute("data-from") ?? "";
      const known = this.#edges.get(from);
      if (known) known.push(edge);
      else this.#edges.set(from, [edge]);
    }
    svg.append(this.#layer);
  }

  /** Say what leaves a node that is drawn `high`, "10 rows"; nothing takes it away. @param {GraphNode} node @param {number} high @param {string | undefined} rows */
  show(node, high, rows) {
    const edges = this.#edges.get(node.key) ?? [];
    const isTold = Boolean(rows) && edges.length > 0;
    for (const edge of edges) dom.set(edge, { "data-rows": isTold ? digitsOf(rows ?? "") : null });
    const known = this.#texts.get(node.key);
    if (!isTold) {
      known?.remove();
      this.#texts.delete(node.key);
      return;
    }
    const text = known ?? dom.s("text");
    dom.set(text, { x: node.x + node.w / 2 + RIGHT_PX, y: node.y + high + BELOW_PX });
    dom.say(text, rows ?? "");
    if (known) return;
    this.#texts.set(node.key, text);
    this.#layer.append(text);
  }

  /** Dim the texts of nodes that are dimmed. @param {(key: string) => boolean} isFar */
  dim(isFar) {
    for (const [key, text] of this.#texts) text.classList.toggle("far", isFar(key));
  }
}
