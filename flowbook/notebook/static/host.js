/**
 * What a view asks of its surroundings: a model, and timers. One signal undoes everything.
 *
 * Each host makes a model in its own way: `host_widget.js`, `host_lab.js`. A view knows none of them.
 */

/**
 * What a host gives a view. The names of its values are also those of the events that tell of a change, without arguments; the event
 * "message" brings what the kernel says.
 *
 * - graph, snapshot: as in docs/wire.md
 * - connection: a Connection
 * - saved: what was kept with the notebook: a Saved, or undefined
 *
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, handler: (message?: any) => void, signal: AbortSignal) => void} on
 * @property {(message: object) => void} send throws where nobody can hear it
 * @property {"lab" | "widget" | "page" | "report"} host what it can't do is not drawn
 * @property {ReadonlySet<string>} [cannot] commands that it never carries out
 * @property {(source: string) => void} [insertCell] puts a cell below the panel's own, where there are cells
 */

/**
 * How the view reaches a kernel.
 *
 * - open: what is sent arrives
 * - opening: soon, or when the running cell ends
 * - none: no kernel has this run; what is shown was kept with the notebook
 * - lost: there was one, and it is gone
 *
 * `text` is a sentence on why, or empty; `remedy` is what can be done about it; `answers` are the types of questions that the host
 * answers itself where no kernel does.
 *
 * @typedef {{state: "open" | "opening" | "none" | "lost", text?: string, remedy?: "make-live" | null, ended?: boolean, answers?: string[]}} Connection
 */

/** @typedef {{at: number, details: Record<string, any>, answers: Record<string, any>, note?: string}} Saved */

/** @type {ReadonlySet<string>} */
const NOTHING = new Set();

/** What a model's host never does. @param {Model} model */
export const cannotOf = (model) => model.cannot ?? NOTHING;

/** A name that no other view has. */
export const viewName = () => crypto.randomUUID?.().slice(0, 8) ?? String(Math.random()).slice(2, 10);

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
