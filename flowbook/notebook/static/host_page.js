/** The model of a view on a page of the server's: told by a stream, heard by posts. */

import { Events } from "./events.js";
import { PageStream } from "./page_stream.js";

/** @typedef {import("./host.js").Model} Model */

/** What a page can't do: it has no code, no variables and no kernel. */
const CANNOT = new Set([
  "run",
  "run-menu",
  "node-menu",
  "run-plan",
  "run-from",
  "without-cache",
  "render",
  "debug",
  "invalidate",
  "only-changed",
  "hand-over",
  "take-back",
  "to-variable",
]);

/** @implements {Model} */
export class PageModel {
  /** @type {"page"} */
  host = "page";
  cannot = CANNOT;
  #events = new Events();
  /** @type {Record<string, any>} */
  #values = { connection: { state: "opening" } };
  #stream;

  /**
   * @param {{what: string, base: URL, by: () => string, showRun: (run: string) => void, signal: AbortSignal, headers?: () => Record<string, string>, begin?: string}} given
   *   `showRun` goes to another run's page; a view begins with `begin`, as if the server said so
   */
  constructor(given) {
    this.given = given;
    const { what, base, by, signal, headers } = given;
    this.#stream = new PageStream({
      ...{ what, base, by, signal, headers },
      onMessage: (message) => this.#hear(message),
      onConnection: (connection) => this.#set("connection", connection),
    });
  }

  begin() {
    this.#stream.begin();
  }

  /** @param {string} name */
  get(name) {
    return this.#values[name];
  }

  /** @param {string} name @param {(message?: any) => void} handler @param {AbortSignal} signal */
  on(name, handler, signal) {
    this.#events.on(name, handler, signal);
  }

  /** @param {{type?: string, id?: string, run?: string}} message */
  send(message) {
    if (message.type !== "show-run") return this.#stream.say(message);
    this.given.showRun(message.run ?? "");
    queueMicrotask(() => this.#events.tell("message", { type: "ack", id: message.id, ok: true, text: "" }));
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "graph") this.#set("graph", message.graph);
    else if (message.type === "snapshot") {
      if (this.given.begin) message.begin = this.given.begin;
      this.#values.snapshot = message;
      this.#events.tell("snapshot");
      this.#events.tell("message", message);
    } else this.#events.tell("message", message);
  }

  /** @param {string} name @param {any} value */
  #set(name, value) {
    this.#values[name] = value;
    this.#events.tell(name);
  }
}
