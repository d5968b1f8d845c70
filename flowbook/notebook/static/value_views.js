/** The previews of an inspector; unchanged ones are reused, so that sorting and scrolling survive. */

import * as dom from "./dom.js";
import { FrameView } from "./frame.js";

/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {import("./frame.js").Source} Source */

/** A frame of fewer rows is shown without a foot. */
const MOST_BARE = 20;

export class ValueViews {
  /** @type {Map<string, {json: string, el: HTMLElement, view: FrameView, end: AbortController}>} */
  #views = new Map();

  /** @param {{signal: AbortSignal, ask: import("./frame.js").Ask}} given */
  constructor(given) {
    this.given = given;
  }

  /** The element of a task's output or input. @param {string} key @param {string} what @param {Preview} preview */
  element(key, what, preview) {
    const slot = `${key} ${what}`;
    const json = JSON.stringify(preview);
    const old = this.#views.get(slot);
    if (old?.json === json) return old.el;
    old?.end.abort();
    const end = new AbortController();
    const el = dom.h("div", { class: "value" });
    const isBare = !preview.page || (preview.page.total <= preview.page.rows.length && preview.page.total < MOST_BARE);
    const signal = AbortSignal.any([this.given.signal, end.signal]);
    const view = new FrameView({ el, preview, source: { key, what }, ask: this.given.ask, signal, isBare });
    this.#views.set(slot, { json, el, view, end });
    return el;
  }

  /** @param {{id: string, frame: import("./frame.js").Page}} message */
  page(message) {
    return [...this.#views.values()].some(({ view }) => view.page(message));
  }

  /** @param {{id: string, html: string}} message */
  rendered(message) {
    return [...this.#views.values()].some(({ view }) => view.rendered(message));
  }

  /** @param {string | null} id @param {string} [why] */
  release(id, why) {
    for (const { view } of this.#views.values()) view.release(id, why);
  }

  clear() {
    for (const { end } of this.#views.values()) end.abort();
    this.#views.clear();
  }
}
