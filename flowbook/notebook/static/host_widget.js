/** The model of a view in a widget: the values and messages of an anywidget, and whether its comm is alive. */

import { Events } from "./events.js";

/** @typedef {import("./host.js").Model} Model */
/** @typedef {import("./host.js").Connection} Connection */
/** @typedef {{get: (name: string) => any, on: (name: string, call: (...args: any[]) => void) => void, off: (name: string, call: (...args: any[]) => void) => void, send: (message: any) => void, comm_live?: boolean}} Widget */

const VALUES = ["graph", "snapshot"];

/**
 * @param {{widget: Widget, el: HTMLElement, signal: AbortSignal}} given
 *   `widget` with the values that were taken off it; `el` is the element that the host gave
 * @returns {Model}
 */
export function widgetModel({ widget, el, signal }) {
  const events = new Events();
  let isOver = false;
  /** @type {Record<string, (...args: any[]) => void>} */
  const heard = {
    "msg:custom": (message) => events.tell("message", message),
    "comm:close": () => {
      isOver = true;
      events.tell("connection");
    },
    comm_live_update: () => {
      isOver = false;
      // The host marks the element in the same turn, but maybe after us.
      setTimeout(() => events.tell("connection"), 0);
    },
  };
  for (const name of VALUES) heard[`change:${name}`] = () => events.tell(name);
  for (const [name, call] of Object.entries(heard)) widget.on(name, call);
  signal.addEventListener(
    "abort",
    () => {
      for (const [name, call] of Object.entries(heard)) widget.off(name, call);
    },
    { once: true },
  );
  let wasOpen = false;
  /** @returns {Connection} */
  const connection = () => {
    if (!isOver && isConnected(widget, el)) {
      wasOpen = true;
      return { state: "open" };
    }
    return { state: wasOpen ? "lost" : "none" };
  };
  return {
    host: "widget",
    get: (name) => (name === "connection" ? connection() : VALUES.includes(name) ? widget.get(name) : undefined),
    on: (name, handler, until) => events.on(name, handler, until),
    send: (message) => widget.send(message),
  };
}

/** Whether the kernel can hear: hosts differ in where they say so. @param {Widget} widget @param {HTMLElement} el */
function isConnected({ comm_live: isLive }, el) {
  return typeof isLive === "boolean" ? isLive : el.closest(".jupyter-widgets-disconnected") === null;
}
