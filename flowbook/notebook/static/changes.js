/**
 * A run's changes of state, as the kernel sends them: folded to the states at any moment, and to the spans of a timeline.
 *
 * Pure: no DOM, no clock. Times are milliseconds since the run's first change.
 */

import { RUNNING, WAITING } from "./state_kinds.js";
import { isFinished } from "./states.js";
import { splitKey } from "./task_keys.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{run: string, since: number, next: number, origin: number, keys: string[], states: [string, string][], changes: [number, number, number][], left_out: number, costs?: [number, number, number | null, number][]}} Sent */
/** Milliseconds of processor time, bytes of memory, and whether these are the peak of a process of its own. @typedef {[number, number | null, number]} Cost */
/** `broke`: the process died while the task ran; that is when its last sign of life was, or when its end was recorded. */
/** @typedef {{at: number, key: string, state: string, word: string, cost?: Cost | undefined, broke?: number}} Change */
/** @typedef {"work" | "wait" | "tick"} Kind */
/** A time in which a task worked or waited, or the moment at which it was settled without either. `end` is null while it lasts; `isBroken`: the process ended meanwhile. */
/** @typedef {{kind: Kind, state: string, word: string, start: number, end: number | null, attempt: number, cost?: Cost | undefined, isBroken?: true}} Span */

const QUEUED = ["Queued", "Scheduled", "Submitted", "Resume"];

/** All changes of one run. */
export class Changes {
  run = "";
  next = -1;
  /** Seconds since the epoch. */
  origin = 0;
  leftOut = 0;
  /** In order. @type {Change[]} */
  list = [];
  /** @type {Map<string, Change[]>} */
  byKey = new Map();
  /** Whether the run's process ended in the middle: what ran is to run again. */
  isBrokenOff = false;
  /** When the last change was before the run was begun or resumed. */
  #before = 0;
  /** Keys of the children of each mapped task, as they came. @type {Map<string, string[]>} */
  #children = new Map();
  /** Spans that were made, with what they were made of. @type {Map<string, {of: string, spans: Span[]}>} */
  #spans = new Map();

  /** Add what the kernel sent; an answer that doesn't go on where the last one ended is refused. @param {Sent} sent */
  take(sent) {
    if (sent.run !== this.run || sent.since < 0) this.#clear(sent.run);
    else if (sent.since !== this.next) return false;
    this.next = sent.next;
    this.leftOut += sent.left_out;
    if (sent.changes.length && !this.list.length) this.origin = sent.origin;
    const costs = new Map((sent.costs ?? []).map(([place, ...cost]) => [place, cost]));
    sent.changes.forEach(([at, key, state], place) => {
      this.#add(at, sent.keys[key] ?? "", sent.states[state] ?? ["Pending", "Pending"], costs.get(place));
    });
    return true;
  }

  /** @param {string} run */
  #clear(run) {
    this.run = run;
    this.next = -1;
    this.leftOut = 0;
    this.#before = 0;
    this.list = [];
    this.byKey = new Map();
    this.#children = new Map();
    this.#spans = new Map();
  }

  /** @param {number} at @param {string} key @param {[string, string]} state @param {Cost} [cost] */
  #add(at, key, [state, word], cost) {
    /** @type {Change} */
    const change = cost ? { at, key, state, word, cost } : { at, key, state, word };
    const known = this.byKey.get(key);
    if (key === "") this.#begin(state);
    else if (state === "Running" && isAtWork(known?.at(-1)?.state)) change.broke = this.#before;
    this.list.push(change);
    if (known) known.push(change);
    else this.byKey.set(key, [change]);
    if (!known) this.#addChild(key);
  }

  /** The run itself is in another state: it goes on, or it crashed and what ran is Pending since just now. @param {string} state */
  #begin(state) {
    this.#before = this.end;
    if (state !== "Crashed") return;
    for (let i = this.list.length - 1; this.list[i]?.state === "Pending"; i -= 1) {
      const change = /** @type {Change} */ (this.list[i]);
      const own = this.byKey.get(change.key) ?? [];
      if (isAtWork(own[own.indexOf(change) - 1]?.state)) change.broke = change.at;
    }
  }

  /** @param {string} key */
  #addChild(key) {
    const { parent, index } = splitKey(key);
    if (index === null) return;
    const known = this.#children.get(parent);
    if (known) known.push(key);
    else this.#children.set(parent, [key]);
  }

  /** When the last change was. */
  get end() {
    return this.list.at(-1)?.at ?? 0;
  }

  /**
   * What each task was at a moment, children of mapped tasks as counts of their task.
   *
   * @param {number} moment
   * @returns {Map<string, Task>}
   */
  at(moment) {
    /** @type {Map<string, Task>} */
    const tasks = new Map();
    /** @type {Map<string, Record<string, number>>} */
    const counts = new Map();
    for (const [key, changes] of this.byKey) {
      const task = taskAt(changes, moment, this.origin);
      if (!task) continue;
      const { parent, index } = splitKey(key);
      if (index === null) tasks.set(key, task);
      else add(counts, parent, task.word || task.state);
    }
    for (const [parent, found] of counts) {
      tasks.set(parent, { ...tasks.get(parent), state: foldedState(found), width: this.#children.get(parent)?.length ?? 0, counts: found });
    }
    return tasks;
  }

  /** When a task worked and waited. @param {string} key @returns {Span[]} */
  spans(key) {
    const changes = this.byKey.get(key) ?? [];
    const of = JSON.stringify([changes.length, this.isBrokenOff && this.end]);
    const known = this.#spans.get(key);
    if (known?.of === of) return known.spans;
    const spans = spansOf(changes, this.isBrokenOff ? this.end : null);
    this.#spans.set(key, { of, spans });
    return spans;
  }

  /** Keys of the children of a mapped task that have changes, in map order. @param {string} key */
  childrenOf(key) {
    return (this.#children.get(key) ?? []).sort((a, b) => (splitKey(a).index ?? 0) - (splitKey(b).index ?? 0));
  }

  /** The moments at which something changed, each once. */
  moments() {
    return [...new Set(this.list.map(({ at }) => at))].sort((a, b) => a - b);
  }
}

/** @param {string | undefined} state */
const isAtWork = (state) => state === "Running" || state === "Cancelling";

/** @param {Change[]} changes @param {number} moment @param {number} origin @returns {Task | null} */
function taskAt(changes, moment, origin) {
  let now = null;
  let begun = null;
  for (const change of changes) {
    if (change.at > moment) {
      if (now && change.broke !== undefined && change.broke < moment) now = { at: change.broke, state: "Pending", word: "Pending" };
      break;
    }
    if (change.state === "Running") begun = change.at;
    now = change;
  }
  if (!now) return null;
  const took = begun !== null && isFinished(now.state) ? (now.at - begun) / 1000 : null;
  return { state: now.state, word: now.word === now.state ? "" : now.word, since: origin + now.at / 1000, duration_s: took };
}

/** @param {Map<string, Record<string, number>>} counts @param {string} key @param {string} word */
function add(counts, key, word) {
  const found = counts.get(key) ?? {};
  found[word] = (found[word] ?? 0) + 1;
  counts.set(key, found);
}

/** The state of a mapped task whose children are in these: as the kernel folds them. @param {Record<string, number>} counts */
export function foldedState(counts) {
  const names = Object.keys(counts);
  const isAny = (/** @type {readonly string[]} */ states) => names.find((name) => states.includes(name));
  const open = names.filter((name) => !isFinished(name));
  if (isAny(RUNNING) || (open.length && open.length < names.length && !isAny(WAITING))) return "Running";
  return isAny(WAITING) ?? names.find((name) => !["Success", "Cached", "Skipped"].includes(name)) ?? (names.length === 1 ? (names[0] ?? "Success") : "Success");
}

/**
 * The spans of one task's changes.
 *
 * @param {Change[]} changes in order
 * @param {number | null} [brokenOff] the last sign of life of the run's process, if that has ended
 * @returns {Span[]}
 */
export function spansOf(changes, brokenOff = null) {
  /** @type {Span[]} */
  const spans = [];
  let attempt = 0;
  for (const { at, state, word, cost, broke } of changes) {
    const last = spans.at(-1);
    const isOpen = last?.end === null;
    if (last && isOpen && broke !== undefined) breakOff(last, broke);
    else if (state === "Cancelling" || (state === "Running" && isOpen && last.kind === "work")) continue;
    else if (last && isOpen) {
      close(last, at, state, word);
      if (cost) last.cost = cost;
    }
    if (state === "Running") {
      attempt += 1;
      spans.push({ kind: "work", state, word, start: at, end: null, attempt });
    } else if (WAITING.includes(state) || QUEUED.includes(state)) spans.push({ kind: "wait", state, word, start: at, end: null, attempt });
    else if (isFinished(state) && !isOpen) settle(spans, at, state, word);
  }
  const last = spans.at(-1);
  if (brokenOff !== null && last?.end === null && last.kind === "work") breakOff(last, brokenOff);
  return spans;
}

/** The process ended while the task ran, which is to run again. @param {Span} span @param {number} at */
function breakOff(span, at) {
  Object.assign(span, { state: "Pending", word: "Pending", end: Math.max(at, span.start), isBroken: true });
}

/** End a span: work ends in the state that follows it; before another attempt that is a failure. @param {Span} span @param {number} at @param {string} state @param {string} word */
function close(span, at, state, word) {
  span.end = at;
  if (span.kind !== "work") return;
  [span.state, span.word] = state === "Retrying" ? ["Failed", "Failed"] : [state, word];
}

/** A task ended that neither worked nor waited; a stored output only renames the work before. @param {Span[]} spans @param {number} at @param {string} state @param {string} word */
function settle(spans, at, state, word) {
  const last = spans.at(-1);
  if (last?.kind === "work" && word === "Success") [last.state, last.word] = [state, word];
  else spans.push({ kind: "tick", state, word, start: at, end: at, attempt: 0 });
}

/**
 * How many tasks were at work, as steps: from a moment on, this many.
 *
 * @param {Iterable<Span>} spans
 * @param {number} now the end of what still runs
 * @returns {[number, number][]}
 */
export function atWork(spans, now) {
  /** @type {Map<number, number>} */
  const steps = new Map();
  const move = (/** @type {number} */ at, /** @type {number} */ by) => steps.set(at, (steps.get(at) ?? 0) + by);
  for (const { kind, start, end } of spans) {
    if (kind !== "work") continue;
    move(start, 1);
    move(end ?? now, -1);
  }
  let n = 0;
  return [...steps]
    .sort(([a], [b]) => a - b)
    .map(([at, by]) => {
      n += by;
      return /** @type {[number, number]} */ ([at, n]);
    });
}

/** Moments of the ticks of an axis from 0 to `end`. @param {number} end in ms @param {number} most number of ticks */
export function axisTicks(end, most) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000];
  const minutes = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10_080].map((n) => n * 60_000);
  const step = [...steps, ...minutes].find((each) => end / each <= most) ?? Math.ceil(end / most);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
}
