/** The page of all runs: what waits for a person first, then what goes on, failed, is to come and ended. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { grouped, isEndedLately, leftOf } from "./lab_overview.js";
import { base, person, shell, tell } from "./page_shell.js";
import { PageStream } from "./page_stream.js";
import { keepPresses } from "./press.js";
import * as states from "./states.js";
import { middleCut } from "./text_fit.js";

/** @typedef {import("./lab_overview.js").Row} Row */
/** @typedef {import("./lab_overview.js").Sent} Sent */
/** @typedef {{title: string, rows: Row[]}} Group */

const MORE = 100;
const NAME_MOST = 32;
const TICK_MS = 1000;

class RunsPage {
  /** @type {Sent | null} */
  #sent = null;
  /** Runs that ended earlier, asked for by a click. @type {Row[]} */
  #earlier = [];
  #most = 30;
  #why = "";
  #isLive = false;
  /** The rows as they are drawn; drawn again only where they differ. */
  #json = "";
  #end = new AbortController();
  #flow = select("filter-flow", "Flow", "every flow");
  #state = select("filter-state", "State", "every state");
  #search = dom.h("input", { "data-action": "search", placeholder: "flow, run or task", "aria-label": "Search", class: "search", spellcheck: "false" });
  #body = dom.h("div", { class: "scroll part", tabindex: 0, role: "region", "aria-label": "Runs" });
  #count = dom.h("span", { class: "grow" });
  #link = dom.h("span", { class: "link", role: "status" });
  /** The runs that are chosen to be compared, the last two of one flow. @type {Row[]} */
  #chosen = [];
  #bar = dom.h("div", { class: "foot chosen", role: "status", hidden: true });

  /** @param {HTMLElement} root */
  constructor(root) {
    root.dataset.flowbook = "page";
    root.dataset.host = "page";
    this.root = root;
    const side = dom.h("span", { class: "side" }, dom.h("span", { class: "row tight" }, this.#flow, this.#state, this.#search));
    const foot = dom.h("div", { class: "foot" }, this.#count, this.#link, dom.button("more", "Earlier"));
    root.append(dom.h("div", { class: "head" }, dom.h("h3", {}, "Runs"), side), this.#body, this.#bar, foot);
    keepPresses(root);
    this.#body.addEventListener("change", (event) => event.target instanceof HTMLInputElement && this.#choose(event.target));
    for (const field of [this.#flow, this.#state, this.#search]) field.addEventListener("input", () => this.#draw());
    foot.addEventListener("click", (event) => event.target instanceof Element && event.target.closest('[data-action="more"]') && this.#askForMore());
  }

  begin() {
    const stream = new PageStream({
      what: "runs",
      base,
      by: person,
      onMessage: (message) => message.type === "overview" && this.#take(message),
      onConnection: ({ state, text }) => this.#connect(state === "open", text ?? ""),
      signal: this.#end.signal,
    });
    stream.begin();
    setInterval(() => document.hidden || this.#draw(), TICK_MS);
    this.#draw();
  }

  /** @param {Sent} sent */
  #take(sent) {
    this.skew_s = sent.now - Date.now() / 1000;
    this.#sent = sent;
    this.#draw();
  }

  /** @param {boolean} isLive @param {string} text */
  #connect(isLive, text) {
    this.#isLive = isLive;
    this.#why = text;
    this.#draw();
  }

  async #askForMore() {
    this.#most += MORE;
    const address = new URL("live/runs", base);
    address.search = `limit=${this.#most}`;
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) return;
    this.#earlier = (await answer.json()).runs;
    this.#draw();
  }

  /** Choose a run to compare it, or no longer; a third one takes the place of the first, and one of another flow that of both. @param {HTMLInputElement} box */
  #choose(box) {
    const id = box.dataset.run;
    const run = this.#all(this.#sent?.runs ?? []).find((each) => each.id === id);
    if (!run) return;
    const others = this.#chosen.filter((each) => each.id !== run.id && each.flow === run.flow);
    this.#chosen = box.checked ? [...others, run].slice(-2) : others;
    this.#showChosen();
  }

  #showChosen() {
    const ids = new Set(this.#chosen.map(({ id }) => id));
    for (const box of this.#body.querySelectorAll("input")) box.checked = ids.has(box.dataset.run ?? "");
    const [old, now] = [...this.#chosen].sort((a, b) => a.number - b.number);
    this.#bar.hidden = !old;
    const said = old && !now ? `Run ${old.number} of ${old.flow} is chosen; choose another one to compare it with.` : "2 chosen";
    this.#bar.replaceChildren(dom.h("span", { class: "grow" }, said), old && now ? comparing(old, now) : "");
  }

  // Drawing

  #draw() {
    dom.set(this.root, { "data-live": this.#isLive ? "live" : "waiting" });
    const word = this.#isLive ? "Live" : this.#sent ? "Waiting for the server" : "Looking…";
    dom.say(this.#link, word);
    dom.set(this.#link, { title: this.#why || (this.#isLive ? "Told by a stream" : null), "data-state": this.#isLive ? null : "Paused" });
    const sent = this.#sent;
    if (!sent) return void (this.#why && this.#body.replaceChildren(dom.h("p", { class: "pad", role: "alert" }, this.#why)));
    const runs = this.#all(sent.runs);
    fillOptions(this.#flow, new Set(runs.map(({ flow }) => flow)));
    fillOptions(this.#state, new Set(runs.map(({ state }) => state)));
    const now = Date.now() / 1000 + (this.skew_s ?? 0);
    const shown = runs.filter((run) => this.#fits(run));
    const groups = groupsOf(shown, now);
    this.#drawTable(groups, now);
    dom.say(this.#count, format.plural(shown.length, "run") + (shown.length < runs.length ? ` of ${format.thousands(runs.length)}` : ""));
    this.#tell(groups);
  }

  /** @param {Row[]} runs */
  #all(runs) {
    const known = new Set(runs.map(({ id }) => id));
    return [...runs, ...this.#earlier.filter(({ id }) => !known.has(id))];
  }

  /** @param {Row} run */
  #fits(run) {
    const wanted = this.#search.value.trim().toLowerCase();
    const text = `${run.flow} run ${run.number} ${run.message} ${run.origin}`.toLowerCase();
    return (!this.#flow.value || run.flow === this.#flow.value) && (!this.#state.value || run.state === this.#state.value) && text.includes(wanted);
  }

  /** @param {Group[]} groups @param {number} now */
  #drawTable(groups, now) {
    const cells = groups.map(({ title, rows }) => [title, rows.map((run, i) => cellsOf(run, now, title === "Waiting for you" && i === 0))]);
    const looks = groups.map(({ title, rows }, g) => [title, rows.map((run, i) => lookOf(run, /** @type {Cells} */ (cells[g]?.[1]?.[i])))]);
    const json = JSON.stringify([looks, Boolean(this.#sent?.runs.length)]);
    // Times go on every second: a row that is being pressed must still be there when the press ends.
    if (json === this.#json) return this.#retell(cells.flatMap(([, found]) => /** @type {Cells[]} */ (found)));
    this.#json = json;
    const focused = this.#body.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    const bodies = groups.map(({ title, rows }, g) => bodyOf(title, rows, /** @type {Cells[]} */ (cells[g]?.[1])));
    const empty = dom.h("p", { class: "pad dim" }, "No run fits.");
    this.#body.replaceChildren(
      groups.length ? dom.h("table", { class: "roomy runs" }, columnsOf(), headOf(), ...bodies) : this.#sent?.runs.length ? empty : nothingYet(),
    );
    if (focused) /** @type {HTMLElement | null} */ (this.#body.querySelector(`[aria-label="${CSS.escape(focused)}"]`))?.focus();
    this.#showChosen();
  }

  /** Say what has changed in the rows that there are. @param {Cells[]} cells */
  #retell(cells) {
    const rows = this.#body.querySelectorAll("tr[data-run]");
    for (const [place, each] of cells.entries()) tellRow(/** @type {Element} */ (rows[place]), each);
  }

  /** @param {Group[]} groups */
  #tell(groups) {
    const waiting = groups.find(({ title }) => title === "Waiting for you")?.rows.length ?? 0;
    const running = groups.find(({ title }) => title === "Running")?.rows.length ?? 0;
    const text = waiting ? `${waiting} waiting for you` : running ? `${running} running` : "Runs";
    tell(text, waiting ? "Paused" : running ? "Running" : "Success");
  }
}

/** @param {Row[]} runs @param {number} now @returns {Group[]} */
function groupsOf(runs, now) {
  const found = grouped(runs, now);
  const listed = new Set(Object.values(found).flatMap((rows) => rows.map(({ id }) => id)));
  const others = runs.filter(({ id }) => !listed.has(id));
  const all = [
    { title: "Waiting for you", rows: found.waiting },
    { title: "Running", rows: found.going },
    { title: "Failed in the last 24 hours", rows: found.failed },
    { title: "Scheduled", rows: found.scheduled },
    { title: "Ended in the last 24 hours", rows: others.filter((run) => isEndedLately(run, now)) },
    { title: "Earlier", rows: others.filter((run) => !isEndedLately(run, now)) },
  ];
  return all.filter(({ rows }) => rows.length);
}

/** @typedef {{what: string, where: string, when: string, took: string, action: string, isPrimary: boolean}} Cells */

/** @param {Row} run @param {number} now @param {boolean} isFirst @returns {Cells} */
function cellsOf(run, now, isFirst) {
  const isWaiting = run.state === "Paused";
  const left = leftOf(run, now);
  const done = Object.entries(run.counts).reduce((sum, [state, n]) => sum + (states.isFinished(state) ? n : 0), 0);
  const total = Object.values(run.counts).reduce((sum, n) => sum + n, 0);
  const progress =
    run.state === "Running" && total ? [`${done} of ${format.plural(total, "task")}`, left ? `about ${left} left` : ""].filter(Boolean).join(", ") : "";
  const since = isWaiting ? run.since : (run.started ?? run.due);
  const took =
    isWaiting && run.since
      ? format.span(now - run.since)
      : run.took_s !== null
        ? format.duration(run.ended === null && run.started ? now - run.started : run.took_s)
        : "";
  return {
    what: progress || format.endOf(format.onPage(run.message), run.counts),
    where: run.where ?? run.origin,
    when: since ? format.moment(since, now) : "",
    took,
    action: isWaiting ? "Decide" : "Show",
    isPrimary: isFirst,
  };
}

/** What of a row isn't only a text. @param {Row} run @param {Cells} cells */
const lookOf = ({ id, flow, number, state, started }, { action, isPrimary }) => [id, flow, number, state, started === null, action, isPrimary];

/** @param {Element} row @param {Cells} cells */
function tellRow(row, { what, where, when, took }) {
  const [, , whatCell, ...others] = row.children;
  for (const [place, text] of [what, where, when, took].entries()) {
    const cell = place ? others[place - 1] : whatCell;
    if (cell) dom.say(cell, text);
  }
  if (whatCell) dom.set(whatCell, { title: what });
}

/** @param {string} title @param {Row[]} rows @param {Cells[]} cells */
function bodyOf(title, rows, cells) {
  const head = dom.h(
    "tr",
    {},
    dom.h("th", { colspan: 7, scope: "rowgroup" }, dom.h("span", { class: "row" }, title, dom.h("span", { class: "dim" }, `${rows.length}`))),
  );
  const lines = rows.map((run, i) => rowOf(run, /** @type {Cells} */ (cells[i])));
  return dom.h("tbody", { "data-group": title }, head, ...lines);
}

/** @param {Row} run @param {Cells} cells */
function rowOf(run, { what, where, when, took, action, isPrimary }) {
  const name = dom.h(
    "span",
    { class: "row tight nowrap" },
    run.started === null
      ? ""
      : dom.h("input", {
          type: "checkbox",
          "data-action": "choose-run",
          "data-run": run.id,
          "aria-label": `Choose ${run.flow} run ${run.number} to compare it`,
        }),
    glyph(run.state),
    dom.h("b", { title: run.flow }, middleCut(run.flow, NAME_MOST)),
    dom.h("span", { class: "dim" }, `run ${run.number}`),
  );
  const link = dom.h(
    "a",
    {
      class: isPrimary ? "btn primary" : "btn",
      href: new URL(`runs/${encodeURIComponent(run.id)}`, base).href,
      "aria-label": `${action} ${run.flow} run ${run.number}`,
    },
    action,
  );
  return dom.h(
    "tr",
    { "data-run": run.id, "data-state": run.state },
    dom.h("th", { scope: "row" }, name),
    dom.h("td", {}, dom.h("span", { class: "word", "data-state": run.state }, run.state)),
    dom.h("td", { class: "what", title: what }, what),
    dom.h("td", { class: "dim wide" }, where),
    dom.h("td", { class: "num nowrap" }, when),
    dom.h("td", { class: "num nowrap phone-hide" }, took),
    dom.h("td", { class: "num" }, link),
  );
}

/** The way to the page that compares two runs. @param {Row} old @param {Row} now */
function comparing(old, now) {
  const address = new URL(`runs/${encodeURIComponent(now.id)}`, base);
  address.search = new URLSearchParams({ compare: old.id }).toString();
  return dom.h("a", { class: "btn primary", "data-action": "compare", href: address.href }, `Compare run ${old.number} with run ${now.number}`);
}

/** @param {string} state */
function glyph(state) {
  const icon = dom.icon(states.glyphOf(state));
  icon.classList.add("glyph-ink");
  return icon;
}

const columnsOf = () => dom.h("colgroup", {}, ...["name", "state", "what", "where wide", "when", "took", "page"].map((name) => dom.h("col", { class: name })));

const headOf = () =>
  dom.h(
    "thead",
    { class: "sr" },
    dom.h("tr", {}, ...["flow", "state", "what", "where", "since", "took", "page"].map((name) => dom.h("th", { scope: "col" }, name))),
  );

const nothingYet = () =>
  dom.h(
    "div",
    { class: "pad stack" },
    dom.h("b", {}, "No run is recorded yet."),
    dom.h("p", { class: "dim" }, "Runs of every notebook and process of this store are listed here as soon as they begin."),
  );

/** @param {string} action @param {string} label @param {string} all */
const select = (action, label, all) => dom.h("select", { "data-action": action, "aria-label": label }, dom.h("option", { value: "" }, all));

/** @param {HTMLSelectElement} field @param {Set<string>} names */
function fillOptions(field, names) {
  const wanted = [...names].sort();
  const has = [...field.options].slice(1).map(({ value }) => value);
  if (JSON.stringify(has) === JSON.stringify(wanted)) return;
  const { value } = field;
  field.replaceChildren(.../** @type {Node[]} */ ([field.options[0]]), ...wanted.map((name) => dom.h("option", { value: name }, name)));
  field.value = wanted.includes(value) ? value : "";
}

const [root] = shell("runs");
new RunsPage(/** @type {HTMLElement} */ (root)).begin();
