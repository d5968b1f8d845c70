/** The runs of a store as the page knows them: asked for while somebody may look, through whichever kernel answers. */

import { clock } from "./format.js";
import { repeat, viewName } from "./host.js";
import { PageStream } from "./page_stream.js";

/** @typedef {{id: string, flow: string, number: number, state: string, message: string, since: number | null, started: number | null, ended: number | null, due: number | null, took_s: number | null, takes_s?: number | null, counts: Record<string, number>, origin: string, where?: string}} Row */
/** @typedef {{now: number, runs: Row[], text?: string}} Sent */

const EVERY_MS = 3000;
const DAY_S = 86_400;
const FAILED = new Set(["Failed", "TimedOut", "ValidationFailed", "Crashed", "TriggerFailed"]);
const GOING = new Set(["Running", "Cancelling", "Retrying", "Pending", "Resume", "Queued"]);
const TO_COME = new Set(["Scheduled", "Submitted"]);

/** Whether a run ended in the last 24 hours: what ended just before midnight is news in the morning. Of one whose process died its last sign of life counts. @param {Row} run @param {number} now */
export function isEndedLately({ state, ended, since }, now) {
  const at = ended ?? (FAILED.has(state) ? since : null);
  return at !== null && now - at < DAY_S;
}

/** How long a run will go on, by how long the last ones took: `0:35`; empty if it isn't known. @param {Row} run @param {number} now */
export function leftOf({ state, started, takes_s = null }, now) {
  if (state !== "Running" || started === null || takes_s === null || takes_s === undefined) return "";
  const left = takes_s - (now - started);
  return left > 1 ? clock(left) : "";
}

/**
 * The runs by what they ask of a person, the newest first.
 *
 * @param {Row[]} runs
 * @param {number} now seconds since the epoch
 */
export function grouped(runs, now) {
  return {
    waiting: runs.filter(({ state }) => state === "Paused"),
    going: runs.filter(({ state, started }) => GOING.has(state) && started !== null),
    failed: runs.filter((run) => FAILED.has(run.state) && isEndedLately(run, now)),
    scheduled: runs.filter(({ state }) => TO_COME.has(state)).sort((a, b) => (a.due ?? 0) - (b.due ?? 0)),
  };
}

/**
 * What is new about runs: those that wait, failed or ended since the last look. A run that is seen for the first time is news only if it
 * came to this since then.
 *
 * @param {Map<string, string>} before states by run
 * @param {Row[]} runs
 * @param {number} since the moment of the last look
 * @returns {Row[]}
 */
export function news(before, runs, since) {
  const isNew = (/** @type {Row} */ run) => (before.has(run.id) ? before.get(run.id) !== run.state : (run.ended ?? run.started ?? 0) > since);
  return runs.filter((run) => (run.state === "Paused" || FAILED.has(run.state) || run.state === "Success") && isNew(run));
}

export class Overview {
  /** @type {Sent | null} */
  sent = null;
  /** @type {Map<string, string>} */
  #states = new Map();
  #count = 0;
  /** @type {Map<string, (answer: {ok: boolean, text: string}) => void>} */
  #asked = new Map();
  #view = viewName();
  /** The server extension, while it answers. @type {PageStream | null} */
  #server = null;

  /**
   * @param {{links: import("./lab_connection.js").Links, kernel: () => any, server: import("./lab_server.js").Server | null, onChange: () => void, onNews: (run: Row) => void, signal: AbortSignal}} given
   *   `kernel` is that of the notebook in front
   */
  constructor(given) {
    this.given = given;
    const { links, signal } = given;
    links.on("page", (message) => this.#hear(message), signal);
    links.on(
      "link",
      () => {
        if (this.link) this.ask();
        else this.#giveUp();
        given.onChange();
      },
      signal,
    );
    links.on("rest", () => this.ask(), signal);
    repeat(EVERY_MS, signal, () => document.hidden || this.ask());
    this.#askServer();
  }

  /** Be told by the server extension, if there is one: it needs no kernel. */
  #askServer() {
    const { server, signal, onChange } = this.given;
    if (!server) return;
    const stream = new PageStream({
      ...{ what: "runs", base: server.base, headers: server.headers, by: () => "", signal },
      onMessage: (message) => this.#hear(message),
      onConnection: ({ state }) => {
        this.#server = state === "open" ? stream : null;
        if (state === "lost") this.#giveUp();
        onChange();
      },
    });
    stream.begin();
  }

  /** Whether the server answers, so that no kernel is needed. */
  get hasServer() {
    return this.#server !== null;
  }

  /** Whether somebody answers. */
  get isReached() {
    return this.hasServer || this.link !== null;
  }

  get link() {
    return this.given.links.open(this.given.kernel());
  }

  ask() {
    if (!this.#server) this.link?.send({ type: "overview" });
  }

  /** @param {string} run @param {"resume" | "skip" | "reject" | "retry" | "cancel" | "cancel-now"} action @param {string} [note] @returns {Promise<{ok: boolean, text: string}>} */
  act(run, action, note = "") {
    // A kernel that shows the run goes on with it by the notebook's own definitions; a server only has those recorded.
    const own = this.given.links.showing(run);
    const server = own ? null : this.#server;
    const link = own ?? this.link;
    if (!server && !link) return Promise.resolve({ ok: false, text: "No kernel here knows flowbook. Run %load_ext flowbook in a notebook first." });
    this.#count += 1;
    const id = `${this.#view}-act-${this.#count}`;
    const message = { type: "act", id, run, action, ...(note ? { note } : {}) };
    if (server) server.say({ ...message, view: this.#view });
    else link?.send(message);
    return new Promise((resolve) => this.#asked.set(id, resolve));
  }

  /** No answer will come to what was asked. */
  #giveUp() {
    for (const answer of this.#asked.values()) answer({ ok: false, text: "There was no answer. Check whether it was done." });
    this.#asked.clear();
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === "ack") {
      this.#asked.get(message.id)?.(message);
      this.#asked.delete(message.id);
    }
    if (message.type !== "overview") return;
    const found = this.sent ? news(this.#states, message.runs, this.sent.now) : [];
    this.sent = message;
    this.#states = new Map(message.runs.map((/** @type {Row} */ { id, state }) => [id, state]));
    this.given.onChange();
    for (const run of found) this.given.onNews(run);
  }
}
