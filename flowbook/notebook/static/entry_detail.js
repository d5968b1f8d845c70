/** The chosen entry of the cache: the run that made it, how long it is valid, its value. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { FrameView } from "./frame.js";

/** @typedef {import("./cache.js").Entry} Entry */
/** @typedef {import("./cache.js").Snapshot} Snapshot */
/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {import("./wire.js").Said} Said */

export class EntryDetail {
  #name = dom.h("span", { class: "name" });
  #about = dom.h("span", { class: "nowrap" });
  #made = dom.h("span", { class: "dim nowrap" });
  #keep = dom.button("to-variable", "To a variable", { class: "primary" });
  #pin = dom.button("pin", "Pin");
  #expire = dom.button("expire", "Expire");
  #said = dom.h("span", { class: "said" });
  #value = dom.h("div", { class: "value" });
  el = dom.h(
    "div",
    { class: "part" },
    dom.h(
      "div",
      { class: "head" },
      this.#name,
      this.#about,
      this.#made,
      dom.h("span", { class: "side" }, this.#said, dom.h("span", { class: "row tight" }, this.#keep, this.#pin, this.#expire)),
    ),
    this.#value,
  );
  /** @type {FrameView | null} */
  #frame = null;
  /** @type {AbortController | null} */
  #framed = null;
  #json = "";

  /** @param {{signal: AbortSignal, ask: import("./frame.js").Ask, cannot: ReadonlySet<string>}} given */
  constructor(given) {
    this.given = given;
    this.#keep.hidden = given.cannot.has("to-variable");
  }

  /** @param {Snapshot} snapshot @param {{moment: number, isValid: (entry: Entry) => boolean, refusal: (id: string) => string | null, said: (id: string) => Said | undefined}} how */
  update(snapshot, { moment, isValid, refusal, said }) {
    const entry = snapshot.entries.find(({ id }) => id === snapshot.selected);
    this.el.hidden = !entry;
    if (!entry) return;
    dom.set(this.el, { "data-entry": entry.id });
    dom.say(this.#name, entry.task);
    this.#about.replaceChildren(`${entry.parameters || "no parameters"}, `, dom.h("b", {}, `as of ${format.moment(moment, snapshot.now)}`));
    dom.say(this.#made, madeText(entry, snapshot.now, isValid(entry)));
    const why = refusal(entry.id);
    dom.set(this.#keep, { "data-entry": entry.id, "aria-disabled": why ? "true" : null, title: why ?? "Puts the value into a variable of the notebook" });
    this.#showChanges(entry, snapshot.now, why);
    const answer = said(entry.id);
    dom.say(this.#said, answer?.text ?? "");
    dom.set(this.#said, { "data-ok": answer?.ok === false ? "false" : "true" });
    this.#show(entry.id, previewOf(entry, snapshot));
  }

  /** @param {Entry} entry @param {number} now @param {string | null} why they can't be used */
  #showChanges({ id, pinned = false, expires, task }, now, why) {
    const title = pinned ? "Lets a sweep delete this value again" : "Keeps this value from every sweep";
    dom.set(this.#pin, { "data-entry": id, "aria-pressed": pinned ? "true" : "false", "aria-disabled": why ? "true" : null, title: why ?? title });
    dom.say(this.#pin, pinned ? "Pinned" : "Pin");
    const over = why ?? (expires !== null && expires <= now ? "It is expired already" : null);
    dom.set(this.#expire, {
      "data-entry": id,
      "aria-disabled": over ? "true" : null,
      title: over ?? `From now on no run takes it: the next one makes ${task} anew`,
    });
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
  }

  /** @param {string} entry @param {Preview} preview */
  #show(entry, preview) {
    const json = `${entry} ${JSON.stringify(preview)}`;
    if (json === this.#json) return;
    this.#json = json;
    this.#framed?.abort();
    this.#framed = new AbortController();
    const signal = AbortSignal.any([this.given.signal, this.#framed.signal]);
    this.#frame = new FrameView({ el: this.#value, preview, source: { entry }, ask: this.given.ask, signal });
  }
}

/** @param {Entry} entry @param {number} now @param {boolean} isValid */
function madeText({ run, created, expires }, now, isValid) {
  const made = run ? `made by run ${run}` : "made by a run that was not recorded";
  const until = expires === null ? "no end" : format.moment(expires, now);
  return `${made}, ${isValid ? "valid" : "not valid then: it was"} from ${format.moment(created, now)} to ${until}`;
}

/** @param {Entry} entry @param {Snapshot} snapshot @returns {Preview} */
function previewOf({ type }, { preview, page }) {
  const missing = "No preview of this value is stored.";
  return preview ?? { kind: page ? "frame" : "text", type, text: type, page, repr: missing };
}
