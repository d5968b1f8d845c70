/** Connects a view to its host: the model's events, the comm, timers. One signal undoes everything. */

/** @typedef {import("@anywidget/types").AnyModel} Model */

/** Whether the kernel can hear: hosts differ in where they say so. @param {Model} model @param {HTMLElement} el */
export function isConnected(model, el) {
  const { comm_live: isLive } = /** @type {{comm_live?: boolean}} */ (/** @type {unknown} */ (model));
  return typeof isLive === "boolean" ? isLive : el.closest(".jupyter-widgets-disconnected") === null;
}

/** A name that no other view has. */
export const viewName = () => crypto.randomUUID?.().slice(0, 8) ?? String(Math.random()).slice(2, 10);

/** @param {Model} model @param {Record<string, (...args: any[]) => void>} heard @param {AbortSignal} signal */
export function listen(model, heard, signal) {
  for (const [name, call] of Object.entries(heard)) model.on(name, call);
  signal.addEventListener(
    "abort",
    () => {
      for (const [name, call] of Object.entries(heard)) model.off(name, call);
    },
    { once: true },
  );
}

/** Timers that end with the signal. @param {AbortSignal} signal @returns {import("./wire.js").Clock} */
export function clockOf(signal) {
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  const running = new Set();
  signal.addEventListener(
    "abort",
    () => {
      for (const timer of running) clearTimeout(timer);
    },
    { once: true },
  );
  return {
    now: () => Date.now(),
    later(ms, call) {
      const timer = setTimeout(() => {
        running.delete(timer);
        call();
      }, ms);
      running.add(timer);
      return () => {
        clearTimeout(timer);
        running.delete(timer);
      };
    },
  };
}

/** @param {number} ms @param {AbortSignal} signal @param {() => void} call */
export function repeat(ms, signal, call) {
  const timer = setInterval(call, ms);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
