/** The log of a whole run: filtered by task, level and text; it follows the newest line until the person scrolls up. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { nameIn } from "./names.js";
import * as states from "./states.js";

/** @typedef {{at: number, key: string, level: string, kind: "log" | "state", text: string}} Line */
/** @typedef {{run: string, since: number, next: number, lines: Line[], left_out: number}} Sent */
/** @typedef {{level: string, task: string, query: string}} Filter */

const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
/** The newest lines that are drawn. */
const SHOWN = 500;
const NEAR_END_PX = 24;
const KEPT = 20_000;
/** @type {Record<string, import("./states.js").Shape[]>} */
const SIGNS = { ERROR: states.GLYPHS.Failed ?? [], CRITICAL: states.GLYPHS.Failed ?? [], WARNING: states.SIGNS.warn ?? [] };
/** What colours a level. @type {Record<string, string>} */
const INK = { ERROR: "Failed", CRITICAL: "Failed", WARNING: "Paused" };

/** The lines that a filter keeps. @param {Line[]} lines @param {Filter} filter */
export function fitting(lines, { level, task, query }) {
  const least = LEVELS.indexOf(level);
  return lines.filter(
    (line) =>
      LEVELS.indexOf(line.level) >= least &&
      (!task || line.key === task || line.key.startsWith(`${task}[`)) &&
      (!query || line.text.toLowerCase().includes(query) || line.key.toLowerCase().includes(query)),
  );
}

/** A text in parts, every other one a hit. @param {string} text @param {string} query in lower case */
export function split(text, query) {
  if (!query) return [text];
  const low = text.toLowerCase();
  // Lowering may change the length of a text; then its hits can't be told by position.
  if (low.length !== text.length) return [text];
  const parts = [];
  let from = 0;
  for (let at = low.indexOf(query); at >= 0; at = low.indexOf(query, from)) {
    parts.push(text.slice(from, at), text.slice(at, at + query.length));
    from = at + query.length;
  }
  return [...parts, text.slice(from)];
}

/** `13 lines of 6 tasks, 2 warnings, 1 error; 4 lines hold “flights”`. @param {Line[]} lines those that fit @param {number} hidden @param {string} query */
export function footing(lines, hidden, query) {
  const count = (/** @type {string[]} */ levels) => lines.reduce((n, { level }) => n + (levels.includes(level) ? 1 : 0), 0);
  const [warnings, errors] = [count(["WARNING"]), count(["ERROR", "CRITICAL"])];
  const tasks = new Set(lines.map(({ key }) => key).filter(Boolean)).size;
  const words = [
    `${format.plural(lines.length, "line")} of ${format.plural(tasks, "task")}`,
    warnings ? format.plural(warnings, "warning") : "",
    errors ? format.plural(errors, "error") : "",
  ].filter(Boolean);
  const held = query ? `; containing “${query}”` : "";
  return `${words.join(", ")}${held}${hidden ? `; ${format.thousands(hidden)} hidden` : ""}`;
}

export class Logs {
  /** @type {Line[]} */
  #lines = [];
  /** The number of each line, by which its element is found again. @type {WeakMap<Line, number>} */
  #numbers = new WeakMap();
  #count = 0;
  #run = "";
  #next = -1;
  #leftOut = 0;
  /** @type {Filter} */
  #filter = { level: "INFO", task: "", query: "" };
  #drawn = "";
  #list = dom.h("div", { class: "code logs all", tabindex: 0, role: "log", "aria-label": "Logs of all tasks" });
  #foot = dom.h("span", { class: "grow" });
  #follow = dom.h("input", { type: "checkbox", "data-action": "follow", checked: true });

  /** @param {{el: HTMLElement, tools: HTMLElement, signal: AbortSignal}} given */
  constructor({ el, tools, signal }) {
    const options = LEVELS.map((level) =>
      dom.h("option", { value: level, selected: level === "INFO" }, level === "CRITICAL" ? "critical" : `${level.toLowerCase()} and above`),
    );
    this.level = dom.h("select", { "data-action": "log-level", "aria-label": "Level" }, ...options);
    this.task = dom.h("select", { "data-action": "log-task", "aria-label": "Task", class: "filter" });
    this.query = dom.h("input", { "data-action": "log-query", placeholder: "Find text", "aria-label": "Find text", class: "search", spellcheck: "false" });
    tools.replaceChildren(this.level, this.task, this.query, dom.h("label", { class: "row tight" }, this.#follow, "Follow"));
    el.replaceChildren(this.#list, dom.h("div", { class: "foot" }, this.#foot, dom.button("copy-logs", "Copy", { title: "Copies the lines that are shown" })));
    tools.addEventListener("input", () => this.#refilter(), { signal });
    tools.addEventListener("change", () => this.#refilter(), { signal });
    this.#list.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    el.addEventListener("click", (event) => this.#click(event), { signal });
  }

  /** What to ask for next. @param {string} run */
  since(run) {
    return run === this.#run ? this.#next : -1;
  }

  /** Take lines; those that don't go on where the last ones ended are refused. @param {Sent} sent */
  take(sent) {
    if (sent.since < 0 || sent.run !== this.#run) [this.#lines, this.#run, this.#next, this.#leftOut] = [[], sent.run, -1, 0];
    else if (sent.since !== this.#next) return;
    for (const line of sent.lines) this.#numbers.set(line, this.#count++);
    this.#lines = [...this.#lines, ...sent.lines].slice(-KEPT);
    this.#next = sent.next;
    this.#leftOut += sent.left_out;
  }

  /** Draw the lines; while the tab isn't chosen, nobody asks for that. */
  show() {
    const about = `${this.#run} ${this.#next} ${JSON.stringify(this.#filter)}`;
    if (about === this.#drawn) return;
    this.#drawn = about;
    this.#showTasks();
    const found = fitting(this.#lines, this.#filter);
    const shown = found.slice(-SHOWN);
    dom.keyed(
      this.#list,
      shown.map((line) => ({ line, id: `${this.#run}:${this.#filter.query}:${this.#numbers.get(line)}` })),
      ({ id }) => id,
      ({ line }) => lineOf(line, this.#filter.query),
    );
    const hidden = this.#lines.length - found.length;
    const older = this.#leftOut + found.length - shown.length;
    dom.say(
      this.#foot,
      this.#lines.length
        ? `${footing(found, hidden, this.#filter.query)}${older ? `; the newest ${format.thousands(shown.length)} are shown` : ""}`
        : "Nothing has been logged or printed yet.",
    );
    if (this.#follow.checked) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #showTasks() {
    const keys = [...new Set(this.#lines.map(({ key }) => key.replace(/\[\d+\]$/, "")))].filter(Boolean);
    const options = ["", ...keys];
    if (this.task.options.length === options.length) return;
    this.task.replaceChildren(...options.map((key) => dom.h("option", { value: key, selected: key === this.#filter.task }, key || "every task")));
  }

  #refilter() {
    this.#filter = { level: this.level.value, task: this.task.value, query: this.query.value.trim().toLowerCase() };
    this.show();
    if (this.#follow.checked) this.#list.scrollTop = this.#list.scrollHeight;
  }

  #scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.#list;
    this.#follow.checked = scrollTop + clientHeight >= scrollHeight - NEAR_END_PX;
  }

  /** @param {Event} event */
  #click(event) {
    const control = event.target instanceof Element ? event.target.closest('[data-action="copy-logs"]') : null;
    if (!control) return;
    const text = fitting(this.#lines, this.#filter).map(({ at, key, level, text }) => `${timeOf(at)} ${key} ${level} ${text}`);
    const said = (/** @type {string} */ words) => {
      control.textContent = words;
    };
    navigator.clipboard?.writeText(text.join("\n")).then(
      () => said("Copied"),
      () => said("The browser refused to copy"),
    );
  }
}

/** @param {number} at */
function timeOf(at) {
  const then = new Date(at * 1000);
  return `${then.toTimeString().slice(0, 8)}.${String(then.getMilliseconds()).padStart(3, "0")}`;
}

/** @param {Line} line @param {string} query */
function lineOf({ at, key, level, kind, text }, query) {
  const parts = split(text, query).map((part, i) => (i % 2 ? dom.h("mark", {}, part) : part));
  const sign = SIGNS[level] ? dom.icon(SIGNS[level] ?? []) : null;
  return dom.h(
    "div",
    { "data-level": level.toLowerCase(), "data-kind": kind, "data-task": key || null },
    dom.h("span", { class: "dim" }, timeOf(at)),
    dom.h("span", {}, key ? nameIn(key) : ""),
    dom.h("span", { class: "lv", "data-state": INK[level] ?? null }, sign, level.toLowerCase()),
    dom.h("span", {}, ...parts),
  );
}
