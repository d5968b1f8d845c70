/** The slider of the cache browser: the moment whose entries are shown, on the axis of time. */

import { moved, ticks } from "./axis.js";
import * as dom from "./dom.js";
import { date, day } from "./format.js";

/** @typedef {import("./axis.js").Axis} Axis */

/** A tick's word nearer to the word "now" than this is left out. */
const NEAR_PX = 24;

export class TimeSlider {
  el = dom.s("svg", { role: "slider", tabindex: 0, "data-action": "as-of", "aria-label": "As of" });
  isDragged = false;
  /** @type {Axis | null} */
  #axis = null;
  #moment = 0;

  /** @param {{signal: AbortSignal, canMove: () => boolean, onMove: (moment: number) => void}} given */
  constructor({ signal, canMove, onMove }) {
    const { el } = this;
    const momentOf = (/** @type {PointerEvent} */ event) => this.#axis?.at(event.clientX - el.getBoundingClientRect().left) ?? 0;
    const press = (/** @type {PointerEvent} */ event) => {
      if (event.button !== 0 || !canMove()) return;
      this.isDragged = true;
      el.setPointerCapture(event.pointerId);
      onMove(momentOf(event));
    };
    const release = () => {
      this.isDragged = false;
    };
    el.addEventListener("pointerdown", press, { signal });
    el.addEventListener("pointermove", (event) => this.isDragged && onMove(momentOf(event)), { signal });
    el.addEventListener("pointerup", release, { signal });
    el.addEventListener("pointercancel", release, { signal });
    el.addEventListener("keydown", (event) => this.#key(event, onMove), { signal });
  }

  /** @param {Axis} axis @param {number} moment @param {boolean} isLive */
  draw(axis, moment, isLive) {
    this.#axis = axis;
    this.#moment = moment;
    const { x, now, first, width } = axis;
    const knob = x(moment).toFixed(1);
    const end = x(now).toFixed(1);
    this.el.replaceChildren(
      ...ticksOf(axis),
      dom.s("path", { class: "track", d: `M8 34H${end}` }),
      dom.s("path", { class: "track done", d: `M8 34H${knob}` }),
      dom.s("path", { class: "edge", d: `M${end} 26v16` }),
      dom.s("text", { x: (x(now) + 10).toFixed(1), y: 38 }, "now"),
      dom.s("circle", { class: "knob", cx: knob, cy: 34, r: 7 }),
      dom.s("path", { class: "asof", d: `M${knob} 41V52` }),
    );
    dom.set(this.el, {
      viewBox: `0 0 ${width} 52`,
      "aria-valuemin": Math.round(first),
      "aria-valuemax": Math.round(now),
      "aria-valuenow": Math.round(moment),
      "aria-valuetext": date(moment),
      "aria-disabled": isLive ? null : "true",
    });
  }

  /** @param {KeyboardEvent} event @param {(moment: number) => void} onMove */
  #key(event, onMove) {
    const next = this.#axis ? moved(this.#axis, this.#moment, event.key) : null;
    if (next === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onMove(next);
  }
}

/** @param {Axis} axis */
function ticksOf(axis) {
  const { x, now } = axis;
  return ticks(axis, day).flatMap(({ at, label }) => {
    const line = dom.s("path", { class: "tl", d: `M${x(at).toFixed(1)} 20v28` });
    return x(now) - x(at) < NEAR_PX ? [line] : [line, dom.s("text", { x: (x(at) + 4).toFixed(1), y: 14 }, label)];
  });
}
