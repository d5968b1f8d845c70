/**
 * The panel: connects its parts to the model and sends the user's commands.
 *
 * State lives in Python. A view adds only what is its own: selection, filter, search, zoom, tab.
 */

import { CardGrip } from "./card_grip.js";
import { Controls, fieldsOf, PLAIN, situationOf, slotOf } from "./controls.js";
import { GraphPane } from "./graph_pane.js";
import { isUnderWay, lastKnown } from "./head.js";
import { cannotOf, clockOf, repeat, viewName } from "./host.js";
import { Inspector } from "./inspector.js";
import { needs } from "./needs.js";
import { PanelDisplay } from "./panel_display.js";
import { listenToPerson } from "./panel_input.js";
import { build } from "./panel_layout.js";
import { PanelState } from "./panel_state.js";
import { PanelViews } from "./panel_views.js";
import { PartChoices } from "./part_choices.js";
import { Link } from "./wire.js";

/** @typedef {import("./host.js").Model} Model */
/** @typedef {import("./wire.js").Snapshot} Snapshot */
/** @typedef {{model: Model, root: HTMLElement, signal: AbortSignal}} Given */

/** @type {Record<string, "in" | "out" | "fit">} */
const ZOOMS = { "zoom-in": "in", "zoom-out": "out", fit: "fit" };
const TICK_MS = 1000;
/** How often to repeat `inspect`: after 90 s of silence, Python assumes that the view is gone. */
const INSPECT_AGAIN_MS = 20_000;
const HIDDEN_MS = 250;
/** Browsers lay out the whole picture when a text in it changes; with more nodes than this, changes are spaced out. */
const [MANY, MANY_MS] = [300, 100];
const GONE = "The kernel went away before it answered.";
const CUT = "The connection was lost before there was an answer. Check whether it was done.";
const NOT_KEPT = "Nothing more of it was kept.";

/** @param {Given} given */
function render(given) {
  new Panel(given).begin();
}

export default { render };

class Panel {
  #view = viewName();
  #isScheduled = false;
  /** @param {Given} given */
  constructor({ model, root, signal }) {
    this.model = model;
    this.root = root;
    this.signal = signal;
    this.clock = clockOf(signal);
    root.dataset.flowbook = "panel";
    this.state = new PanelState(model.get("graph"));
    this.link = new Link({
      view: this.#view,
      clock: this.clock,
      send: (message) => model.send(message),
      seq: () => this.state.fold.seq,
      onStatus: () => this.#onStatus(),
      onLate: () => this.#schedule(),
      isGoing: () => isUnderWay(this.state.fold.run),
    });
    this.state.isHeardLast = () => lastKnown({ run: this.state.run, status: this.link.status, connection: model.get("connection"), host: model.host }) !== null;
    const now = () => this.#now();
    this.cannot = cannotOf(model);
    this.parts = build(root, this.cannot);
    const onSelect = (/** @type {string} */ key) => this.#look({ selected: key });
    const onLens = () => this.controls.dress();
    const { parts, link, clock, state } = this;
    this.graph = new GraphPane({ el: this.parts.canvas, view: this.#view, signal, state: this.state, now: () => this.views.shownAt, onSelect, onLens });
    this.display = new PanelDisplay({ root, parts: this.parts, state: this.state, now });
    new CardGrip({ grip: this.parts.grip, body: this.parts.body, signal });
    this.inspector = new Inspector({ el: parts.inspector, signal, now, ask: this.#ask.bind(this), cannot: this.cannot, link, onRedraw: onLens });
    const onMoment = () => this.#redraw();
    const onMenu = (/** @type {any} */ answer) => this.choices.menu.take(answer);
    const parameters = () => this.display.section.values();
    this.views = new PanelViews({ parts, view: this.#view, link, clock, signal, state, now, onMoment, onMenu, parameters, cannot: this.cannot });
    this.choices = this.#partChoices();
    this.controls = new Controls({ root, link: this.link, host: model.host, cannot: this.cannot, situation: () => situationOf(this) });
  }

  /** Draw, listen and say hello. */
  begin() {
    const { model, root, link, signal } = this;
    const meant = {
      act: this.#act.bind(this),
      search: (/** @type {string} */ query) => this.#look({ query }),
      find: (/** @type {string} */ query) => this.#find(query),
      note: () => this.controls.dress(),
      group: (/** @type {string} */ by) => this.#send("group", { by }, "group:"),
      leave: () => this.#leave(),
      menu: this.choices.open.bind(this.choices),
    };
    listenToPerson(root, meant, signal);
    model.on("message", (message) => this.#onMessage(message), signal);
    model.on("snapshot", () => this.#takeSnapshot(model.get("snapshot")), signal);
    model.on("graph", () => this.#drawGraph(), signal);
    model.on("connection", () => this.#onConnection(), signal);
    model.on("saved", () => this.#showSaved(), signal);
    signal.addEventListener("abort", () => link.close(this.state.inspected ? { type: "inspect", key: null } : null), { once: true });
    this.#takeSnapshot(model.get("snapshot"));
    this.#drawGraph();
    this.#follow();
    this.#flush();
    repeat(INSPECT_AGAIN_MS, signal, () => this.#inspectAgain());
    repeat(TICK_MS, signal, () => this.#tick());
  }

  // Messages from the kernel.

  /** @param {any} message */
  #onMessage(message) {
    const slot = this.link.heard(message);
    if (message.type === "snapshot") this.#takeSnapshot(message);
    else if (message.type === "patch") this.#takePatch(message);
    else if (message.type === "cell") this.link.commands.isOwn(message.id) && this.model.insertCell?.(message.source);
    else if (this.inspector.hear(message)) return;
    else if (this.views.hear(message)) this.#schedule();
    else if (message.type === "details" && message.key === this.state.inspected) this.#showDetails(message);
    else if (message.type === "ack") {
      this.views.acked(message, slot);
      this.#takeAck(message, slot);
    }
  }

  /** @param {import("./inspector.js").Details} details */
  #showDetails(details) {
    this.state.details = details;
    this.inspector.update(this.state.known(details));
    this.#schedule();
  }

  /** @param {Snapshot | undefined} snapshot */
  #takeSnapshot(snapshot) {
    if (!snapshot || typeof snapshot.seq !== "number") return;
    const what = this.state.fold.snapshot(snapshot);
    if (what === "gap") this.link.hello();
    this.views.begin(/** @type {{begin?: string}} */ (snapshot).begin);
    if (what === "old") return;
    this.graph.mark("all");
    this.views.changed("all");
    this.#schedule();
  }

  /** @param {import("./wire.js").Patch} patch */
  #takePatch(patch) {
    const changed = this.state.fold.patch(patch);
    if (changed === "gap") this.link.hello();
    if (typeof changed === "string") return;
    this.views.changed(changed);
    this.graph.mark(changed);
    this.#schedule();
  }

  /** @param {{id: string, ok?: boolean, text?: string}} ack @param {string | null} slot */
  #takeAck(ack, slot) {
    if (slot === null) return;
    const { inspected } = this.state;
    if (ack.text) this.display.announcer.say(ack.text);
    this.inspector.acked(ack, slot);
    if (!ack.ok && slot === `inspect:${inspected}`) this.inspector.wait(inspected ?? "", this.state.task(inspected ?? ""), ack.text ?? "");
    this.#schedule();
  }

  #onStatus() {
    const { link } = this;
    this.views.reset();
    if (link.status === "live" && this.state.inspected) link.command("inspect", { key: this.state.inspected }, `inspect:${this.state.inspected}`);
    if (link.status === "unavailable" || link.status === "saved") this.inspector.release(null);
    if (this.state.details) this.#showDetails(this.state.details);
    this.#redraw();
  }

  /** The way to the kernel opened or closed. */
  #onConnection() {
    // Another kernel than the one that counted so far may answer now.
    if (this.model.get("connection").state === "open") this.state.fold.reset();
    this.#follow();
  }

  #follow() {
    const { state, answers } = this.model.get("connection");
    this.link.follow(state, this.model.host === "page" ? CUT : GONE, answers);
    this.#showSaved();
    this.#schedule();
  }

  /** Without a kernel, timeline, logs and runs are those that were kept. */
  #showSaved() {
    const saved = this.link.status === "live" ? null : this.model.get("saved");
    if (saved) this.views.keep(saved.answers);
  }

  #inspectAgain() {
    const key = this.state.inspected;
    if (key && this.link.status === "live") this.link.command("inspect", { key, again: true }, `inspect:${key}`);
  }

  // Actions of the user.

  /** @param {string} action @param {string | null} key @param {Element | null} [control] */
  #act(action, key, control = null) {
    if (control?.getAttribute("aria-disabled") === "true") return;
    if (this.choices.act(action, key ?? "", control)) return;
    /** @type {Record<string, () => void>} */
    const own = {
      inspect: () => this.#inspect(key),
      close: () => this.#inspect(null),
      widen: () => this.#widen(),
      tab: () => this.#choose(/** @type {import("./panel_state.js").Tab} */ (control?.getAttribute("data-tab") ?? "graph")),
      "replay-toggle": () => {
        this.views.toggleReplay();
        this.#flush();
      },
      "show-run": () => this.#showRun(control?.getAttribute("data-run-id") ?? ""),
      "open-group": () => this.#openGroup(control?.getAttribute("data-group") ?? null),
      "go-to-node": () => this.#goTo(key),
      "back-to-graph": () => this.#backToGraph(),
      "child-step": () => this.#stepChild(control?.getAttribute("data-step") === "-1" ? -1 : 1),
      "filter-state": () => this.#filter(control?.getAttribute("data-state") ?? null),
      plan: () => this.views.askForPlan(),
      "as-table": () => this.#toggleTable(),
      "make-live": () => this.model.send({ type: "make-live" }),
      run: () => this.#run(),
      "keep-difference": () => this.#send("to-variable", { what: "difference", ...this.views.difference(this.inspector) }, "keep-difference:"),
      "to-variable": () => this.#send("to-variable", { key, what: control?.getAttribute("data-what") ?? "output" }, slotOf(control, action, key)),
    };
    if (ZOOMS[action]) this.graph.drawing?.zoom(ZOOMS[action]);
    else if (own[action]) own[action]?.();
    else if (PLAIN.has(action) && !this.controls.refusal(action, key)) this.#decide(action, key, control);
  }

  /** @param {string} action @param {string | null} key @param {Element | null} control */
  #decide(action, key, control) {
    const approval = key === this.state.inspected ? this.inspector.approval : null;
    this.#send(action, fieldsOf({ action, key }, { approval, canInsert: Boolean(this.model.insertCell) }), slotOf(control, action, key));
  }

  /** @param {Record<string, unknown>} [fields] of a run of a part */
  #run(fields) {
    const parameters = this.display.section.values();
    if (!parameters || this.controls.refusal("run", null)) return false;
    this.#send("run", { parameters, ...fields }, "run:");
    return true;
  }

  #partChoices() {
    const { root, signal, state, link } = this;
    return new PartChoices({
      ...{ root, signal, state, views: () => this.views, isLive: () => link.status === "live" && !this.cannot.has("run"), run: (fields) => this.#run(fields) },
      parameters: () => this.display.section.values(),
      choose: (tab) => (tab === "plan" ? this.#flush() : this.#choose(tab)),
      focus: (node) => this.graph.drawing?.focus(node),
    });
  }

  /** @param {string} type @param {Record<string, unknown>} fields @param {string} slot */
  #send(type, fields, slot) {
    this.link.command(type, fields, slot);
    this.controls.dress();
  }

  /** @param {import("./frame.js").Source} source @param {import("./frame.js").Request | null} request */
  #ask(source, request) {
    if (!this.link.canAsk(request === null ? "render" : "page")) return null;
    if (request === null) return this.link.command("render", { source }, `render:${JSON.stringify(source)}`);
    return this.link.command("page", { source, ...request }, `page:${JSON.stringify(source)}`);
  }

  /** @param {string | null} key */
  #inspect(key) {
    const before = this.state.inspected;
    if (key === before && key !== null && (this.state.details || this.link.commands.isWaiting(`inspect:${key}`))) return;
    this.state.inspected = key;
    this.state.details = null;
    if (key && this.state.tab === "graph") this.views.open(this.state.openedFor(key));
    this.link.commands.forget((slot) => slot.startsWith("to-variable:"));
    if (key) this.#openInspector(key);
    else this.#closeInspector(before);
    this.#flush();
  }

  /** @param {string} key */
  #openInspector(key) {
    const { link } = this;
    const kept = link.status === "live" ? null : this.model.get("saved")?.details[key];
    if (kept) this.#showDetails(kept);
    else this.inspector.wait(key, this.state.task(key), link.status === "live" ? "Asking…" : NOT_KEPT);
    link.command("inspect", { key }, `inspect:${key}`);
    const node = this.state.nodeOf(key);
    if (node) this.graph.drawing?.focus(node, false);
    this.#look({ selected: node });
    // The list that the click was in makes room for the card.
    const wasInRail = this.parts.rail.contains(document.activeElement);
    this.#flush();
    if (wasInRail) this.parts.inspector.focus({ preventScroll: true });
    if (node) this.graph.drawing?.show(node);
  }

  /** @param {string | null} before what was inspected */
  #closeInspector(before) {
    const hadFocus = this.parts.inspector.contains(document.activeElement);
    this.link.command("inspect", { key: null }, "inspect:");
    this.#look({ selected: null });
    this.state.isWide = false;
    this.inspector.widen(false);
    const node = before === null ? null : this.state.nodeOf(before);
    if (node && hadFocus && !this.state.isTable) this.graph.drawing?.focus(node);
  }

  /** @param {import("./panel_state.js").Tab} tab */
  #choose(tab) {
    // A plan of how the run goes on is about all of it; a card would stand in its place.
    if (tab === "plan" && this.cannot.has("run")) this.#inspect(null);
    this.views.choose(tab);
    this.#flush();
  }

  /** @param {string} run */
  #showRun(run) {
    if (run && run !== this.state.run?.id && !this.controls.refusal("show-run", null)) this.#send("show-run", { run }, `show-run:${run}`);
  }

  /** @param {string | null} name */
  #openGroup(name) {
    this.views.open(name);
    this.#look({ selected: name });
    this.#flush();
  }

  /** @param {string | null} node a task or a group */
  #goTo(node) {
    if (node === null || this.state.isTask(node)) this.#inspect(node);
    else this.#openGroup(node);
  }

  #backToGraph() {
    const { opened } = this.state;
    this.views.open(null);
    this.#flush();
    if (opened) this.graph.drawing?.focus(opened);
  }

  /** @param {1 | -1} step */
  #stepChild(step) {
    const next = this.views.children.beside(this.state.inspected ?? "", step);
    if (next) this.#inspect(next);
  }

  #widen() {
    this.state.isWide = !this.state.isWide;
    this.inspector.widen(this.state.isWide);
    this.#flush();
    const node = this.state.nodeOf(this.state.inspected ?? "");
    if (node && !this.state.isWide) this.graph.drawing?.show(node);
  }

  /** @param {string | null} state */
  #filter(state) {
    this.#look({ filter: this.state.filter === state ? null : state });
  }

  /** @param {Partial<Pick<PanelState, "selected" | "filter" | "query">>} change */
  #look(change) {
    Object.assign(this.state, change);
    this.graph.markLens();
    this.#schedule();
  }

  #toggleTable() {
    const { state } = this;
    this.views.open(null);
    state.isTable = !state.isTable;
    this.#flush();
  }

  #leave() {
    if (this.state.inspected) this.#inspect(null);
    else if (this.state.opened) this.#backToGraph();
    else this.#look({ selected: null, filter: null });
  }

  /** @param {string} query */
  #find(query) {
    const found = this.state.find(query);
    const key = found && this.state.nodeOf(found);
    if (!key || this.state.isTable) return;
    this.graph.drawing?.focus(key);
    this.#look({ selected: key });
  }

  // Drawing.

  #drawGraph() {
    const graph = this.model.get("graph");
    this.graph.draw(graph);
    this.display.section.reset({ graph, run: this.state.fold.run, signal: this.signal, onSubmit: () => this.state.tab !== "plan" && this.#run() });
    if (this.state.opened) this.views.open(this.state.opened);
    this.#schedule();
  }

  #redraw() {
    this.graph.mark("all");
    this.graph.markLens();
    this.#schedule();
  }

  #schedule() {
    if (this.#isScheduled || this.signal.aborted) return;
    this.#isScheduled = true;
    const flush = () => this.#flush();
    if (document.hidden) this.clock.later(HIDDEN_MS, flush);
    else if (this.state.keys.size > MANY) this.clock.later(MANY_MS, () => requestAnimationFrame(flush));
    else requestAnimationFrame(flush);
  }

  #flush() {
    this.#isScheduled = false;
    if (this.signal.aborted) return;
    this.graph.update();
    this.#show();
  }

  #tick() {
    if (document.hidden) return;
    if (this.state.moment === null) this.graph.drawing?.tick();
    this.views.tick();
    this.#show();
  }

  #show() {
    const found = needs(this.state.fold.tasks);
    const [{ shown: status, isLate }, connection, saved] = [this.link, this.model.get("connection"), this.model.get("saved")];
    this.display.show({ found, status, isLate, connection, saved, host: this.model.host, cannot: this.cannot });
    this.views.show();
    this.controls.dress();
    this.display.announce(found);
  }

  // Queries.

  #now() {
    // What is kept doesn't go on: a task that ran then isn't said to run ever since.
    const kept = this.link.status === "saved" ? this.model.get("saved") : null;
    return kept?.at ?? Date.now() / 1000 + this.link.skew_s;
  }
}
