/** Handlers by name of event, each undone by a signal. */

export class Events {
  /** @type {Map<string, Set<(message?: any) => void>>} */
  #handlers = new Map();

  /** @param {string} name @param {(message?: any) => void} handler @param {AbortSignal} signal */
  on(name, handler, signal) {
    if (signal.aborted) return;
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    signal.addEventListener("abort", () => handlers.delete(handler), { once: true });
  }

  /** @param {string} name @param {any} [message] */
  tell(name, message) {
    for (const handler of [...(this.#handlers.get(name) ?? [])]) handler(message);
  }
}
