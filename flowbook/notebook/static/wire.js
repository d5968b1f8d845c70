/**
 * The view's end of the wire: applies numbered patches, says hello until it is acknowledged, tracks commands.
 *
 * No DOM; the clock and the timers are arguments, so that every rule here can be tested.
 */

/** @typedef {{id: string, number?: string, state: string, message?: string, stage: "new" | "running" | "waiting" | "over", started?: number | null, ended?: number | null, waits_since?: number | null, rested_s?: number, parameters?: Record<string, string>, executor?: string, notice?: string, edited?: string[], stale?: string[], where?: string}} Run */
/** @typedef {{state: string, word?: string, message?: string, since?: number | null, duration_s?: number | null, attempt?: number, max_attempts?: number, due?: number | null, width?: number | null, counts?: Record<string, number> | null, note?: string, stale?: boolean, created?: number | null, label?: string, rows?: number | null, lost?: string, rejected?: boolean, above?: string, maker?: string, progress?: Progress | null, told?: Told}} Task */
/** What a plan or a comparison says of a task, in place of what its state says. @typedef {{outcome?: string, differs?: string, word: string, beside: string, rows?: string, glyph?: string}} Told */
/** @typedef {{done: number, total: number | null, text: string, unit: string, rate: number | null}} Progress */
/** @typedef {{version: number, seq: number, now?: number, run: Run | null, tasks: Record<string, Task>}} Snapshot */
/** @typedef {{seq: number, now?: number, run?: Run, tasks: Record<string, Task>}} Patch */
/** @typedef {"waiting" | "live" | "saved" | "unavailable"} Status */
/** @typedef {{ok: boolean, text: string}} Said */
/** @typedef {{now: () => number, later: (ms: number, call: () => void) => () => void}} Clock */

const HELLO_EVERY_MS = 700;
const HELLO_SLOWLY_MS = 10_000;
const GIVE_UP_MS = 20_000;
const SILENCE_MS = 15_000;
/** A person who clicked and sees nothing for so long is told what the click waits for. */
const LATE_MS = 1_000;
const KEPT_PATCHES = 500;
/** What a view is when it can't reach a kernel. @type {Record<string, Status>} */
const STATUS_OF = { opening: "waiting", none: "saved", lost: "unavailable" };

/** The state of a run, made from snapshots and numbered patches; after a gap it waits for a snapshot. */
export class Fold {
  seq = -1;
  /** @type {Run | null} */
  run = null;
  /** @type {Map<string, Task>} */
  tasks = new Map();
  /** Patches that came too early; they wait for the snapshot that closes the gap. @type {Patch[]} */
  #early = [];

  /** Take the next snapshot whatever its number is: another kernel counts anew. */
  reset() {
    this.seq = -1;
    this.#early = [];
  }

  /**
   * Apply a snapshot. One that is older than the present state is ignored, unless it is of another run.
   *
   * @param {Snapshot} snapshot
   * @returns {"all" | "old" | "gap"}
   */
  snapshot(snapshot) {
    const same = (snapshot.run?.id ?? null) === (this.run?.id ?? null);
    if (same && snapshot.seq < this.seq) return "old";
    this.seq = snapshot.seq;
    this.run = snapshot.run;
    this.tasks = new Map(Object.entries(snapshot.tasks));
    const early = this.#early.filter((patch) => patch.seq > snapshot.seq);
    this.#early = [];
    return early.map((patch) => this.patch(patch)).includes("gap") ? "gap" : "all";
  }

  /**
   * Apply a patch.
   *
   * @param {Patch} patch
   * @returns {Set<string> | "old" | "gap"} the keys that changed
   */
  patch(patch) {
    if (patch.seq <= this.seq) return "old";
    if (patch.seq > this.seq + 1) {
      this.#early = [...this.#early, patch].slice(-KEPT_PATCHES);
      return "gap";
    }
    this.seq = patch.seq;
    if (patch.run) this.run = patch.run;
    for (const [key, task] of Object.entries(patch.tasks)) this.tasks.set(key, task);
    return new Set(Object.keys(patch.tasks));
  }
}

/** The commands of one view. Each has an id; a click while the same command waits is ignored. */
export class Commands {
  /** @type {Map<string, string>} id to slot */
  #sent = new Map();
  /** @type {Map<string, string>} slot to id */
  #waiting = new Map();
  /** @type {Map<string, Said>} */
  #said = new Map();
  #count = 0;

  /** @param {string} view a name no other view has; ids begin with it */
  constructor(view) {
    this.view = view;
  }

  /**
   * Open a command for `slot`, e.g. `resume:approve`.
   *
   * @param {string} slot
   * @returns {string | null} the id to send, or null if one is under way
   */
  open(slot) {
    if (this.#waiting.has(slot)) return null;
    this.#count += 1;
    const id = `${this.view}-${this.#count}`;
    this.#waiting.set(slot, id);
    this.#sent.set(id, slot);
    this.#said.delete(slot);
    return id;
  }

  /**
   * Close the command that an ack names.
   *
   * @param {{id: string, ok: boolean, text?: string}} ack
   * @returns {string | null} its slot; null if it is not of this view
   */
  close(ack) {
    const slot = this.#sent.get(ack.id);
    if (slot === undefined) return null;
    this.#sent.delete(ack.id);
    if (this.#waiting.get(slot) === ack.id) this.#waiting.delete(slot);
    if (ack.text) this.#said.set(slot, { ok: ack.ok, text: ack.text });
    return slot;
  }

  /** Whether a command of this view waits for its answer under that id. @param {string} id */
  isOwn(id) {
    return this.#sent.has(id);
  }

  /** Close all waiting commands, as no answer will come. @param {string} text */
  drop(text) {
    for (const slot of this.#waiting.keys()) this.#said.set(slot, { ok: false, text });
    this.#waiting.clear();
    this.#sent.clear();
  }

  /** @param {string} slot */
  isWaiting(slot) {
    return this.#waiting.has(slot);
  }

  /** @param {string} id of a command */
  awaits(id) {
    return this.#sent.has(id);
  }

  get isAnyWaiting() {
    return this.#waiting.size > 0;
  }

  /** What the kernel said to the last command of `slot`. @param {string} slot */
  said(slot) {
    return this.#said.get(slot);
  }

  /** What was said last to one of `slots`. @param {string[]} slots */
  newest(slots) {
    return [...this.#said].findLast(([slot]) => slots.includes(slot))?.[1];
  }

  /** Forget what was said about `slots` that match. @param {(slot: string) => boolean} matches */
  forget(matches) {
    for (const slot of [...this.#said.keys()]) if (matches(slot)) this.#said.delete(slot);
  }
}

/** The connection: says hello every 700 ms until acknowledged, and again after a gap or a long silence. */
export class Link {
  /** @type {Status} */
  status = "waiting";
  hasGivenUp = false;
  /** Kernel's clock minus ours, in seconds. */
  skew_s = 0;
  /** @type {string | null} */
  #hello = null;
  #helloSince = 0;
  #heard = 0;
  #count = 0;
  #isClosed = false;
  #isOpen = false;
  #isCommandLate = false;
  /** Types of questions that the host answers itself. @type {string[]} */
  #answers = [];
  /** @type {(() => void) | null} */
  #stopHello = null;
  /** @type {(() => void) | null} */
  #stopWatch = null;

  /**
   * @param {{view: string, send: (message: object) => void, clock: Clock, seq: () => number, onStatus: () => void, onLate: () => void, isGoing: () => boolean}} given
   *   `onLate` is called when an answer is late; `isGoing`: whether a run is live, so that a long silence needs a `hello`
   */
  constructor(given) {
    this.given = given;
    this.commands = new Commands(given.view);
  }

  /**
   * Follow the way to the kernel: say hello once it is open, and show what was kept where there is none.
   *
   * @param {import("./host.js").Connection["state"]} state
   * @param {string} gone the answer to each command that waits in vain
   * @param {string[]} [answers] types of questions that the host answers itself
   */
  follow(state, gone, answers = []) {
    this.#answers = answers;
    if (state === "open") this.hello();
    else this.lost(gone, STATUS_OF[state]);
  }

  /** Whether an answer is late: the kernel may be busy with a cell. */
  get isLate() {
    return this.hasGivenUp || this.#isCommandLate;
  }

  /** What the person is told: a view that is live, and whose command waits, waits. @returns {Status} */
  get shown() {
    return this.status === "live" && this.#isCommandLate ? "waiting" : this.status;
  }

  /** Whether somebody answers a question of this type: a kernel, or the host. @param {string} type */
  canAsk(type) {
    return this.status === "live" || this.#answers.includes(type);
  }

  /** Start sending `hello`. Calling it twice changes nothing. */
  hello() {
    if (this.#hello !== null || this.#isClosed) return;
    this.#isOpen = true;
    this.#count += 1;
    this.#hello = `${this.given.view}-hello-${this.#count}`;
    this.#helloSince = this.given.clock.now();
    this.#sayHello();
  }

  /**
   * Send a command.
   *
   * @param {string} type
   * @param {Record<string, unknown>} fields
   * @param {string} slot what may wait only once
   * @returns {string | null} its id; null if the same command is waiting or there is no kernel
   */
  command(type, fields, slot) {
    if (!(this.#isOpen || this.#answers.includes(type)) || this.#isClosed) return null;
    const id = this.commands.open(slot);
    if (id === null) return null;
    if (!this.#send({ type, id, view: this.given.view, ...fields })) return null;
    if (this.#isOpen) this.#watch();
    this.given.clock.later(LATE_MS, () => this.#lookFor(id));
    return id;
  }

  /**
   * Handle a message of the kernel; an ack closes its command.
   *
   * @param {{type: string, id?: string, ok?: boolean, text?: string, now?: number}} message
   * @returns {string | null} the slot that an ack closed
   */
  heard(message) {
    const { clock } = this.given;
    this.#heard = clock.now();
    if (typeof message.now === "number") this.skew_s = message.now - this.#heard / 1000;
    if (message.type !== "ack" || typeof message.id !== "string") return null;
    if (message.id === this.#hello) {
      this.#hello = null;
      this.#stopHello?.();
      this.hasGivenUp = false;
      this.setStatus("live");
      this.#watch();
      return null;
    }
    const slot = this.commands.close({ id: message.id, ok: message.ok === true, text: message.text });
    this.#isCommandLate &&= this.commands.isAnyWaiting;
    return slot;
  }

  /** The kernel can't hear: each waiting command gets the answer `text`. @param {string} text @param {Status} [status] */
  lost(text, status = "unavailable") {
    this.#isOpen = false;
    this.#hello = null;
    this.#stopHello?.();
    this.#stopWatch?.();
    this.commands.drop(text);
    this.#isCommandLate = false;
    this.setStatus(status);
  }

  /** @param {Status} status */
  setStatus(status) {
    if (this.status === status) return;
    this.status = status;
    this.given.onStatus();
  }

  /** @param {{type: string, [name: string]: unknown} | null} [last] what the kernel should still hear, unanswered */
  close(last = null) {
    if (last && this.#isOpen && this.status === "live") this.#send({ id: `${this.given.view}-last`, view: this.given.view, ...last });
    this.#isClosed = true;
    this.#stopHello?.();
    this.#stopWatch?.();
  }

  /** Send a message; a closed comm throws, and then there is no kernel. @param {object} message */
  #send(message) {
    try {
      this.given.send(message);
      return true;
    } catch {
      this.lost("Nobody is there to hear it, so this was not sent.");
      return false;
    }
  }

  /** @param {string} id of a command that should be answered by now */
  #lookFor(id) {
    if (this.#isClosed || this.#isCommandLate || !this.commands.awaits(id)) return;
    this.#isCommandLate = true;
    this.given.onLate();
  }

  #sayHello() {
    const { clock, seq, view } = this.given;
    const waited = clock.now() - this.#helloSince;
    if (waited >= GIVE_UP_MS && !this.hasGivenUp) {
      this.hasGivenUp = true;
      this.status = "waiting";
      this.given.onStatus();
    }
    if (!this.#send({ type: "hello", id: this.#hello, view, seq: seq() })) return;
    this.#stopHello = clock.later(this.hasGivenUp ? HELLO_SLOWLY_MS : HELLO_EVERY_MS, () => this.#sayHello());
  }

  /** Send `hello` after a long silence of a live run, so that a dead panel doesn't look live. */
  #watch() {
    const { clock, isGoing } = this.given;
    this.#stopWatch?.();
    this.#stopWatch = clock.later(SILENCE_MS, () => {
      if (clock.now() - this.#heard >= SILENCE_MS && (isGoing() || this.commands.isAnyWaiting)) this.hello();
      this.#watch();
    });
  }
}
