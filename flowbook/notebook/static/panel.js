/**
 * The panel: connects its parts to the model and sends the user's commands.
 *
 * State lives in Python. A view adds only what is its own: selection, filter, search, zoom, tab.
 */

import { Announcer } from "./announcer.js";
import { CardGrip } from "./card_grip.js";
import { Controls, PLAIN, slotOf } from "./controls.js";
import * as dom from "./dom.js";
import { GraphView } from "./graph.js";
import { Head, isUnderWay, STATUS } from "./head.js";
import { clockOf, isConnected, listen, repeat, viewName } from "./host.js";
import { Inspector, isCard } from "./inspector.js";
import { NeedList, needs } from "./needs.js";
import { listenToPerson } from "./panel_input.js";
import { build } from "./panel_layout.js";
import { PanelState } from "./panel_state.js";
import { PanelViews } from "./panel_views.js";
import { hidePictures, isShownNear } from "./picture.js";
import { RunSection } from "./run_section.js";
import * as states from "./states.js";
import { TaskTable } from "./table.js";
import { Link } from "./wire.js";

/** @typedef {import("@anywidget/types").AnyModel} Model */
/** @typedef {import("./wire.js").Snapshot} Snapshot */
/** @typedef {import("./needs.js").Need} Need */
/** @typedef {{model: Model, el: HTMLElement, root: HTMLElement, signal: AbortSignal}} Given */

const TICK_MS = 1000;
/** How often to repeat `inspect`: after 90 s of silence, Python assumes that the view is gone. */
const INSPECT_AGAIN_MS = 20_000;
const HIDDEN_MS = 250;
/** Browsers lay out the whole picture when a text in it changes; with more nodes than this, changes are spaced out. */
const MANY = 300;
const MANY_MS = 100;
const GONE = "The kernel went away before it answered.";

/** @param {Given} given */
function render(given) {
  new Panel(given).begin();
}

export default { render };

class Panel {
  #view = viewName();
  /** Keys to draw anew. @type {Set<string> | "all"} */
  #dirty = "all";
  #isLensDirty = true;
  #isScheduled = false;
  /** @type {GraphView | null} */
  #drawing = null;
  /** @type {TaskTable | null} */
  #table = null;
  /** Ends what belongs to the graph that is drawn. @type {AbortController | null} */
  #drawn = null;
  /** Shows the static picture again. @type {(() => void) | null} */
  #showPicture = null;
  /** @param {Given} given */
  constructor({ model, el, root, signal }) {
    this.model = model;
    this.el = el;
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
      isGoing: () => isUnderWay(this.state.fold.run),
    });
    const now = () => this.#now();
    this.parts = build(root);
    this.head = new Head(this.parts.head);
    this.announcer = new Announcer(this.parts.status);
    this.needs = new NeedList({ el: this.parts.needs, now });
    const ask = this.#ask.bind(this);
    new CardGrip({ grip: this.parts.grip, body: this.parts.body, signal });
    this.inspector = new Inspector({ el: this.parts.inspector, signal, now, ask });
    const onMoment = () => this.#redraw();
    this.views = new PanelViews({ parts: this.parts, link: this.link, clock: this.clock, signal, state: this.state, now, onMoment });
    this.section = new RunSection({ section: this.parts.run, title: this.parts.runTitle, form: this.parts.form, facts: this.parts.facts });
    this.controls = new Controls({ root, link: this.link, situation: () => this.#situation() });
  }

  /** Draw, listen and say hello. */
  begin() {
    const { model, el, root, link, signal } = this;
    const meant = {
      act: this.#act.bind(this),
      search: (/** @type {string} */ query) => this.#look({ query }),
      find: (/** @type {string} */ query) => this.#find(query),
      note: () => this.controls.dress(),
      leave: () => this.#leave(),
    };
    listenToPerson(root, meant, signal);
    listen(
      model,
      {
        "msg:custom": (message) => this.#onMessage(message),
        "change:snapshot": () => this.#takeSnapshot(model.get("snapshot")),
        "change:graph": () => this.#drawGraph(),
        comm_live_update: () => this.#onComm(),
        "comm:close": () => link.lost(GONE),
      },
      signal,
    );
    signal.addEventListener("abort", () => link.close(this.state.inspected ? { type: "inspect", key: null } : null), { once: true });
    this.#takeSnapshot(model.get("snapshot"));
    this.#drawGraph();
    if (isConnected(model, el)) {
      this.#hidePicture();
      link.hello();
    } else link.setStatus("saved");
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
    else if (message.type === "page") this.inspector.page(message);
    else if (this.views.hear(message)) this.#schedule();
    else if (message.type === "details" && message.key === this.state.inspected) {
      this.state.details = message;
      this.inspector.update(message);
      this.#schedule();
    } else if (message.type === "ack") {
      this.views.acked(message.id);
      this.#takeAck(message, slot);
    }
  }

  /** @param {Snapshot | undefined} snapshot */
  #takeSnapshot(snapshot) {
    if (!snapshot || typeof snapshot.seq !== "number") return;
    const what = this.state.fold.snapshot(snapshot);
    if (what === "gap") this.link.hello();
    if (what === "old") return;
    this.#dirty = "all";
    this.views.changed("all");
    this.#schedule();
  }

  /** @param {import("./wire.js").Patch} patch */
  #takePatch(patch) {
    const changed = this.state.fold.patch(patch);
    if (changed === "gap") this.link.hello();
    if (typeof changed === "string") return;
    this.views.changed(changed);
    if (this.#dirty !== "all") for (const key of changed) this.#dirty.add(key);
    this.#schedule();
  }

  /** @param {{id: string, ok?: boolean, text?: string}} ack @param {string | null} slot */
  #takeAck(ack, slot) {
    if (slot === null) return;
    const { inspected } = this.state;
    if (ack.text) this.announcer.say(ack.text);
    if (!ack.ok) this.inspector.release(ack.id);
    if (!ack.ok && slot === `inspect:${inspected}`) this.inspector.wait(inspected ?? "", this.state.stateOf(inspected), ack.text ?? "");
    this.#schedule();
  }

  #onStatus() {
    const { link } = this;
    this.views.reset();
    if (link.status === "live") {
      this.#hidePicture();
      if (this.state.inspected) link.command("inspect", { key: this.state.inspected }, `inspect:${this.state.inspected}`);
    }
    if (link.status === "unavailable") {
      this.inspector.release(null);
      this.#showPicture?.();
      this.#showPicture = null;
    }
    this.#schedule();
  }

  /** The comm came, went or closed. */
  #onComm() {
    // The host marks the element in the same turn, but maybe after us.
    this.clock.later(0, () => (isConnected(this.model, this.el) ? this.link.hello() : this.link.lost(GONE)));
  }

  #inspectAgain() {
    const key = this.state.inspected;
    if (key && this.link.status === "live") this.link.command("inspect", { key, again: true }, `inspect:${key}`);
  }

  // Actions of the user.

  /** @param {string} action @param {string | null} key @param {Element | null} [control] */
  #act(action, key, control = null) {
    if (control?.getAttribute("aria-disabled") === "true") return;
    /** @type {Record<string, () => void>} */
    const own = {
      inspect: () => this.#inspect(key),
      close: () => this.#inspect(null),
      widen: () => this.#widen(),
      tab: () => this.#choose(/** @type {import("./panel_state.js").Tab} */ (control?.getAttribute("data-tab") ?? "graph")),
      "replay-toggle": () => this.#toggleReplay(),
      "show-run": () => this.#showRun(control?.getAttribute("data-run-id") ?? ""),
      "back-to-graph": () => this.#backToGraph(),
      "child-step": () => this.#stepChild(control?.getAttribute("data-step") === "-1" ? -1 : 1),
      "filter-state": () => this.#filter(control?.getAttribute("data-state") ?? null),
      "zoom-in": () => this.#drawing?.zoom("in"),
      "zoom-out": () => this.#drawing?.zoom("out"),
      fit: () => this.#drawing?.zoom("fit"),
      "as-table": () => this.#toggleTable(),
      run: () => this.#run(),
      "to-variable": () => this.#send("to-variable", { key, what: control?.getAttribute("data-what") ?? "output" }, slotOf(control, action, key)),
    };
    if (own[action]) own[action]?.();
    else if (PLAIN.has(action) && !this.controls.refusal(action, key)) this.#decide(action, key, control);
  }

  /** @param {string} action @param {string | null} key @param {Element | null} control */
  #decide(action, key, control) {
    const isOfRun = action === "cancel" || action === "retry";
    const note = !isOfRun && key === this.state.inspected ? this.inspector.note() : "";
    this.#send(action, { ...(isOfRun ? {} : { key }), ...(note ? { note } : {}) }, slotOf(control, action, key));
  }

  #run() {
    if (this.controls.refusal("run", null)) return;
    const parameters = this.section.values();
    if (parameters) this.#send("run", { parameters }, "run:");
  }

  /** @param {string} type @param {Record<string, unknown>} fields @param {string} slot */
  #send(type, fields, slot) {
    this.link.command(type, fields, slot);
    this.controls.dress();
  }

  /** @param {import("./frame.js").Source} source @param {import("./frame.js").Request} request */
  #ask(source, request) {
    if (this.link.status !== "live") return null;
    return this.link.command("page", { source, ...request }, `page:${JSON.stringify(source)}`);
  }

  /** @param {string | null} key */
  #inspect(key) {
    const before = this.state.inspected;
    if (key === before && key !== null && (this.state.details || this.link.commands.isWaiting(`inspect:${key}`))) return;
    this.state.inspected = key;
    this.state.details = null;
    if (key && this.state.tab === "graph") this.views.open(this.state.mappedOf(key));
    this.link.commands.forget((slot) => slot.startsWith("to-variable:"));
    if (key) this.#openInspector(key);
    else this.#closeInspector(before);
    this.#flush();
  }

  /** @param {string} key */
  #openInspector(key) {
    const { link } = this;
    this.inspector.wait(key, this.state.stateOf(key), link.status === "live" ? "Asking the kernel…" : STATUS[link.status][0]);
    link.command("inspect", { key }, `inspect:${key}`);
    const node = this.state.nodeOf(key);
    if (node) this.#drawing?.focus(node, false);
    this.#look({ selected: node });
    // The list that the click was in makes room for the card.
    const wasInRail = this.parts.rail.contains(document.activeElement);
    this.#flush();
    if (wasInRail) this.parts.inspector.focus({ preventScroll: true });
    if (node) this.#drawing?.show(node);
  }

  /** @param {string | null} before what was inspected */
  #closeInspector(before) {
    const hadFocus = this.parts.inspector.contains(document.activeElement);
    this.link.command("inspect", { key: null }, "inspect:");
    this.#look({ selected: null });
    this.state.isWide = false;
    this.inspector.widen(false);
    const node = before === null ? null : this.state.nodeOf(before);
    if (node && hadFocus && !this.state.isTable) this.#drawing?.focus(node);
  }

  /** @param {import("./panel_state.js").Tab} tab */
  #choose(tab) {
    this.views.choose(tab);
    this.#flush();
  }

  #toggleReplay() {
    this.views.toggleReplay();
    this.#flush();
  }

  /** @param {string} run */
  #showRun(run) {
    if (run && run !== this.state.run?.id && !this.controls.refusal("show-run", null)) this.#send("show-run", { run }, `show-run:${run}`);
  }

  #backToGraph() {
    const { opened } = this.state;
    this.views.open(null);
    this.#flush();
    if (opened) this.#drawing?.focus(opened);
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
    if (node && !this.state.isWide) this.#drawing?.show(node);
  }

  /** @param {string | null} state */
  #filter(state) {
    this.#look({ filter: this.state.filter === state ? null : state });
  }

  /** @param {Partial<import("./graph.js").Lens>} change */
  #look(change) {
    Object.assign(this.state, change);
    this.#isLensDirty = true;
    this.#schedule();
  }

  #toggleTable() {
    const { state } = this;
    this.views.open(null);
    state.isTable = !state.isTable;
    this.#table = state.isTable ? new TaskTable({ el: this.parts.table, flow: state.graph.flow, now: () => this.#now() }) : null;
    if (!state.isTable) this.parts.table.replaceChildren();
    this.#flush();
  }

  #leave() {
    if (this.state.inspected) this.#inspect(null);
    else if (this.state.opened) this.#backToGraph();
    else this.#look({ selected: null, filter: null });
  }

  /** @param {string} query */
  #find(query) {
    const key = this.state.find(query);
    if (!key || this.state.isTable) return;
    this.#drawing?.focus(key);
    this.#look({ selected: key });
  }

  // Drawing.

  #drawGraph() {
    const { parts } = this;
    const graph = this.model.get("graph");
    this.state.setGraph(graph);
    this.#drawn?.abort();
    this.#drawn = new AbortController();
    const signal = AbortSignal.any([this.signal, this.#drawn.signal]);
    parts.canvas.replaceChildren();
    this.#table = null;
    this.#drawing = new GraphView({
      el: parts.canvas,
      graph,
      view: this.#view,
      signal,
      now: () => this.#now(),
      onSelect: (key) => this.#look({ selected: key }),
      onLens: () => this.controls.dress(),
    });
    this.section.reset({ graph, run: this.state.fold.run, signal, onSubmit: () => this.#run() });
    this.#dirty = "all";
    this.#isLensDirty = true;
    this.#schedule();
  }

  #redraw() {
    this.#dirty = "all";
    this.#isLensDirty = true;
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
    const changed = this.#dirty === "all" ? this.state.keys : [...this.#dirty].filter((key) => this.state.keys.has(key));
    this.#dirty = new Set();
    this.#drawing?.update([...changed].map((key) => [key, this.state.seen(key)]));
    if (this.#isLensDirty || this.state.filter) this.#drawing?.look(this.state);
    this.#isLensDirty = false;
    this.#show();
  }

  #tick() {
    if (document.hidden) return;
    if (this.state.moment === null) this.#drawing?.tick();
    this.views.tick();
    this.#show();
  }

  /** Redraw everything except the graph; it is cheap enough to redraw as a whole. */
  #show() {
    const { run } = this.state.fold;
    const found = needs(this.state.fold.tasks);
    const counts = this.state.counts();
    dom.set(this.root, {
      "data-flow": this.state.graph.flow,
      "data-run": run?.number ?? run?.id ?? "",
      "data-run-id": run?.id ?? "",
      "data-state": run?.state ?? "Pending",
      "data-live": this.link.status,
    });
    this.#showHead(found, counts);
    this.needs.update(found);
    this.section.update(run);
    this.#showPlace();
    this.#showTable();
    this.#showInspector();
    this.controls.dress();
    this.announcer.update({ flow: this.state.graph.flow, state: run?.state ?? "Pending", needs: found, counts });
  }

  /** @param {Need[]} found @param {[string, number][]} counts */
  #showHead(found, counts) {
    const count = (/** @type {string} */ kind) => found.filter((need) => need.kind === kind).length;
    this.head.update({
      flow: this.state.graph.flow,
      run: this.state.fold.run,
      status: this.link.status,
      hasGivenUp: this.link.hasGivenUp,
      counts,
      needs: found,
      filter: this.state.filter,
      now: this.#now(),
      failed: count("failed"),
      paused: count("paused"),
    });
  }

  /** Without a kernel, the static picture replaces the graph. */
  #showPlace() {
    const hasPicture = this.#showPicture === null && isShownNear(this.el, this.state.graph.flow);
    const isShownAbove = this.link.status === "unavailable" && hasPicture;
    this.parts.body.hidden = isShownAbove;
    this.parts.tabs.hidden = isShownAbove;
  }

  #showTable() {
    const { parts } = this;
    const isElsewhere = this.state.opened !== null || this.state.tab !== "graph";
    parts.table.hidden = isElsewhere || !this.state.isTable;
    parts.canvas.hidden = isElsewhere || this.state.isTable;
    this.views.show();
    dom.set(parts.asTable, { "aria-pressed": this.state.isTable ? "true" : "false" });
    this.#table?.update(this.state.rows());
  }

  /** The card stands beside the graph, or below a low one: a click never changes what is out of sight. */
  #showInspector() {
    const { parts, state } = this;
    const isOpen = state.inspected !== null;
    const asks = isOpen && isCard({ state: state.details?.state ?? state.stateOf(state.inspected) });
    parts.inspector.hidden = parts.grip.hidden = !isOpen;
    const isFull = state.tab !== "graph";
    parts.rail.hidden = isOpen || isFull;
    dom.set(parts.body, { class: ["body", isFull && "full", isOpen && "side", isOpen && state.isWide && "wide"].filter(Boolean).join(" ") });
    parts.inspector.classList.toggle("approval", asks);
  }

  #hidePicture() {
    this.#showPicture ??= hidePictures({ el: this.el, flow: this.state.graph.flow, view: this.#view, signal: this.signal });
  }

  // Queries.

  #now() {
    return Date.now() / 1000 + this.link.skew_s;
  }

  /** @returns {import("./controls.js").Situation} */
  #situation() {
    return {
      run: this.state.fold.run,
      isTable: this.state.isTable,
      isPast: this.state.moment !== null,
      canZoom: (way) => this.#drawing?.canZoom(way) ?? false,
      waits: (key) => states.waits(this.state.task(key)) || (this.state.details?.key === key && this.state.details.state === "Paused"),
      note: this.inspector.note(),
    };
  }
}
