/** The grip between graph and card: dragged, or moved by the arrow keys, it sets how wide the card is. */

import * as dom from "./dom.js";

export const LEAST_PX = 360;
export const MOST_PX = 560;
export const USUAL_PX = 440;
const STEP_PX = 20;

/** A width that the card may have. @param {number} px */
export const fitting = (px) => Math.round(Math.min(MOST_PX, Math.max(LEAST_PX, px)));

/** The width after a key; null if the key moves nothing. @param {string} key @param {number} px */
export function widthAfter(key, px) {
  if (key === "ArrowLeft") return fitting(px + STEP_PX);
  if (key === "ArrowRight") return fitting(px - STEP_PX);
  if (key === "Home") return LEAST_PX;
  return key === "End" ? MOST_PX : null;
}

export class CardGrip {
  #px = USUAL_PX;

  /** @param {{grip: HTMLElement, body: HTMLElement, signal: AbortSignal}} given */
  constructor({ grip, body, signal }) {
    this.grip = grip;
    this.body = body;
    this.#show();
    grip.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#drag(signal);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const px = widthAfter(event.key, this.#px);
    if (px === null) return;
    event.preventDefault();
    event.stopPropagation();
    this.#set(px);
  }

  /** @param {AbortSignal} signal */
  #drag(signal) {
    const { grip, body } = this;
    const move = (/** @type {PointerEvent} */ event) => {
      if (grip.hasPointerCapture(event.pointerId)) this.#set(fitting(body.getBoundingClientRect().right - event.clientX));
    };
    grip.addEventListener("pointerdown", (event) => grip.setPointerCapture(event.pointerId), { signal });
    grip.addEventListener("pointermove", move, { signal });
  }

  /** @param {number} px */
  #set(px) {
    this.#px = px;
    this.#show();
  }

  #show() {
    this.body.style.setProperty("--fb-card-w", `${this.#px}px`);
    dom.set(this.grip, { "aria-valuenow": this.#px });
  }
}

/** The element of a grip. */
export const gripElement = () =>
  dom.h("div", {
    class: "grip",
    role: "separator",
    tabindex: 0,
    "aria-orientation": "vertical",
    "aria-label": "Width of the card",
    "aria-valuemin": LEAST_PX,
    "aria-valuemax": MOST_PX,
    "aria-valuenow": USUAL_PX,
    title: "Drag, or use the arrow keys, to make the card wider",
  });
