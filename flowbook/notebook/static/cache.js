/**
 * The cache browser: shows which outputs were valid at a moment, and their values.
 *
 * State lives in Python: the moment, the filters, the chosen entry. The view adds the order of its rows and the slider's position.
 */

import { axis, isValidAt } from "./axis.js";
import { CacheFilters } from "./cache_filters.js";
import * as dom from "./dom.js";
import { EntryDetail } from "./entry_detail.js";
import { EntryList } from "./entry_list.js";
import * as format from "./format.js";
import { cannotOf, clockOf, viewName } from "./host.js";
import { keepPresses } from "./press.js";
import { SIGNS } from "./states.js";
import { TimeSlider } from "./time_slider.js";
import { Link } from "./wire.js";

/** @typedef {import("./host.js").Model} Model */
/** @typedef {import("./frame.js").Page} Page */
/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {{id: string, flow: string, task: string, parameters: string, size_bytes: number, size: string, uses: number, pinned?: boolean, undo?: boolean, created: number, expires: number | null, valid: boolean, type: string, run: string}} Entry */
/** @typedef {{version: number, at: number, now: number, first: number, entries: Entry[], total?: number, filters: {flows: string[], tasks: string[], types: string[]}, selected: string | null, filter?: Record<string, string>, page: Page | null, preview?: Preview | null}} Snapshot */
/** @typedef {{model: Model, root: HTMLElement, signal: AbortSignal}} Given */

const WIDTH_LEAST = 120;
/** The kernel counts up to this number; a larger total only means that there are more. */
const MOST_COUNTED = 10_000;
/** On an axis shorter than this, times are shown with seconds. */
const SECONDS_BELOW = 1800;
const GONE = "The kernel went away before it answered.";
const LINES = "A solid bar was valid at that moment, a dotted one was not.";
const ON_PAGE = {
  live: ["Live", "Connected to the server"],
  saved: ["Not found", "The server doesn't show it"],
  waiting: ["Waiting for the server", "This is what the server sent last"],
  unavailable: ["Unavailable", "The server doesn't answer; this is what it sent last"],
};
const WORDS = {
  live: ["Live", "Connected to the kernel"],
  saved: ["Saved", "As it was when it was saved; run the cell again for a live view"],
  waiting: ["Waiting for the kernel", "This is what the kernel sent last"],
  unavailable: ["Unavailable", "The kernel is gone; this is what it sent last"],
};

/** @param {Given} given */
function render(given) {
  new CacheView(given).begin();
}

export default { render };

class CacheView {
  /** @type {Snapshot} */
  #snapshot;
  /** Where the slider is held before the kernel followed. @type {number | null} */
  #held = null;
  /** The moment that the kernel was asked for last. */
  #asked = 0;
  #width = 704;
  #axis = axis(0, 1, 704);
  #asOf = dom.h("span", { class: "nowrap" });
  #status = dom.h("span", { class: "link" });
  #now = dom.button("as-of-now", "Now");
  #count = dom.h("span", { class: "grow" });
  #spoken = dom.h("p", { class: "sr", role: "status", "aria-live": "polite" });

  /** @param {Given} given */
  constructor({ model, root, signal }) {
    this.model = model;
    this.root = root;
    this.signal = signal;
    root.dataset.flowbook = "cache";
    this.#snapshot = model.get("snapshot");
    this.clock = clockOf(signal);
    this.link = new Link({
      view: viewName(),
      clock: this.clock,
      send: (message) => model.send(message),
      seq: () => -1,
      onStatus: () => this.#onStatus(),
      onLate: () => this.#draw(),
      isGoing: () => false,
    });
    this.filters = new CacheFilters({ clock: this.clock, signal, onChange: (fields) => this.#filter(fields) });
    this.slider = new TimeSlider({ signal, canMove: () => this.#isLive, onMove: (moment) => this.#move(moment) });
    this.list = new EntryList({ slider: this.slider.el, signal, onWidth: (px) => this.#fit(px) });
    this.detail = new EntryDetail({
      signal,
      ask: this.#ask.bind(this),
      send: (type, fields, slot = type) => (this.#isLive ? this.link.command(type, fields, slot) : null),
      cannot: cannotOf(model),
    });
    this.#build();
  }

  /** Draw, listen and say hello. */
  begin() {
    const { model, root, link, signal } = this;
    keepPresses(root, signal);
    root.addEventListener("click", (event) => this.#click(event), { signal });
    model.on("message", (message) => this.#onMessage(message), signal);
    model.on("snapshot", () => this.#take(model.get("snapshot")), signal);
    model.on("connection", () => this.#onConnection(), signal);
    signal.addEventListener("abort", () => link.close(), { once: true });
    this.#onConnection();
    this.#draw();
    this.filters.begin(this.#snapshot?.filter ?? {});
  }

  #build() {
    const side = dom.h("span", { class: "side" }, dom.h("span", { class: "row about" }, this.#status, this.#asOf), this.#now);
    const head = dom.h("div", { class: "head" }, dom.h("h3", {}, "Cache"), this.filters.el, side);
    const foot = dom.h("div", { class: "foot" }, this.#count);
    this.root.replaceChildren(head, dom.h("div", { class: "part" }, this.list.el), foot, this.detail.el, this.#spoken);
  }

  // Messages from the kernel.

  /** @param {any} message */
  #onMessage(message) {
    const slot = this.link.heard(message);
    if (message.type === "snapshot") this.#take(message);
    else if (message.type === "page") this.detail.page(message);
    else if (message.type === "rendered") this.detail.rendered(message);
    else if (message.type === "diff") this.detail.compared(message, this.#snapshot.now);
    else if (message.type === "plan") this.detail.planned(message);
    else if (slot !== null) this.#takeAck(message, slot);
  }

  /** @param {import("./frame.js").Source} source @param {import("./frame.js").Request | null} request */
  #ask(source, request) {
    if (!this.#isLive) return null;
    return request === null ? this.link.command("render", { source }, "render") : this.link.command("page", { source, ...request }, "page");
  }

  /** @param {Snapshot | undefined} snapshot */
  #take(snapshot) {
    if (!snapshot || !Array.isArray(snapshot.entries)) return;
    this.#snapshot = snapshot;
    if (!this.slider.isDragged && !this.link.commands.isWaiting("as-of")) this.#held = null;
    this.#draw();
  }

  /** @param {{id: string, ok?: boolean, text?: string}} ack @param {string} slot */
  #takeAck(ack, slot) {
    if (ack.text) dom.say(this.#spoken, ack.text);
    if (!ack.ok) this.detail.release(ack.id, ack.text);
    else if (ack.text) this.detail.say(slot, ack.text);
    if (slot === "as-of") this.#followUp(ack.ok === true);
    this.#draw();
  }

  /** The slider may have moved on while the kernel looked. @param {boolean} isTaken */
  #followUp(isTaken) {
    if (this.#held === null) return;
    if (isTaken && this.#held !== this.#asked) this.#askFor(this.#held);
    else if (!this.slider.isDragged) this.#held = null;
  }

  #onStatus() {
    if (this.link.status === "unavailable") this.detail.release(null);
    this.#draw();
  }

  #onConnection() {
    this.link.follow(this.model.get("connection").state, GONE);
  }

  // Actions of the user.

  /** @param {Event} event */
  #click(event) {
    const target = event.target instanceof Element ? event.target : null;
    const control = target?.closest("[data-action]");
    const row = target?.closest("tr[data-entry]");
    if (control && control !== this.slider.el) this.#act(control.getAttribute("data-action") ?? "", control);
    else if (row) this.#select(row.getAttribute("data-entry") ?? "");
  }

  /** @param {string} action @param {Element} control */
  #act(action, control) {
    if (control.getAttribute("aria-disabled") === "true") return;
    const entry = control.getAttribute("data-entry");
    if (action === "as-of-now") this.#move(this.#axis.now);
    else if (action === "select" && entry) this.#select(entry);
    else if (action === "to-variable" && entry) this.link.command("to-variable", { entry }, `to-variable:${entry}`);
    else if (action === "pin" && entry) this.link.command("pin", { entry, pinned: control.getAttribute("aria-pressed") !== "true" }, `change:${entry}`);
    else if ((action === "expire" || action === "renew") && entry) this.link.command(action, { entry }, `change:${entry}`);
    else if (action === "compare" && entry) this.detail.compare(this.#snapshot, entry);
    else if (action === "run-from" && entry) this.detail.plan(entry);
    else if (this.detail.act(action)) return;
    else if (action === "order") this.list.sort(/** @type {import("./entry_list.js").Order} */ (control.getAttribute("data-column")));
    this.#draw();
  }

  /** @param {string} entry */
  #select(entry) {
    if (this.#isLive) this.link.command("select", { entry }, `select:${entry}`);
  }

  /** @param {Record<string, string | null>} fields @returns {boolean} whether they were sent, or there is no kernel to receive them */
  #filter(fields) {
    return this.link.command("filter", fields, "filter") !== null || !this.#isLive;
  }

  /** @param {number} moment */
  #move(moment) {
    if (!this.#isLive) return;
    this.#held = moment;
    this.#drawMoment();
    this.list.updateTimes(this.#shown());
    this.#askFor(moment);
  }

  /** @param {number} moment */
  #askFor(moment) {
    if (this.link.commands.isWaiting("as-of")) return;
    this.#asked = moment;
    this.link.command("as-of", { at: moment >= this.#axis.now ? null : moment }, "as-of");
  }

  /** @param {number} px */
  #fit(px) {
    if (px < WIDTH_LEAST || px === this.#width) return;
    this.#width = px;
    this.#draw();
  }

  // Drawing.

  #draw() {
    const snapshot = this.#snapshot;
    if (!snapshot || this.signal.aborted) return;
    this.#axis = axis(snapshot.first, snapshot.now, this.#width);
    dom.set(this.root, { "data-live": this.link.shown });
    this.filters.update(snapshot.filters, this.#isLive ? null : this.#word);
    this.list.update(this.#shown());
    dom.say(this.#count, this.#countText());
    this.#drawMoment();
    this.detail.update(snapshot, {
      moment: this.#moment,
      isValid: this.#isValid,
      refusal: (id) =>
        !this.#isLive ? this.#word : ["to-variable", "change"].some((what) => this.link.commands.isWaiting(`${what}:${id}`)) ? "Waiting for an answer" : null,
      said: (id) => this.link.commands.newest(["change", "to-variable", "select", "run-below"].map((what) => `${what}:${id}`)),
    });
  }

  /** Redraw everything that depends on the moment; cheap, because it runs while the slider is dragged. */
  #drawMoment() {
    const moment = this.#moment;
    const { entries } = this.#snapshot;
    const { shown } = this.link;
    const valid = entries.filter((entry) => this.#isValid(entry)).length;
    this.#asOf.replaceChildren(
      "As of ",
      dom.h("b", {}, format.date(moment, this.#axis.now - this.#axis.start < SECONDS_BELOW)),
      " ",
      dom.h("span", { class: "dim" }, `${valid} of ${entries.length}${this.#isPart ? " listed" : ""} valid`),
    );
    const link = this.#status;
    const [word = "", title] = this.#words[shown];
    if (link.getAttribute("data-live") !== shown) link.replaceChildren(shown === "live" ? "" : dom.icon(SIGNS.warn ?? []), word);
    dom.set(link, { "data-live": shown, "data-state": shown === "live" ? null : "Paused", title });
    const isNow = moment >= this.#axis.now;
    const why = !this.#isLive ? this.#word : isNow ? "Already now" : "Back to now";
    dom.set(this.#now, { "aria-disabled": isNow || !this.#isLive ? "true" : null, title: why });
    this.slider.draw(this.#axis, moment, this.#isLive);
  }

  #countText() {
    const { entries, total = entries.length } = this.#snapshot;
    const listed = format.thousands(entries.length);
    if (!entries.length)
      return this.filters.isSet ? "No entry matches these filters." : "The cache is empty. Outputs that tasks keep appear here after their first run.";
    const size = format.size(entries.reduce((sum, entry) => sum + entry.size_bytes, 0));
    if (!this.#isPart) return `${listed} ${entries.length === 1 ? "entry" : "entries"}, ${size}. ${LINES}`;
    const all = total > MOST_COUNTED ? `more than ${format.thousands(MOST_COUNTED)}` : format.thousands(total);
    return `${listed} of ${all} entries, the newest at that moment, ${size}. Move the slider or filter to see others. ${LINES}`;
  }

  // Queries.

  get #isLive() {
    return this.link.status === "live";
  }

  /** The status in words. */
  get #word() {
    return this.#words[this.link.status][0] ?? "";
  }

  get #words() {
    return this.model.host === "page" ? ON_PAGE : WORDS;
  }

  get #moment() {
    return this.#held ?? this.#snapshot.at;
  }

  /** Whether there are more than are listed. */
  get #isPart() {
    return (this.#snapshot.total ?? 0) > this.#snapshot.entries.length;
  }

  /** The kernel knows best at its own moment; while the slider is held the dates decide. @param {Entry} entry */
  #isValid = (entry) => (this.#held === null ? entry.valid : isValidAt(entry, this.#held));

  /** @returns {import("./entry_list.js").Shown} */
  #shown() {
    const { entries, selected, now } = this.#snapshot;
    return { entries, selected, now, moment: this.#moment, axis: this.#axis, isValid: this.#isValid };
  }
}
