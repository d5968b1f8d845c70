/**
 * The panel: connects its parts to the model and passes on what a person does.
 *
 * State lives in Python. A view adds only what is its own: selection, filter, search, zoom, tab. The parts are handed over by
 * the loader, because the page has no address to import them from; they import nothing of each other.
 */

/** @typedef {import("@anywidget/types").AnyModel} Model */
/** @typedef {import("./wire.js").Snapshot} Snapshot */
/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./inspector.js").Details} Details */
/** @typedef {{dom: typeof import("./dom.js"), states: typeof import("./states.js"), format: typeof import("./format.js"), wire: typeof import("./wire.js"), head: typeof import("./head.js"), graph: typeof import("./graph.js"), frame: typeof import("./frame.js"), form: typeof import("./form.js"), needs: typeof import("./needs.js"), table: typeof import("./table.js"), inspector: typeof import("./inspector.js"), picture: typeof import("./picture.js"), host: typeof import("./host.js")}} Tools */

const TICK_MS = 1000;
/** Python takes a view that inspects a task and has been silent for 90 s for gone. */
const INSPECT_AGAIN_MS = 20_000;
const HIDDEN_MS = 250;
/** Browsers lay out the whole picture when a text in it changes: above so many nodes they are given time between two changes. */
const MANY = 300;
const MANY_MS = 100;
const GONE = "The kernel went away before it answered.";

/** What a node is that the kernel has not spoken of. @type {Task} */
const PENDING = { state: "Pending" };

/** Commands that are sent as they are, with the key of their task. */
const PLAIN = new Set(["cancel", "retry", "resume", "skip", "reject", "run-from", "invalidate", "debug"]);

/** @param {{model: Model, el: HTMLElement, root: HTMLElement, tools: Tools, signal: AbortSignal}} given */
function render({ model, el, root, tools, signal }) {
  root.dataset.flowbook = "panel";
  const { dom, states, wire } = tools;
  const { clockOf, isConnected, listen, repeat } = tools.host;
  const view = crypto.randomUUID?.().slice(0, 8) ?? String(Math.random()).slice(2, 10);
  const fold = new wire.Fold();
  const clock = clockOf(signal);
  const link = new wire.Link({
    view,
    clock,
    send: (message) => model.send(message),
    seq: () => fold.seq,
    onStatus: () => onStatus(),
    isGoing: () => tools.head.isUnderWay(fold.run),
  });
  const now = () => Date.now() / 1000 + link.skew_s;

  /** The view's own. @type {import("./graph.js").Lens & {inspected: string | null, isTable: boolean}} */
  const own = { selected: null, filter: null, query: "", inspected: null, isTable: false };
  /** @type {Details | null} */
  let details = null;
  /** @type {Set<string> | "all"} */
  let dirty = "all";
  let isLensDirty = true;
  let isScheduled = false;

  const parts = build({ root, dom, states });
  const head = tools.head.default.render({ el: parts.head, tools });
  const needs = tools.needs.default.render({ el: parts.needs, tools, now });
  const inspector = tools.inspector.default.render({ el: parts.inspector, tools, signal, now, ask });
  /** @type {import("./graph.js").Graph} */
  let graph = model.get("graph");
  /** @type {Set<string>} */
  let keys = new Set();
  /** @type {ReturnType<typeof tools.graph.default.render> | null} */
  let drawing = null;
  /** @type {ReturnType<typeof tools.table.default.render> | null} */
  let table = null;
  /** @type {ReturnType<typeof tools.form.default.render> | null} */
  let form = null;
  /** @type {AbortController | null} */
  let drawn = null;
  /** @type {(() => void) | null} */
  let showPicture = null;

  const drawGraph = () => {
    graph = model.get("graph");
    keys = new Set(graph.nodes.map(({ key }) => key));
    drawn?.abort();
    drawn = new AbortController();
    const until = AbortSignal.any([signal, drawn.signal]);
    parts.canvas.replaceChildren();
    table = null;
    drawing = tools.graph.default.render({ el: parts.canvas, graph, view, tools, signal: until, now, onSelect: select, onLens: dress });
    parts.form.replaceChildren();
    form = graph.parameters?.length
      ? tools.form.default.render({
          el: parts.form,
          parameters: graph.parameters,
          values: fold.run?.parameters ?? {},
          tools,
          signal: until,
          onSubmit: () => act("run", null),
        })
      : null;
    dirty = "all";
    isLensDirty = true;
    schedule();
  };

  // What the kernel tells.

  const takeSnapshot = (/** @type {Snapshot | undefined} */ snapshot) => {
    if (!snapshot || typeof snapshot.seq !== "number") return;
    const what = fold.snapshot(snapshot);
    if (what === "gap") link.hello();
    if (what === "old") return;
    dirty = "all";
    schedule();
  };

  const onMessage = (/** @type {any} */ message) => {
    const slot = link.heard(message);
    if (message.type === "snapshot") takeSnapshot(message);
    else if (message.type === "patch") takePatch(message);
    else if (message.type === "page") inspector.page(message);
    else if (message.type === "details" && message.key === own.inspected) {
      details = message;
      inspector.update(message);
      schedule();
    } else if (message.type === "ack") takeAck(message, slot);
  };

  const takePatch = (/** @type {import("./wire.js").Patch} */ patch) => {
    const changed = fold.patch(patch);
    if (changed === "gap") link.hello();
    if (typeof changed === "string") return;
    if (dirty !== "all") for (const key of changed) dirty.add(key);
    schedule();
  };

  const takeAck = (/** @type {{id: string, ok?: boolean, text?: string}} */ ack, /** @type {string | null} */ slot) => {
    if (slot === null) return;
    if (ack.text) announce(ack.text);
    if (!ack.ok) inspector.release(ack.id);
    if (!ack.ok && slot === `inspect:${own.inspected}`) inspector.wait(own.inspected ?? "", stateOf(own.inspected), ack.text ?? "");
    schedule();
  };

  const onStatus = () => {
    if (link.status === "live") {
      hidePicture();
      if (own.inspected) link.command("inspect", { key: own.inspected }, `inspect:${own.inspected}`);
    }
    if (link.status === "unavailable") {
      inspector.release(null);
      showPicture?.();
      showPicture = null;
    }
    schedule();
  };

  const hidePicture = () => {
    showPicture ??= tools.picture.default.render({ el, flow: graph.flow, view, signal });
  };

  /** The comm came, went or closed. */
  const onComm = () => {
    // The host marks the element in the same turn, but maybe after us.
    link.given.clock.later(0, () => (isConnected(model, el) ? link.hello() : link.lost(GONE)));
  };

  // What a person does.

  /** @param {string} action @param {string | null} key @param {Element | null} [control] */
  function act(action, key, control = null) {
    if (control?.getAttribute("aria-disabled") === "true") return;
    if (action === "inspect" && key) return inspect(key);
    if (action === "close") return inspect(null);
    if (action === "filter-state")
      return look({ filter: own.filter === control?.getAttribute("data-state") ? null : (control?.getAttribute("data-state") ?? null) });
    if (action === "zoom-in" || action === "zoom-out") return drawing?.zoom(action === "zoom-in" ? "in" : "out");
    if (action === "fit") return drawing?.zoom("fit");
    if (action === "as-table") return toggleTable();
    if (action === "run") return run();
    if (action === "to-variable" && key)
      return send("to-variable", { key, what: control?.getAttribute("data-what") ?? "output" }, slotOf(control, action, key));
    if (!PLAIN.has(action) || refusal(action, key)) return;
    const note = action === "resume" || action === "skip" || action === "reject" ? inspector.note() : "";
    send(
      action,
      { ...(action === "cancel" || action === "retry" ? {} : { key }), ...(note && key === own.inspected ? { note } : {}) },
      slotOf(control, action, key),
    );
  }

  const run = () => {
    if (refusal("run", null)) return;
    const parameters = form ? form.values() : {};
    if (parameters) send("run", { parameters }, "run:");
  };

  /** @param {string} type @param {Record<string, unknown>} fields @param {string} slot */
  const send = (type, fields, slot) => {
    link.command(type, fields, slot);
    dress();
  };

  /** @param {import("./frame.js").Source} source @param {import("./frame.js").Request} request */
  function ask(source, request) {
    if (link.status !== "live") return null;
    return link.command("page", { source, ...request }, `page:${JSON.stringify(source)}`);
  }

  /** @param {string | null} key */
  const inspect = (key) => {
    const before = own.inspected;
    if (key === before && key !== null && (details || link.commands.isWaiting(`inspect:${key}`))) return;
    own.inspected = key;
    details = null;
    link.commands.forget((slot) => slot.startsWith("to-variable:"));
    if (key) {
      inspector.wait(key, stateOf(key), link.status === "live" ? "Asking the kernel…" : tools.head.STATUS[link.status][0]);
      link.command("inspect", { key }, `inspect:${key}`);
      const node = keys.has(key) ? key : tools.needs.parentOf(key);
      if (node) drawing?.focus(node, false);
      look({ selected: node });
      flush();
      if (node) drawing?.show(node);
    } else {
      const hadFocus = parts.inspector.contains(document.activeElement);
      link.command("inspect", { key: null }, "inspect:");
      look({ selected: null });
      const node = before === null || keys.has(before) ? before : tools.needs.parentOf(before);
      if (node && hadFocus && !own.isTable) drawing?.focus(node);
    }
    flush();
  };

  /** @param {string} key */
  function select(key) {
    look({ selected: key });
  }

  /** @param {Partial<typeof own>} change */
  const look = (change) => {
    Object.assign(own, change);
    isLensDirty = true;
    schedule();
  };

  const toggleTable = () => {
    own.isTable = !own.isTable;
    table = own.isTable ? tools.table.default.render({ el: parts.table, flow: graph.flow, tools, now }) : null;
    if (!own.isTable) parts.table.replaceChildren();
    flush();
  };

  // What is shown.

  function schedule() {
    if (isScheduled || signal.aborted) return;
    isScheduled = true;
    if (document.hidden) clock.later(HIDDEN_MS, flush);
    else if (keys.size > MANY) clock.later(MANY_MS, () => requestAnimationFrame(flush));
    else requestAnimationFrame(flush);
  }

  function flush() {
    isScheduled = false;
    if (signal.aborted) return;
    const changed = dirty === "all" ? keys : [...dirty].filter((key) => keys.has(key));
    dirty = new Set();
    drawing?.update([...changed].map((key) => [key, fold.tasks.get(key) ?? PENDING]));
    if (isLensDirty || own.filter) drawing?.look(own);
    isLensDirty = false;
    tell();
  }

  /** Everything but the graph: cheap enough to be told as a whole. */
  const tell = () => {
    const found = tools.needs.needs(fold.tasks, states.isFailed);
    const count = (/** @type {string} */ kind) => found.filter((need) => need.kind === kind).length;
    const status = link.status;
    dom.set(root, {
      "data-flow": graph.flow,
      "data-run": fold.run?.number ?? fold.run?.id ?? "",
      "data-run-id": fold.run?.id ?? "",
      "data-state": fold.run?.state ?? "Pending",
      "data-live": status,
    });
    const counts = states.countStates(fold.tasks.size ? fold.tasks : graph.nodes.map(({ key }) => /** @type {[string, Task]} */ ([key, PENDING])), (key) =>
      keys.has(key),
    );
    head.update({
      flow: graph.flow,
      run: fold.run,
      status,
      hasGivenUp: link.hasGivenUp,
      counts,
      needs: found,
      filter: own.filter,
      now: now(),
      failed: count("failed"),
      paused: count("paused"),
    });
    needs.update(found);
    tellRun(status);
    tellTable();
    tellInspector();
    dress();
    tellReaders(found, counts);
  };

  /** @param {import("./wire.js").Status} status */
  const tellRun = (status) => {
    const canEdit = form !== null && !tools.head.isUnderWay(fold.run) && fold.run?.state !== "Paused";
    parts.form.hidden = !canEdit;
    dom.say(parts.runTitle, canEdit ? "Parameters" : "This run");
    const types = new Map(graph.parameters?.map(({ name, type }) => [name, type]));
    const shown = Object.entries(fold.run?.parameters ?? {}).map(([name, text]) => [name, types.get(name) === "str" ? JSON.stringify(text) : text]);
    const rows = [...(canEdit ? [] : shown), ...(fold.run?.executor ? [["executor", fold.run.executor]] : [])];
    const text = JSON.stringify(rows);
    if (parts.facts.dataset.shown !== text) {
      parts.facts.dataset.shown = text;
      parts.facts.replaceChildren(
        ...rows.flatMap(([name = "", value = ""]) => [dom.h("dt", {}, name), dom.h("dd", { class: name === "executor" ? null : "mono" }, value)]),
      );
    }
    parts.run.hidden = !canEdit && !rows.length;
    const isShownAbove = status === "unavailable" && hasPicture();
    parts.body.hidden = isShownAbove;
    parts.tabs.hidden = isShownAbove;
  };

  /** Whether the picture is back in place, so that the graph need not be shown twice. */
  const hasPicture = () => showPicture === null && tools.picture.isShownNear(el, graph.flow);

  const tellTable = () => {
    parts.table.hidden = !own.isTable;
    parts.canvas.hidden = own.isTable;
    const rank = new Map(graph.nodes.map(({ key }, i) => [key, i]));
    table?.update(
      [...(fold.tasks.size ? fold.tasks.keys() : keys)]
        .sort((a, b) => (rank.get(tools.needs.parentOf(a) ?? a) ?? 0) - (rank.get(tools.needs.parentOf(b) ?? b) ?? 0))
        .map((key) => ({ key, task: fold.tasks.get(key) ?? PENDING, up: graph.nodes[rank.get(key) ?? -1]?.up ?? [] }))
        .filter(
          ({ key, task }) =>
            key.toLowerCase().includes(own.query.trim().toLowerCase()) && (!own.filter || task.state === own.filter || Boolean(task.counts?.[own.filter])),
        ),
    );
  };

  const tellInspector = () => {
    const isOpen = own.inspected !== null;
    const card = isOpen && tools.inspector.isCard({ state: details?.state ?? stateOf(own.inspected) });
    parts.inspector.hidden = !isOpen;
    parts.body.classList.toggle("card", card);
    parts.rail.hidden = card;
    dom.set(parts.inspector, { class: card ? "rail approval" : "inspector part" });
    const place = card ? parts.body : root;
    if (parts.inspector.parentElement !== place) {
      if (card) parts.body.append(parts.inspector);
      else parts.body.after(parts.inspector);
    }
  };

  /** Enable and disable controls, say why, and show what the kernel said to the last click. */
  function dress() {
    for (const control of root.querySelectorAll('button[data-action], g[role="button"][data-action]')) {
      const action = control.getAttribute("data-action") ?? "";
      if (action.startsWith("page-") || action === "sort" || action === "inspect") continue;
      const slot = slotOf(control, action, control.getAttribute("data-task"));
      const isWaiting = link.commands.isWaiting(slot);
      const why = isWaiting ? `Waits for the kernel to take “${control.textContent}”` : refusal(action, control.getAttribute("data-task"));
      if (!control.hasAttribute("data-title")) dom.set(control, { "data-title": control.getAttribute("title") ?? "" });
      dom.set(control, { "aria-disabled": why ? "true" : null, title: why ?? (control.getAttribute("data-title") || null) });
      if (control instanceof HTMLElement) tellSaid(control, slot);
    }
    dom.set(parts.asTable, { "aria-pressed": own.isTable ? "true" : "false" });
  }

  /** @param {HTMLElement} control @param {string} slot */
  const tellSaid = (control, slot) => {
    const said = link.commands.said(slot);
    const there = control.nextElementSibling?.matches(".said") ? control.nextElementSibling : null;
    if (!said || !(PLAIN.has(slot.split(":")[0] ?? "") || /^(run|to-variable):/.test(slot))) return there?.remove();
    const span = there ?? dom.h("span", { class: "said" });
    dom.set(span, { "data-ok": said.ok ? "true" : "false" });
    dom.say(span, said.text);
    if (!there) control.after(span);
  };

  /** Why `action` can't be done now; null if it can. @param {string} action @param {string | null} key */
  function refusal(action, key) {
    if (action === "zoom-in" || action === "zoom-out" || action === "fit") {
      if (own.isTable) return "The table is shown";
      if (action === "fit") return null;
      return drawing?.canZoom(action === "zoom-in" ? "in" : "out")
        ? null
        : action === "zoom-in"
          ? "As large as it gets"
          : "Smaller, its text could not be read";
    }
    if (!PLAIN.has(action) && action !== "run" && action !== "to-variable") return null;
    if (link.status !== "live") return `${tools.head.STATUS[link.status][0]}: ${tools.head.STATUS[link.status][1]}`;
    if (action === "resume" && key && !waits(key)) return "It is no longer paused";
    if (action === "reject" && !inspector.note()) return "Write a note first: it becomes the message of the failure";
    if (key) return null;
    return tools.head.buttons({ run: fold.run, failed: 1, paused: 1 }).find((entry) => entry.action === action)?.why ?? null;
  }

  /** Whether a task, or a child of it, waits for a person. @param {string} key */
  const waits = (key) => stateOf(key) === "Paused" || Boolean(fold.tasks.get(key)?.counts?.Paused) || details?.state === "Paused";

  /** @param {string | null} key */
  const stateOf = (key) => fold.tasks.get(key ?? "")?.state ?? "Pending";

  let told = "";
  /** Tell screen readers what a glance would: only when the state or who waits changes. @param {import("./needs.js").Need[]} found @param {[string, number][]} counts */
  const tellReaders = (found, counts) => {
    const urgent = found.filter(({ kind }) => kind !== "stale").slice(0, 4);
    const words = urgent.map(({ key, kind }) => (kind === "paused" ? `${key} waits for you` : `${key} failed`));
    const about = [fold.run?.state ?? "Pending", ...words].join("; ");
    if (about === told) return;
    told = about;
    const { done, total } = tools.head.progress(counts, states.isFinished);
    announce(`${graph.flow} is ${fold.run?.state ?? "Pending"}: ${done} of ${total} finished${words.length ? `, ${words.join(", ")}` : ""}.`);
  };

  /** @param {string} text */
  function announce(text) {
    dom.say(parts.status, text);
  }

  // Wires, undone by the one signal.

  root.addEventListener(
    "click",
    (event) => {
      const control = event.target instanceof Element ? event.target.closest("[data-action]") : null;
      if (control && root.contains(control)) act(control.getAttribute("data-action") ?? "", control.getAttribute("data-task"), control);
    },
    { signal },
  );
  root.addEventListener(
    "input",
    (event) => {
      const field = /** @type {HTMLInputElement} */ (event.target);
      if (field.dataset.action === "search") look({ query: field.value });
      if (field.dataset.action === "note") dress();
    },
    { signal },
  );
  root.addEventListener("keydown", (event) => onKey(event), { signal });

  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof Element)) return;
    const field = event.target instanceof HTMLInputElement && event.target.dataset.action === "search" ? event.target : null;
    const control = event.target.closest('g.node, g[role="button"]');
    const key = control?.getAttribute("data-task") ?? null;
    if (event.key === "Escape" && !field && event.target.matches("textarea, input")) /** @type {HTMLElement} */ (event.target).blur();
    else if (event.key === "Escape") leave(field);
    else if (field && event.key === "Enter") find(field.value);
    else if (control && (event.key === "Enter" || event.key === " ")) act(control.getAttribute("data-action") ?? "", key, control);
    else if (control && key && event.key.toLowerCase() === "r") act("resume", key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  /** @param {HTMLInputElement | null} field */
  const leave = (field) => {
    if (field?.value) {
      field.value = "";
      look({ query: "" });
    } else if (own.inspected) inspect(null);
    else look({ selected: null, filter: null });
  };

  /** @param {string} query */
  const find = (query) => {
    const wanted = query.trim().toLowerCase();
    const key = wanted && graph.nodes.find((node) => node.key.toLowerCase().includes(wanted))?.key;
    if (!key || own.isTable) return;
    drawing?.focus(key);
    select(key);
  };

  listen(
    model,
    {
      "msg:custom": onMessage,
      "change:snapshot": () => takeSnapshot(model.get("snapshot")),
      "change:graph": drawGraph,
      comm_live_update: onComm,
      "comm:close": () => link.lost(GONE),
    },
    signal,
  );
  signal.addEventListener("abort", () => link.close(own.inspected ? { type: "inspect", key: null } : null), { once: true });
  takeSnapshot(model.get("snapshot"));
  drawGraph();
  if (isConnected(model, el)) {
    hidePicture();
    link.hello();
  } else link.setStatus("saved");
  flush();
  repeat(INSPECT_AGAIN_MS, signal, () => {
    if (own.inspected && link.status === "live") link.command("inspect", { key: own.inspected, again: true }, `inspect:${own.inspected}`);
  });
  repeat(TICK_MS, signal, () => {
    if (document.hidden) return;
    drawing?.tick();
    tell();
  });
}

export default { render };

/**
 * The elements that stay; everything else is put into them.
 *
 * @param {{root: HTMLElement, dom: Tools["dom"], states: Tools["states"]}} given
 */
function build({ root, dom, states }) {
  const icon = (/** @type {string} */ name) => dom.icon(states.SIGNS[name] ?? []);
  const head = dom.h("div");
  const asTable = dom.button("as-table", "As a table", { "aria-pressed": "false" });
  const search = dom.h(
    "label",
    { class: "row tight" },
    dom.h("span", { class: "sr" }, "Find a task"),
    dom.h("input", { "data-action": "search", placeholder: "Find a task", class: "search", autocomplete: "off", spellcheck: "false" }),
  );
  const zoom = dom.h(
    "span",
    { class: "group" },
    dom.button("zoom-out", icon("minus"), { class: "icon", title: "Zoom out (-)", "aria-label": "Zoom out" }),
    dom.button("zoom-in", icon("plus"), { class: "icon", title: "Zoom in (+)", "aria-label": "Zoom in" }),
    dom.button("fit", icon("fit"), { class: "icon", title: "Fit (0)", "aria-label": "Fit" }),
  );
  const tab = dom.h("button", { type: "button", role: "tab", "data-action": "tab", "aria-selected": "true" }, "Graph");
  const tabs = dom.h(
    "div",
    { class: "tabs" },
    dom.h("div", { role: "tablist", class: "tablist" }, tab),
    dom.h("div", { class: "tools" }, search, zoom, asTable),
  );
  const canvas = dom.h("div", { class: "canvas" });
  const table = dom.h("div", { class: "scroll listing", tabindex: 0 });
  const needs = dom.h("section", { "aria-label": "Needs you" }, dom.h("h3", {}, "Needs you"));
  const runTitle = dom.h("h3");
  const form = dom.h("div");
  const facts = dom.h("dl", { class: "kv" });
  const run = dom.h("section", { "aria-label": "This run" }, runTitle, form, facts);
  const rail = dom.h("aside", { class: "rail split" }, needs, run);
  const body = dom.h("div", { class: "body" }, canvas, table, rail);
  const inspector = dom.h("aside", { "data-flowbook": "inspector" });
  const status = dom.h("p", { class: "sr", role: "status", "aria-live": "polite" });
  root.replaceChildren(head, tabs, body, inspector, status);
  return { head, tabs, asTable, canvas, table, needs, runTitle, form, facts, run, rail, body, inspector, status };
}

/** The name under which a control may wait only once. @param {Element | null} control @param {string} action @param {string | null} key */
function slotOf(control, action, key) {
  const what = action === "to-variable" ? `:${control?.getAttribute("data-what") ?? "output"}` : "";
  return `${action}:${key ?? ""}${what}`;
}
