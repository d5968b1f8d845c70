/** The timeline of a run: a row for each task with when it worked and when it waited, and how many tasks were at work. */

import { atWork, axisTicks } from "./changes.js";
import * as dom from "./dom.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import * as states from "./states.js";

/** @typedef {import("./changes.js").Changes} Changes */
/** @typedef {import("./changes.js").Span} Span */
/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{key: string, isChild: boolean, width: number, isOpen: boolean, spans: Span[], bracket: [number, number] | null}} Row */
/** @typedef {{changes: Changes, keys: string[], task: (key: string) => Task, isGoing: boolean, now: number, epoch_s: number, moment: number | null, executor: string, chosen: string | null}} Shown */

const ROW_PX = 24;
const CHILD_PX = 16;
const SPARE_PX = 200;
const TICK_PX = 96;
/** Mapped tasks with more children than this start closed. */
const FEW = 12;
/** The most children that are drawn of one task. */
const MOST_CHILDREN = 200;
/** What is said of work in the middle of which the process ended; how long it took, nobody knows. */
const BROKEN = "its process ended while it ran";
/** The part of the axis after the last moment, for labels. */
const AHEAD = 0.12;

/**
 * The rows, in the order in which tasks began or of the graph.
 *
 * @param {Shown} shown
 * @param {{order: string, toggled: Set<string>}} choice
 * @returns {Row[]}
 */
export function rowsOf({ changes, keys, now }, { order, toggled }) {
  const rows = keys.map((key) => {
    const own = changes.childrenOf(key);
    const isOpen = own.length > 0 && own.length <= FEW !== toggled.has(key);
    const spans = own.length ? [] : changes.spans(key);
    const inside = own.map((child) => ({ key: child, isChild: true, width: 0, isOpen: false, spans: changes.spans(child), bracket: null }));
    return { row: { key, isChild: false, width: own.length, isOpen, spans, bracket: bracketOf(inside, now) }, inside };
  });
  const start = (/** @type {{row: Row}} */ { row }) => row.bracket?.[0] ?? row.spans[0]?.start ?? Number.POSITIVE_INFINITY;
  const sorted = order === "start" ? rows.map((each, i) => ({ ...each, i })).sort((a, b) => start(a) - start(b) || a.i - b.i) : rows;
  return sorted.flatMap(({ row, inside }) => [row, ...(row.isOpen ? inside.slice(0, MOST_CHILDREN) : [])]);
}

/** From when to when the children of a task ran. @param {Row[]} rows @param {number} now @returns {[number, number] | null} */
function bracketOf(rows, now) {
  const spans = rows.flatMap((row) => row.spans);
  if (!spans.length) return null;
  return [spans.reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY), spans.reduce((most, { end }) => Math.max(most, end ?? now), 0)];
}

/** What stands beside a row's last span. @param {Row} row @param {Task} task @param {number} now ms since the run began @param {number} epoch_s */
export function labelOf({ spans, isChild }, task, now, epoch_s) {
  const last = spans.at(-1);
  if (!last) return isChild || task.state === "Pending" ? "" : states.wordOf(task);
  if (last.isBroken) return `${last.word}: ${BROKEN}`;
  const took = format.duration(((last.end ?? now) - last.start) / 1000);
  if (last.kind === "tick") return last.word === "Cached" && task.created ? `Cached, ${format.span(epoch_s - task.created)} ago` : last.word;
  if (last.end === null) {
    if (last.state === "Paused") return `waits for a person, ${format.span(task.since ? epoch_s - task.since : (now - last.start) / 1000)}`;
    if (last.state === "Retrying") return task.due ? `attempt ${last.attempt + 1} ${format.timeOf(task, epoch_s)}` : "Retrying";
    return task.word && task.word !== last.word && last.word in states.WAS ? task.word : `${last.word}, ${took}`;
  }
  const attempt = last.attempt > 1 ? `, attempt ${last.attempt}` : "";
  return last.word === "Success" ? `${took}${attempt}` : `${last.word}, ${took}${attempt}`;
}

export class Timeline {
  /** @type {Shown | null} */
  #shown = null;
  /** @type {Row[]} */
  #rows = [];
  /** The top of each row, and the height of all. @type {number[]} */
  #tops = [0];
  #order = "start";
  /** @type {Set<string>} */
  #toggled = new Set();
  #axis = dom.h("div", { class: "axis", "aria-hidden": "true" });
  #lanes = dom.h("div", { class: "lanes", role: "list", "aria-label": "Tasks over time" });
  #scroll = dom.h("div", { class: "gantt", tabindex: -1 }, this.#lanes);
  #work = dom.h("div", { class: "at-work" });
  #said = dom.h("p", { class: "dim pad" });

  /** @param {{el: HTMLElement, signal: AbortSignal}} given */
  constructor({ el, signal }) {
    el.replaceChildren(this.#axis, this.#scroll, this.#work, this.#said);
    this.#scroll.addEventListener("scroll", () => this.#drawRows(), { signal, passive: true });
    el.addEventListener("click", (event) => this.#click(event), { signal });
    const watcher = new ResizeObserver(() => this.#draw());
    watcher.observe(el);
    signal.addEventListener("abort", () => watcher.disconnect(), { once: true });
  }

  /** @param {Shown} shown */
  update(shown) {
    this.#shown = shown;
    this.#rows = rowsOf(shown, { order: this.#order, toggled: this.#toggled });
    this.#tops = [0];
    for (const { isChild } of this.#rows) this.#tops.push((this.#tops.at(-1) ?? 0) + (isChild ? CHILD_PX : ROW_PX));
    this.#draw();
  }

  /** @param {string} order "start" or "graph" */
  sort(order) {
    this.#order = order;
    if (this.#shown) this.update(this.#shown);
  }

  get order() {
    return this.#order;
  }

  /** The last moment of the axis. */
  get #end() {
    const shown = this.#shown;
    if (!shown) return 1;
    return Math.max(1, shown.isGoing ? shown.now : shown.changes.end) * (1 + AHEAD);
  }

  #draw() {
    const shown = this.#shown;
    if (!shown) return;
    const room = Math.max(1, this.#axis.clientWidth - 200);
    const ticks = axisTicks(this.#end, Math.max(2, Math.floor(room / TICK_PX)));
    const last = shown.isGoing ? shown.now : null;
    const near = (TICK_PX / 2 / room) * this.#end;
    const marks = ticks.filter((at) => last === null || Math.abs(at - last) > near).map((at) => this.#mark(at, tickText(at, ticks[1] ?? 0), ""));
    if (last !== null) marks.push(this.#mark(last, "now", "now-word"));
    this.#axis.replaceChildren(dom.h("div", { class: "track" }, ...marks));
    this.#lanes.style.height = `${this.#tops.at(-1)}px`;
    this.#drawRows();
    this.#drawWork(shown);
    const left = shown.changes.leftOut;
    dom.say(this.#said, left ? `${format.thousands(left)} changes of children are left out.` : shown.changes.list.length ? "" : "Nothing has run yet.");
    this.#said.hidden = !this.#said.textContent;
  }

  /** @param {number} at @param {string} text @param {string} kind */
  #mark(at, text, kind) {
    return placed(dom.h("span", { class: `tick ${kind}` }, text), at / this.#end);
  }

  #drawRows() {
    const { scrollTop, clientHeight } = this.#scroll;
    const [from, to] = [scrollTop - SPARE_PX, scrollTop + (clientHeight || 480) + SPARE_PX];
    const seen = this.#rows.map((row, i) => ({ row, top: this.#tops[i] ?? 0 })).filter(({ top }) => top >= from && top <= to);
    dom.keyed(
      this.#lanes,
      seen,
      ({ row }) => `${row.width ? "map" : "task"}:${row.key}`,
      ({ row }) => laneOf(row),
      (lane, { row, top }) => this.#fill(/** @type {HTMLElement} */ (lane), row, top),
    );
  }

  /** @param {HTMLElement} lane @param {Row} row @param {number} top */
  #fill(lane, row, top) {
    const shown = /** @type {Shown} */ (this.#shown);
    const task = shown.task(row.key);
    lane.style.top = `${top}px`;
    dom.set(lane, { "data-state": task.state, "data-word": task.word || null, "aria-current": row.key === shown.chosen ? "true" : null });
    const opener = lane.querySelector('[data-action="toggle-children"]');
    if (opener) dom.set(opener, { "aria-expanded": row.isOpen ? "true" : "false" });
    const track = /** @type {Element} */ (lane.querySelector(".track"));
    const drawn = JSON.stringify([row.spans, row.bracket, this.#end, task.state, shown.moment]);
    const label = this.#labelOf(row, task);
    const about = `${drawn}${label}`;
    if (lane.dataset.drawn === about) return;
    lane.dataset.drawn = about;
    dom.set(lane, { "aria-label": `${row.key}: ${label || states.wordOf(task)}` });
    track.replaceChildren(...row.spans.map((span) => this.#bar(span)), ...this.#bracket(row), ...this.#label(row, label), ...this.#lines(shown));
  }

  /** @param {Row} row @param {Task} task */
  #labelOf(row, task) {
    const shown = /** @type {Shown} */ (this.#shown);
    if (row.width)
      return task.counts
        ? states
            .inOrder(states.spread(task))
            .map(([state, n]) => `${format.thousands(n)} ${state}`)
            .join(", ")
        : "";
    const inThis = row.isChild ? { ...task, state: row.spans.at(-1)?.state ?? "Pending" } : task;
    return labelOf(row, inThis, shown.now, shown.epoch_s);
  }

  /** @param {Span} span */
  #bar({ kind, state, word, start, end, cost, isBroken }) {
    const shown = /** @type {Shown} */ (this.#shown);
    const until = end ?? shown.now;
    const took = format.duration((until - start) / 1000);
    const about = isBroken ? BROKEN : `${kind === "work" ? "worked" : "waited"} ${took}, ${word}${cost ? `; ${format.cost(cost)}` : ""}`;
    const title = kind === "tick" ? `${word} at ${tickText(start, 0)}` : about;
    const bar = placed(dom.h("i", { class: `gbar ${kind}`, "data-state": state, "data-word": word === state ? null : word, title }), start / this.#end);
    if (kind !== "tick") bar.style.width = `${(100 * Math.max(0, until - start)) / this.#end}%`;
    if (kind === "work" && states.isFailed(state)) bar.append(dom.icon(states.glyphOf(state)));
    return bar;
  }

  /** @param {Row} row */
  #bracket({ bracket }) {
    if (!bracket) return [];
    const line = placed(dom.h("i", { class: "bracket" }), bracket[0] / this.#end);
    line.style.width = `${(100 * (bracket[1] - bracket[0])) / this.#end}%`;
    return [line];
  }

  /** @param {Row} row @param {string} label */
  #label(row, label) {
    if (!label) return [];
    const last = row.spans.at(-1);
    const shown = /** @type {Shown} */ (this.#shown);
    const at = row.bracket ? row.bracket[1] : (last?.end ?? (last ? shown.now : 0));
    const isQuiet = row.width > 0 || last?.word === "Success";
    const word = last?.word ?? "Pending";
    const text = dom.h(
      "span",
      { class: isQuiet ? "bar-label" : "bar-label word", "data-state": isQuiet ? null : word },
      isQuiet ? null : dom.icon(states.glyphOf(word)),
      label,
    );
    const share = at / this.#end;
    if (share <= 0.6) return [placed(text, share)];
    // Right of a bar that ends late there is no room: then the text stands before its start.
    const start = (row.bracket?.[0] ?? row.spans[0]?.start ?? 0) / this.#end;
    if (start > 0.4) {
      text.classList.add("before");
      text.style.right = `${100 * (1 - start)}%`;
      return [text];
    }
    text.classList.add("inside");
    return [placed(text, share)];
  }

  /** @param {Shown} shown */
  #lines({ isGoing, now, moment }) {
    const lines = isGoing ? [placed(dom.h("i", { class: "line" }), now / this.#end)] : [];
    return moment === null ? lines : [...lines, placed(dom.h("i", { class: "line asof" }), moment / this.#end)];
  }

  /** @param {Shown} shown */
  #drawWork({ changes, now, executor }) {
    const leaves = [...changes.byKey.keys()].filter((key) => key !== "").map((key) => changes.spans(key));
    const steps = atWork(leaves.flat(), now);
    const most = steps.reduce((found, [, n]) => Math.max(found, n), 0);
    this.#work.hidden = !most;
    if (!most) return;
    let d = "M0 40";
    for (const [at, n] of steps) d += `H${((1000 * at) / this.#end).toFixed(2)}V${(40 - (40 * n) / most).toFixed(2)}`;
    const area = dom.s(
      "svg",
      { viewBox: "0 0 1000 40", preserveAspectRatio: "none", role: "img", "aria-label": `At most ${most} tasks at work` },
      dom.s("path", { class: "step", d: `${d}V40Z` }),
    );
    const scale = dom.h("span", { class: "scale dim" }, dom.h("span", {}, format.thousands(most)), dom.h("span", {}, "0"));
    const about = dom.h(
      "span",
      { class: "lane-name" },
      dom.h("span", {}, "Tasks at work", executor ? dom.h("span", { class: "dim ell" }, executor) : null),
      scale,
    );
    this.#work.replaceChildren(about, dom.h("div", { class: "track" }, area));
  }

  /** @param {Event} event */
  #click(event) {
    const control = event.target instanceof Element ? event.target.closest('[data-action="toggle-children"]') : null;
    const key = control?.getAttribute("data-task");
    if (!key || !this.#shown) return;
    event.stopPropagation();
    if (!this.#toggled.delete(key)) this.#toggled.add(key);
    this.update(this.#shown);
  }
}

/** @param {HTMLElement} element @param {number} share */
function placed(element, share) {
  element.style.left = `${(100 * share).toFixed(3)}%`;
  return element;
}

/** @param {number} ms @param {number} step */
function tickText(ms, step) {
  if (step && step < 1000) return `${(ms / 1000).toFixed(step < 10 ? 3 : step < 100 ? 2 : 1)} s`;
  return format.clock(ms / 1000);
}

/** @param {Row} row */
function laneOf({ key, isChild, width }) {
  const opener = width
    ? dom.button("toggle-children", `× ${format.thousands(width)}`, { "data-task": key, class: "plain dim", title: `Show or hide the children of ${key}` })
    : null;
  const name = dom.button("inspect", isChild ? key.slice(key.lastIndexOf("[")) : nameIn(key), { "data-task": key, class: "plain", title: key });
  return dom.h(
    "div",
    { class: isChild ? "lane child" : "lane", role: "listitem", "data-task": key },
    dom.h("span", { class: "lane-name" }, name, opener),
    dom.h("div", { class: "track" }),
  );
}
