/** The runs of the flow: state, duration, tasks by state, and what changed from each to the next. A click shows one. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import * as states from "./states.js";

/** @typedef {{id: string, number: string, state: string, started: number | null, took_s: number | null, counts: Record<string, number>, parameters: Record<string, string>, changed: string, message: string}} Row */
/** @typedef {{rows: Row[], total: number}} Sent */

export const LIMIT = 20;
const MORE = 20;
const HEADS = ["", "run", "when", "state", "took", "", "tasks", "what changed since the run before"];

/** The rows that fit a state and a text such as `origin=JFK`. @param {Row[]} rows @param {string} state @param {string} query */
export function fitting(rows, state, query) {
  const wanted = query.trim().toLowerCase();
  const text = (/** @type {Row} */ { number, parameters, changed, message }) =>
    [number, ...Object.entries(parameters).map(([name, value]) => `${name}=${value}`), changed, message].join("\n").toLowerCase();
  return rows.filter((row) => (!state || row.state === state) && (!wanted || text(row).includes(wanted)));
}

/** `8 of 16 runs, 5 succeeded; median 1:11`. @param {Row[]} rows @param {number} total */
export function footing(rows, total) {
  const took = rows.flatMap(({ took_s }) => (took_s === null ? [] : [took_s])).sort((a, b) => a - b);
  const median = took.length ? `; median ${format.duration(took[Math.floor((took.length - 1) / 2)] ?? 0)}` : "";
  const succeeded = rows.filter(({ state }) => state === "Success").length;
  return `${format.thousands(rows.length)} of ${format.plural(total, "run")}, ${succeeded} succeeded${median}`;
}

export class Runs {
  /** @type {Sent} */
  #sent = { rows: [], total: 0 };
  #limit = LIMIT;
  #isKnown = false;
  #body = dom.h("tbody");
  #foot = dom.h("span", { class: "grow" });
  #more = dom.button("more-runs", `Show ${MORE} more`);
  /** Ids of the runs that are chosen, the last two. @type {string[]} */
  #chosen = [];
  #bar = dom.h("div", { class: "foot chosen", hidden: true });
  #list = dom.h("div", { class: "scroll", tabindex: 0 });

  /** @param {{el: HTMLElement, tools: HTMLElement, signal: AbortSignal, now: () => number, shownId: () => string, canShow: () => boolean, ask: (limit: number) => void, compare: (runs: [string, string]) => void}} given */
  constructor(given) {
    this.given = given;
    const { el, tools, signal } = given;
    this.state = dom.h("select", { "data-action": "runs-state", "aria-label": "State" });
    this.query = dom.h("input", {
      "data-action": "runs-query",
      placeholder: "parameters, e.g. origin=JFK",
      "aria-label": "Find a run",
      class: "filter",
      spellcheck: "false",
    });
    tools.replaceChildren(this.state, this.query);
    const heads = HEADS.map((name) => dom.h("th", { scope: "col", class: name === "took" ? "num" : null }, name));
    const table = dom.h("table", { "aria-label": "Runs of this flow" }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), this.#body);
    this.#list.append(table);
    el.append(dom.h("div", { class: "list" }, this.#list, this.#bar, dom.h("div", { class: "foot" }, this.#foot, this.#more)));
    tools.addEventListener("input", () => this.show(), { signal });
    tools.addEventListener("change", () => this.show(), { signal });
    el.addEventListener("click", (event) => this.#click(event), { signal });
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const target = event.target instanceof Element ? event.target : null;
    const action = target?.closest("[data-action]")?.getAttribute("data-action");
    const id = target?.closest("tr")?.getAttribute("data-run-id");
    if (action === "more-runs") {
      this.#limit += MORE;
      this.ask();
    } else if (action === "compare") this.#compare();
    else if (id && (action === "choose-run" || event.shiftKey || event.ctrlKey || event.metaKey)) {
      this.#choose(id);
      event.stopPropagation();
    }
  }

  /** Choose a run, or no longer; a third one takes the place of the first. @param {string} id */
  #choose(id) {
    this.#chosen = this.#chosen.includes(id) ? this.#chosen.filter((each) => each !== id) : [...this.#chosen, id].slice(-2);
    this.show();
  }

  /** The two runs that are chosen, the older one first. */
  #pair() {
    return this.#sent.rows.filter(({ id }) => this.#chosen.includes(id)).reverse();
  }

  #compare() {
    const [old, now] = this.#pair();
    if (old && now) this.given.compare([old.id, now.id]);
  }

  #showChosen() {
    const [old, now] = this.#pair();
    this.#bar.hidden = !old || !this.given.canShow();
    const text = now ? "2 chosen" : `run ${old?.number} is chosen; choose another one to compare it with`;
    if (this.#bar.hidden || this.#bar.dataset.of === `${old?.id} ${now?.id}`) return;
    this.#bar.dataset.of = `${old?.id} ${now?.id}`;
    const go = now && dom.button("compare", `Compare run ${old?.number} with run ${now.number}`, { class: "primary" });
    this.#bar.replaceChildren(dom.h("span", { class: "grow" }, text), go ?? "");
  }

  /** The runs that are known, the newest first. */
  get rows() {
    return this.#sent.rows;
  }

  ask() {
    this.given.ask(this.#limit);
  }

  /** @param {Sent} sent */
  take(sent) {
    this.#sent = sent;
    this.#isKnown = true;
  }

  show() {
    const { rows, total } = this.#sent;
    const names = ["", ...new Set(rows.map(({ state }) => state))];
    if (this.state.options.length !== names.length) {
      const before = this.state.value;
      this.state.replaceChildren(...names.map((name) => dom.h("option", { value: name, selected: name === before }, name || "every state")));
    }
    const found = fitting(rows, this.state.value, this.query.value);
    const longest = found.reduce((most, { took_s }) => Math.max(most, took_s ?? 0), 0);
    dom.keyed(
      this.#body,
      found,
      ({ id }) => id,
      (row) => rowOf(row),
      (tr, row) => this.#fill(tr, row, longest),
    );
    dom.say(this.#foot, total ? footing(found, total) : this.#isKnown ? "No run of this flow is recorded." : "Asking…");
    this.#more.hidden = rows.length >= total;
    this.#showChosen();
  }

  /** @param {Element} tr @param {Row} row @param {number} longest */
  #fill(tr, row, longest) {
    const isShown = row.id === this.given.shownId();
    const canShow = this.given.canShow();
    const isChosen = canShow && this.#chosen.includes(row.id);
    dom.set(tr, { "aria-selected": isShown ? "true" : null, "data-state": row.state, "data-chosen": isChosen });
    const box = /** @type {HTMLInputElement} */ (tr.querySelector("input"));
    box.hidden = !canShow;
    box.checked = isChosen;
    const about = JSON.stringify([row, longest, Math.floor(this.given.now() / 60), canShow]);
    const element = /** @type {HTMLElement} */ (tr);
    if (element.dataset.drawn === about) return;
    element.dataset.drawn = about;
    const [, name, when, state, took, bar, tasks, changed] = [...tr.children];
    dom.set(tr, { "data-action": canShow ? "show-run" : null });
    name?.replaceChildren(canShow ? showing(row) : dom.h("b", {}, `run ${row.number}`));
    when?.replaceChildren(row.started === null ? "" : format.moment(row.started, this.given.now()));
    state?.replaceChildren(dom.h("span", { class: "row tight" }, dom.icon(states.glyphOf(row.state)), dom.h("span", { class: "word" }, row.state)));
    took?.replaceChildren(row.took_s === null ? "" : format.duration(row.took_s));
    bar?.replaceChildren(lengthOf(longest ? (row.took_s ?? 0) / longest : 0));
    tasks?.replaceChildren(stateBar(row.counts));
    const text = row.changed || "first run";
    changed?.replaceChildren(text);
    if (changed) dom.set(changed, { title: [text, format.endOf(row.message, row.counts)].filter(Boolean).join("; ") });
  }
}

/** @param {Row} row */
const showing = ({ id, number }) =>
  dom.button("show-run", `run ${number}`, { "data-run": number, "data-run-id": id, class: "plain", title: "Show this run here" });

/** @param {Row} row */
const rowOf = ({ id, number }) =>
  dom.h(
    "tr",
    { "data-run": number, "data-run-id": id },
    dom.h("td", {}, dom.h("input", { type: "checkbox", "data-action": "choose-run", "aria-label": `Choose run ${number} to compare it` })),
    dom.h("th", { scope: "row" }),
    dom.h("td"),
    dom.h("td"),
    dom.h("td", { class: "num" }),
    dom.h("td", { class: "bar-cell" }),
    dom.h("td", { class: "bar-cell" }),
    dom.h("td", { class: "said-cell" }),
  );

/** @param {number} share */
function lengthOf(share) {
  const bar = dom.h("i", { class: "length" });
  bar.style.width = `${Math.round(72 * share)}px`;
  return bar;
}

/** @param {Record<string, number>} counts */
function stateBar(counts) {
  const found = states.inOrder(counts);
  const bar = dom.h("div", { class: "bar", role: "img", "aria-label": found.map(([state, n]) => `${n} ${state}`).join(", ") });
  for (const [state, n] of found) {
    const part = dom.h("i", { "data-state": state, title: `${n} ${state}` });
    part.style.flex = String(n);
    bar.append(part);
  }
  return bar;
}
