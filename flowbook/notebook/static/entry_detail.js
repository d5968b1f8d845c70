/** The chosen entry of the cache: the run that made it, how long it is valid, its value; or what differs from another version. */

import { DiffView } from "./diff.js";
import * as dom from "./dom.js";
import { parametersOf } from "./entry_list.js";
import * as format from "./format.js";
import { FrameView } from "./frame.js";
import { PlanTable } from "./plan_table.js";

/** @typedef {import("./cache.js").Entry} Entry */
/** @typedef {import("./cache.js").Snapshot} Snapshot */
/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {import("./wire.js").Said} Said */

export class EntryDetail {
  #name = dom.h("span", { class: "name" });
  #about = dom.h("span", { class: "nowrap" });
  #made = dom.h("span", { class: "dim nowrap" });
  #keep = dom.button("to-variable", "To a variable", { class: "primary" });
  #compare = dom.button("compare", "Compare");
  #run = dom.button("run-from", "Run downstream");
  #pin = dom.button("pin", "Pin");
  #expire = dom.button("expire", "Expire");
  #said = dom.h("span", { class: "said" });
  #value = dom.h("div", { class: "value" });
  #buttons = dom.h("span", { class: "row tight" }, this.#keep, this.#compare, this.#run, this.#pin, this.#expire);
  #head = dom.h("div", { class: "head" }, this.#name, this.#about, this.#made, dom.h("span", { class: "side" }, this.#said, this.#buttons));
  /** Instead of the value: a comparison, or the plan of a run. */
  #fork = dom.h("div", { class: "fork", hidden: true });
  el = dom.h("div", { class: "part" }, this.#head, this.#value, this.#fork);
  /** @type {FrameView | null} */
  #frame = null;
  /** @type {AbortController | null} */
  #framed = null;
  #json = "";
  #shown = "";
  /** @type {DiffView | null} */
  #diff = null;
  /** @type {Entry[]} */
  #versions = [];
  #now = 0;
  /** @type {PlanTable | null} */
  #plan = null;
  /** The entry below which the plan runs. */
  #below = "";
  /** @type {AbortController | null} */
  #forked = null;

  /** @param {{signal: AbortSignal, ask: import("./frame.js").Ask, send: (type: string, fields: Record<string, unknown>, slot?: string) => string | null, cannot: ReadonlySet<string>}} given */
  constructor(given) {
    this.given = given;
    this.#keep.hidden = given.cannot.has("to-variable");
    this.#run.hidden = given.cannot.has("run-from");
  }

  /** @param {Snapshot} snapshot @param {{moment: number, isValid: (entry: Entry) => boolean, refusal: (id: string) => string | null, said: (id: string) => Said | undefined}} how */
  update(snapshot, { moment, isValid, refusal, said }) {
    const entry = snapshot.entries.find(({ id }) => id === snapshot.selected);
    this.el.hidden = !entry;
    if (!entry) return;
    if (this.#shown !== entry.id) this.#close();
    this.#shown = entry.id;
    dom.set(this.el, { "data-entry": entry.id });
    dom.say(this.#name, entry.task);
    this.#about.replaceChildren(`${entry.parameters || "no parameters"}, `, dom.h("b", {}, `as of ${format.moment(moment, snapshot.now)}`));
    dom.say(this.#made, madeText(entry, snapshot.now, isValid(entry)));
    const why = refusal(entry.id);
    dom.set(this.#keep, { "data-entry": entry.id, "aria-disabled": why ? "true" : null, title: why ?? "Puts the value into a variable of the notebook" });
    this.#showChanges(entry, snapshot.now, why);
    this.#showForks(entry, snapshot, why);
    const answer = said(entry.id);
    dom.say(this.#said, answer?.text ?? "");
    dom.set(this.#said, { "data-ok": answer?.ok === false ? "false" : "true" });
    this.#show(entry.id, previewOf(entry, snapshot));
  }

  /** @param {Entry} entry @param {number} now @param {string | null} why they can't be used */
  #showChanges({ id, pinned = false, undo = false, expires, task }, now, why) {
    const title = pinned ? "Lets a sweep delete this value again" : "Keeps this value from every sweep";
    dom.set(this.#pin, { "data-entry": id, "aria-pressed": pinned ? "true" : "false", "aria-disabled": why ? "true" : null, title: why ?? title });
    dom.say(this.#pin, pinned ? "Pinned" : "Pin");
    const over = undo ? why : (why ?? (expires !== null && expires <= now ? "It has expired already" : null));
    dom.say(this.#expire, undo ? "Undo expiry" : "Expire");
    dom.set(this.#expire, {
      "data-entry": id,
      "data-action": undo ? "renew" : "expire",
      "aria-disabled": over ? "true" : null,
      title: over ?? (undo ? "It is valid again, as it was" : `No run uses it from now on: the next one runs ${task} again`),
    });
  }

  /** @param {Entry} entry @param {Snapshot} snapshot @param {string | null} why they can't be used */
  #showForks(entry, snapshot, why) {
    const pair = pairOf(snapshot, entry.id);
    const alone = why ?? (pair ? null : "It has only one version");
    const isOld = pair?.[0].id === entry.id;
    dom.say(this.#compare, isOld || !pair ? "Compare with now" : "Compare with before");
    dom.set(this.#compare, { "data-entry": entry.id, "aria-disabled": alone ? "true" : null, title: alone ?? "Shows which rows, cells and columns differ" });
    dom.set(this.#run, {
      "data-entry": entry.id,
      "aria-disabled": why ? "true" : null,
      title: why ?? `Runs what lies below ${entry.task} with this value, once you have seen the plan`,
    });
  }

  // Instead of the value.

  /** Compare an entry with the newest version, or the newest with the one before. @param {Snapshot} snapshot @param {string} id */
  compare(snapshot, id) {
    const pair = pairOf(snapshot, id);
    if (!pair) return;
    const [first, second] = pair;
    this.#now = snapshot.now;
    this.#versions = snapshot.entries.filter(({ flow, task }) => flow === second.flow && task === second.task);
    const signal = this.#open();
    this.#diff = new DiffView({
      el: this.#fork,
      name: second.task,
      first: { entry: first.id },
      second: { entry: second.id },
      choices: () => choicesOf(this.#versions, this.#now),
      ask: (asked) => this.given.send("compare-values", asked),
      buttons: [
        this.given.cannot.has("to-variable") ? null : dom.button("keep-difference", "Difference to a variable", { class: "primary", "data-slot": "keep" }),
        this.given.cannot.has("run-from") ? null : dom.button("run-from-old", "Run downstream from old", { "data-slot": "run-from" }),
        dom.button("close", "Close", { "data-slot": "close" }),
      ],
      signal,
    });
  }

  /** Ask what a run of all that lies below an entry's task would do. @param {string} entry */
  plan(entry) {
    this.#open();
    this.#below = entry;
    dom.set(this.#fork, { "data-flowbook": "plan" });
    this.#plan = new PlanTable({ el: this.#fork });
    this.#plan.show(this.given.send("plan-below", { entry }) ? "" : "There is no kernel to ask.");
  }

  /** @param {string} action @returns {boolean} whether it was one of these */
  act(action) {
    const asked = this.#diff?.asked;
    if (action === "close") this.#close();
    else if (action === "keep-difference" && asked) this.given.send("to-variable", { what: "difference", ...asked });
    else if (action === "run-from-old" && asked) this.plan(asked.first.entry ?? "");
    else if (action === "not-now") this.#close();
    else if (action === "run-plan") this.given.send("run-below", { entry: this.#below }, `run-below:${this.#below}`);
    else return false;
    return true;
  }

  /** @param {import("./diff.js").Diff & {versions: Entry[]}} message @param {number} now */
  compared(message, now) {
    this.#versions = message.versions;
    this.#now = now;
    this.#diff?.take(message);
  }

  /** @param {{plan: import("./plan.js").Plan}} message */
  planned(message) {
    this.#plan?.take({ ...message, what: "below" });
    this.#plan?.focus();
  }

  /** What came of a command. @param {string} slot @param {string} text */
  say(slot, text) {
    if (slot === "to-variable") this.#diff?.say(text);
    if (slot.startsWith("run-below:")) this.#close();
  }

  #open() {
    this.#close();
    this.#forked = new AbortController();
    this.#fork.hidden = false;
    this.#head.hidden = this.#value.hidden = true;
    return AbortSignal.any([this.given.signal, this.#forked.signal]);
  }

  #close() {
    this.#forked?.abort();
    this.#forked = this.#diff = this.#plan = null;
    const next = dom.h("div", { class: "fork", hidden: true });
    this.#fork.replaceWith(next);
    this.#fork = next;
    this.#head.hidden = this.#value.hidden = false;
  }

  /** @param {{id: string, frame: import("./frame.js").Page}} message */
  page(message) {
    this.#frame?.page(message);
  }

  /** @param {{id: string, html: string}} message */
  rendered(message) {
    this.#frame?.rendered(message);
  }

  /** @param {string | null} id @param {string} [why] */
  release(id, why) {
    this.#frame?.release(id, why);
    this.#diff?.release(id, why);
    if (why) this.#plan?.refuse(why);
  }

  /** @param {string} entry @param {Preview} preview */
  #show(entry, preview) {
    const json = `${entry} ${JSON.stringify(preview)}`;
    if (json === this.#json) return;
    this.#json = json;
    this.#framed?.abort();
    this.#framed = new AbortController();
    const signal = AbortSignal.any([this.given.signal, this.#framed.signal]);
    this.#frame = new FrameView({ el: this.#value, preview, source: { entry }, ask: this.given.ask, canRender: !this.given.cannot.has("render"), signal });
  }
}

/** @param {Entry} entry @param {number} now @param {boolean} isValid */
function madeText({ run, created, expires }, now, isValid) {
  const made = run ? `made by run ${run}` : "made by a run that was not recorded";
  const until = expires === null ? "no end" : format.moment(expires, now);
  return `${made}, ${isValid ? "valid" : "not valid at that moment: it was"} from ${format.moment(created, now)} to ${until}`;
}

/** @param {Entry} entry @param {Snapshot} snapshot @returns {Preview} */
function previewOf({ type }, { preview, page }) {
  const missing = "No preview of this value is stored.";
  return preview ?? { kind: page ? "frame" : "text", type, text: type, page, repr: missing };
}

/** The two versions to compare, the older one first: the one that is shown and the newest, or the one before it. @param {Snapshot} snapshot @param {string} id @returns {[Entry, Entry] | null} */
export function pairOf({ entries }, id) {
  const chosen = entries.find((entry) => entry.id === id);
  if (!chosen) return null;
  const versions = entries.filter(({ flow, task }) => flow === chosen.flow && task === chosen.task).sort((a, b) => b.created - a.created);
  const alike = versions.filter(({ parameters }) => parameters === chosen.parameters);
  const [newest, before] = alike.length > 1 ? alike : versions;
  if (!newest || !before) return null;
  if (newest.id !== id) return newest.created < chosen.created ? [newest, chosen] : [chosen, newest];
  return [before, newest];
}

/** @param {Entry[]} versions @param {number} now @returns {import("./diff.js").Choice[]} */
function choicesOf(versions, now) {
  const differ = new Set(versions.map(({ parameters }) => parameters)).size > 1;
  return versions.map((entry) => {
    const run = entry.run ? `, run ${entry.run}` : "";
    return { version: { entry: entry.id }, text: `${format.moment(entry.created, now)}${run}${differ ? `, ${parametersOf(entry)}` : ""}` };
  });
}
