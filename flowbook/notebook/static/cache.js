/**
 * The cache browser: what was valid when, and the frame as it was.
 *
 * State lives in Python: the moment, the filters, the chosen entry. The view adds the order of its rows and where its slider is held.
 */

/** @typedef {import("@anywidget/types").AnyModel} Model */
/** @typedef {import("./frame.js").Page} Page */
/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {{id: string, flow: string, task: string, parameters: string, size_bytes: number, size: string, uses: number, created: number, expires: number | null, valid: boolean, type: string, run: string}} Entry */
/** @typedef {{version: number, at: number, now: number, first: number, entries: Entry[], total?: number, filters: {flows: string[], tasks: string[], types: string[]}, selected: string | null, filter?: Record<string, string>, page: Page | null, preview?: Preview | null}} Snapshot */
/** @typedef {{dom: typeof import("./dom.js"), states: typeof import("./states.js"), format: typeof import("./format.js"), wire: typeof import("./wire.js"), frame: typeof import("./frame.js"), axis: typeof import("./axis.js"), host: typeof import("./host.js")}} Tools */
/** @typedef {"task" | "parameters" | "size" | "uses"} Order */

const TYPING_MS = 300;
const WIDTH_LEAST = 120;
/** A row's height where none is there to be measured, and how many are drawn beyond those in view. */
const ROW_PX = 28;
const ROWS_AROUND = 12;
/** The kernel counts so far; what it says above that is only that there are more. */
const MOST_COUNTED = 10_000;
/** On an axis shorter than this, seconds tell two moments apart. */
const SECONDS_BELOW = 1800;
const GONE = "The kernel went away before it answered.";
const WORDS = {
  live: ["Live", "Connected to the kernel"],
  saved: ["Saved", "As it was when it was saved; run the cell again for a live view"],
  waiting: ["Waiting for the kernel", "What is shown is the last that the kernel told"],
  unavailable: ["Unavailable", "The kernel is gone; what is shown is the last that it told"],
};

/** @param {{model: Model, el: HTMLElement, root: HTMLElement, tools: Tools, signal: AbortSignal}} given */
function render({ model, el, root, tools, signal }) {
  root.dataset.flowbook = "cache";
  const { dom, states, format, wire } = tools;
  const { clockOf, isConnected, listen } = tools.host;
  const view = crypto.randomUUID?.().slice(0, 8) ?? String(Math.random()).slice(2, 10);
  const link = new wire.Link({
    view,
    clock: clockOf(signal),
    send: (message) => model.send(message),
    seq: () => -1,
    onStatus: () => onStatus(),
    isGoing: () => false,
  });
  /** @type {Snapshot} */
  let snapshot = model.get("snapshot");
  /** Where the slider is held before the kernel followed. @type {number | null} */
  let held = null;
  let isDragged = false;
  /** @type {{by: Order | null, descending: boolean}} */
  const order = { by: null, descending: false };
  const filter = { flow: "", task: "", kind: "", parameters: "" };
  /** @type {ReturnType<typeof tools.frame.default.render> | null} */
  let frame = null;
  /** @type {AbortController | null} */
  let framed = null;
  let framedJson = "";
  let width = 704;
  /** @type {import("./axis.js").Axis} */
  let axis = tools.axis.axis(0, 1, width);

  const parts = build(root, tools);

  const at = () => held ?? snapshot.at;

  // What the kernel tells.

  const take = (/** @type {Snapshot | undefined} */ next) => {
    if (!next || !Array.isArray(next.entries)) return;
    snapshot = next;
    if (!isDragged && !link.commands.isWaiting("as-of")) held = null;
    draw();
  };

  const onMessage = (/** @type {any} */ message) => {
    const slot = link.heard(message);
    if (message.type === "snapshot") take(message);
    else if (message.type === "page") frame?.page(message);
    else if (slot !== null) {
      if (message.text) dom.say(parts.status, message.text);
      if (!message.ok) frame?.release(message.id);
      if (slot === "as-of") followUp(message.ok === true);
      draw();
    }
  };

  /** The slider may have moved on while the kernel looked. @param {boolean} isTaken */
  const followUp = (isTaken) => {
    if (held === null) return;
    if (isTaken && held !== asked) askFor(held);
    else if (!isDragged) held = null;
  };

  const onStatus = () => {
    if (link.status === "unavailable") frame?.release(null);
    draw();
  };

  const onComm = () => {
    // The host marks the element in the same turn, but maybe after us.
    link.given.clock.later(0, () => (isConnected(model, el) ? link.hello() : link.lost(GONE)));
  };

  // What a person does.

  let asked = 0;
  const askFor = (/** @type {number} */ moment) => {
    if (link.commands.isWaiting("as-of")) return;
    asked = moment;
    link.command("as-of", { at: moment >= axis.now ? null : moment }, "as-of");
  };

  const move = (/** @type {number} */ moment) => {
    if (link.status !== "live") return;
    held = moment;
    drawTimes();
    askFor(moment);
  };

  const act = (/** @type {string} */ action, /** @type {Element} */ control) => {
    if (control.getAttribute("aria-disabled") === "true") return;
    const entry = control.getAttribute("data-entry");
    if (action === "as-of-now") move(axis.now);
    else if (action === "select" && entry) select(entry);
    else if (action === "to-variable" && entry) link.command("to-variable", { entry }, `to-variable:${entry}`);
    else if (action === "order") sort(/** @type {Order} */ (control.getAttribute("data-column")));
    draw();
  };

  const select = (/** @type {string} */ entry) => {
    if (link.status === "live") link.command("select", { entry }, `select:${entry}`);
  };

  const sort = (/** @type {Order} */ by) => {
    const isBack = order.by === by && order.descending;
    order.descending = order.by === by && !order.descending;
    order.by = isBack ? null : by;
  };

  const sendFilter = () => {
    const fields = Object.fromEntries(Object.entries(filter).map(([name, text]) => [name, text.trim() || null]));
    if (link.command("filter", fields, "filter") === null && link.status === "live") link.given.clock.later(TYPING_MS, sendFilter);
  };

  /** @param {string | null} entry @param {Preview} preview */
  const showFrame = (entry, preview) => {
    const json = `${entry} ${JSON.stringify(preview)}`;
    if (json === framedJson) return;
    framedJson = json;
    framed?.abort();
    framed = new AbortController();
    const ask = (/** @type {import("./frame.js").Source} */ source, /** @type {import("./frame.js").Request} */ request) =>
      link.status === "live" ? link.command("page", { source, ...request }, "page") : null;
    frame = tools.frame.default.render({
      el: parts.value,
      preview,
      source: { entry: entry ?? "" },
      tools,
      ask,
      signal: AbortSignal.any([signal, framed.signal]),
    });
  };

  // What is shown.

  const draw = () => {
    if (!snapshot || signal.aborted) return;
    axis = tools.axis.axis(snapshot.first, snapshot.now, width);
    dom.set(root, { "data-live": link.status });
    drawFilters();
    drawHeads();
    drawWidths();
    drawList();
    drawMoment();
    drawEntry();
  };

  /** What the kernel began with; afterwards the fields are the person's. */
  const beginFilters = () => {
    Object.assign(filter, snapshot.filter);
    for (const field of [parts.flow, parts.task, parts.kind, parts.parameters]) field.value = filter[/** @type {keyof typeof filter} */ (field.name)];
  };

  const drawFilters = () => {
    const { flows, tasks, types } = snapshot.filters;
    fill(parts.flow, "every flow", flows, (name) => `flow: ${name}`);
    fill(parts.task, "every task", tasks, (name) => name);
    fill(parts.kind, "every type", types, (name) => name);
    const isOff = link.status !== "live";
    for (const field of [parts.flow, parts.task, parts.kind, parts.parameters])
      dom.set(field, { disabled: isOff, title: isOff ? WORDS[link.status][0] : null });
  };

  /** @param {HTMLSelectElement} field @param {string} all @param {string[]} names @param {(name: string) => string} label */
  const fill = (field, all, names, label) => {
    const json = JSON.stringify(names);
    if (field.dataset.names === json) return;
    const kept = field.value;
    field.dataset.names = json;
    field.replaceChildren(dom.h("option", { value: "" }, all), ...names.map((name) => dom.h("option", { value: name }, label(name))));
    field.value = names.includes(kept) ? kept : "";
  };

  const sorted = () => {
    const { by, descending } = order;
    if (!by) return snapshot.entries;
    const value = (/** @type {Entry} */ entry) => (by === "size" ? entry.size_bytes : entry[by]);
    const ways = descending ? -1 : 1;
    return [...snapshot.entries].sort((a, b) => ways * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
  };

  /** The rows in view, and some around them: hundreds would keep the slider from following the hand. */
  const drawList = () => {
    const all = sorted();
    const { above, below, rows, table } = parts;
    const height = /** @type {HTMLElement | null} */ (rows.firstElementChild)?.offsetHeight || ROW_PX;
    const count = Math.ceil((table.clientHeight || 20 * ROW_PX) / height) + 2 * ROWS_AROUND;
    const from = Math.max(0, Math.min(Math.floor(table.scrollTop / height) - ROWS_AROUND, all.length - count));
    const to = Math.min(all.length, from + count);
    dom.set(above, { style: `height:${from * height}px` });
    dom.set(below, { style: `height:${(all.length - to) * height}px` });
    dom.set(/** @type {Element} */ (rows.parentElement), { "aria-rowcount": all.length + 1 });
    drawRows(all.slice(from, to), from);
    drawRowTimes();
  };

  /** @param {Entry[]} entries @param {number} from */
  const drawRows = (entries, from) => {
    const places = new Map(entries.map(({ id }, index) => [id, from + index + 2]));
    dom.keyed(
      parts.rows,
      entries,
      ({ id }) => id,
      ({ id }) =>
        dom.h(
          "tr",
          { "data-entry": id },
          dom.h("td", {}, dom.button("select", "", { "data-entry": id, class: "plain task" })),
          dom.h("td", { class: "dim" }),
          dom.h("td", { class: "num" }),
          dom.h("td", { class: "num wide" }),
          dom.h("td", { class: "dim until" }),
          dom.h("td", { class: "times" }),
        ),
      (row, entry) => {
        const [task, parameters, size, uses, until] = [...row.children];
        dom.set(row, { "aria-selected": entry.id === snapshot.selected ? "true" : "false", "aria-rowindex": places.get(entry.id) });
        const name = /** @type {Element} */ (task?.firstElementChild);
        dom.say(name, entry.task);
        if (parameters) dom.say(parameters, parametersOf(entry));
        if (size) dom.say(size, entry.size);
        if (uses) dom.say(uses, format.thousands(entry.uses));
        if (until) dom.set(until, { title: spanOf(entry) });
      },
    );
  };

  /** @param {Entry} entry */
  const parametersOf = ({ parameters }) => parameters || "no parameters";

  /** Columns are as wide as the longest text of all rows asks for, drawn or not: they stay as they are while the list scrolls. */
  const drawWidths = () => {
    /** @type {((entry: Entry) => string)[]} */
    const texts = [({ task }) => task, parametersOf, ({ size }) => size, ({ uses }) => format.thousands(uses), (entry) => untilOf(entry, at())];
    texts.forEach((textOf, column) => {
      const longest = snapshot.entries.map(textOf).reduce((a, b) => (b.length > a.length ? b : a), "");
      const cell = parts.widths.children[column];
      if (cell) dom.say(cell.firstElementChild ?? cell, longest);
    });
  };

  const drawHeads = () => {
    for (const control of parts.heads) {
      const isOn = control.getAttribute("data-column") === order.by;
      dom.set(/** @type {Element} */ (control.parentElement), { "aria-sort": isOn ? (order.descending ? "descending" : "ascending") : null });
      control.querySelector("svg")?.remove();
      if (isOn) control.append(dom.icon(states.SIGNS[order.descending ? "down" : "up"] ?? []));
    }
    const bytes = snapshot.entries.reduce((sum, entry) => sum + entry.size_bytes, 0);
    const isFiltered = Object.values(filter).some((text) => text.trim());
    const none = isFiltered ? "No entry fits these filters." : "The cache is empty. Outputs that tasks keep appear here after their first run.";
    const listed = snapshot.entries.length;
    const lines = "Solid: valid at that moment. Dotted: not. The line is the slider's.";
    if (!listed) dom.say(parts.count, none);
    else if (!isPart()) dom.say(parts.count, `${format.thousands(listed)} ${listed === 1 ? "entry" : "entries"}, ${format.size(bytes)}. ${lines}`);
    else {
      const total = snapshot.total ?? listed;
      const all = total > MOST_COUNTED ? `more than ${format.thousands(MOST_COUNTED)}` : format.thousands(total);
      dom.say(
        parts.count,
        `${format.thousands(listed)} of ${all} entries: the newest at that moment, ${format.size(bytes)}. Others: move the slider, or filter. ${lines}`,
      );
    }
  };

  /** Whether there are more than are listed. */
  const isPart = () => (snapshot.total ?? 0) > snapshot.entries.length;

  /** All that hangs on the moment: cheap, because it follows the hand. */
  const drawTimes = () => {
    drawMoment();
    drawRowTimes();
  };

  const drawMoment = () => {
    const moment = at();
    const [word, title] = WORDS[link.status];
    const valid = snapshot.entries.filter((entry) => isValid(entry)).length;
    parts.asOf.replaceChildren(
      "As of ",
      dom.h("b", {}, format.date(moment, axis.now - axis.start < SECONDS_BELOW)),
      " ",
      dom.h("span", { class: "dim" }, `${valid} of ${snapshot.entries.length}${isPart() ? " listed" : ""} valid`),
    );
    if (parts.link.getAttribute("data-live") !== link.status)
      parts.link.replaceChildren(link.status === "live" ? "" : dom.icon(states.SIGNS.warn ?? []), word ?? "");
    dom.set(parts.link, { "data-live": link.status, "data-state": link.status === "live" ? null : "Paused", title });
    const isNow = moment >= axis.now;
    dom.set(parts.now, {
      "aria-disabled": isNow || link.status !== "live" ? "true" : null,
      title: link.status !== "live" ? word : isNow ? "Already now" : "Back to now",
    });
    drawSlider(moment);
  };

  const drawRowTimes = () => {
    const moment = at();
    const byId = new Map(snapshot.entries.map((entry) => [entry.id, entry]));
    for (const row of parts.rows.children) {
      const entry = byId.get(row.getAttribute("data-entry") ?? "");
      const cell = row.lastElementChild;
      if (entry && cell) {
        row.classList.toggle("off", !isValid(entry));
        dom.say(/** @type {Element} */ (cell.previousElementSibling), untilOf(entry, moment));
        cell.replaceChildren(barOf(entry, moment));
      }
    }
  };

  /** The kernel knows best at its own moment; while the slider is held the dates decide. @param {Entry} entry */
  const isValid = (entry) => (held === null ? entry.valid : tools.axis.isValidAt(entry, held));

  /** How an entry stands at `moment`, in words. @param {Entry} entry @param {number} moment */
  const untilOf = (entry, moment) => {
    if (entry.created > moment) return `from ${format.moment(entry.created, snapshot.now)}`;
    if (entry.expires === null) return "for good";
    return `${isValid(entry) ? "until" : "ended"} ${format.moment(entry.expires, snapshot.now)}`;
  };

  /** @param {Entry} entry */
  const spanOf = ({ created, expires }) => `Valid from ${format.date(created)}${expires === null ? " on, without end" : ` to ${format.date(expires)}`}`;

  /** @param {number} moment */
  const drawSlider = (moment) => {
    const { x, now, first } = axis;
    const lines = tools.axis.ticks(axis, format.day).flatMap(({ at: tick, label }) => {
      const isNear = x(now) - x(tick) < 24;
      return [
        dom.s("path", { class: "tl", d: `M${x(tick).toFixed(1)} 20v28` }),
        ...(isNear ? [] : [dom.s("text", { x: (x(tick) + 4).toFixed(1), y: 14 }, label)]),
      ];
    });
    const knob = x(moment).toFixed(1);
    const end = x(now).toFixed(1);
    parts.slider.replaceChildren(
      ...lines,
      dom.s("path", { class: "track", d: `M8 34H${end}` }),
      dom.s("path", { class: "track done", d: `M8 34H${knob}` }),
      dom.s("path", { class: "edge", d: `M${end} 26v16` }),
      dom.s("text", { x: (x(now) + 10).toFixed(1), y: 38 }, "now"),
      dom.s("circle", { class: "knob", cx: knob, cy: 34, r: 7 }),
      dom.s("path", { class: "asof", d: `M${knob} 41V52` }),
    );
    dom.set(parts.slider, {
      viewBox: `0 0 ${width} 52`,
      "aria-valuemin": Math.round(first),
      "aria-valuemax": Math.round(now),
      "aria-valuenow": Math.round(moment),
      "aria-valuetext": format.date(moment),
      "aria-disabled": link.status === "live" ? null : "true",
    });
  };

  /** @param {Entry} entry @param {number} moment */
  const barOf = (entry, moment) => {
    const { x, end } = axis;
    const from = x(entry.created);
    const isOpen = entry.expires === null || entry.expires > end;
    const to = isOpen ? x(end) : x(entry.expires ?? end);
    const kind = isValid(entry) ? (entry.id === snapshot.selected ? "valid hit" : "valid") : "valid off";
    return dom.s(
      "svg",
      { viewBox: `0 0 ${width} 24`, role: "img", "aria-label": `${isValid(entry) ? "Serves" : "Does not serve"} at that moment. ${spanOf(entry)}` },
      dom.s("rect", { class: kind, x: from.toFixed(1), y: 8.5, width: Math.max(2, to - from).toFixed(1), height: 7 }),
      isOpen && dom.s("path", { class: "edge", d: `M${(to - 1).toFixed(1)} 7l5 5-5 5` }),
      dom.s("path", { class: "asof", d: `M${x(moment).toFixed(1)} 0V24` }),
    );
  };

  const drawEntry = () => {
    const entry = snapshot.entries.find(({ id }) => id === snapshot.selected);
    parts.entry.hidden = !entry;
    if (!entry) return;
    dom.set(parts.entry, { "data-entry": entry.id });
    dom.say(parts.name, entry.task);
    parts.about.replaceChildren(`${entry.parameters || "no parameters"}, `, dom.h("b", {}, `as of ${format.moment(at(), snapshot.now)}`));
    const until = entry.expires === null ? "no end" : format.moment(entry.expires, snapshot.now);
    const made = entry.run ? `made by run ${entry.run}` : "made by a run that was not recorded";
    dom.say(parts.made, `${made}, ${isValid(entry) ? "valid" : "not valid then: it was"} from ${format.moment(entry.created, snapshot.now)} to ${until}`);
    const slot = `to-variable:${entry.id}`;
    const why = link.status !== "live" ? WORDS[link.status][0] : link.commands.isWaiting(slot) ? "Waits for the kernel to take it" : null;
    dom.set(parts.keep, { "data-entry": entry.id, "aria-disabled": why ? "true" : null, title: why ?? "Puts the value into a variable of the notebook" });
    const said = link.commands.said(slot) ?? link.commands.said(`select:${entry.id}`);
    dom.say(parts.said, said?.text ?? "");
    dom.set(parts.said, { "data-ok": said?.ok === false ? "false" : "true" });
    const preview = snapshot.preview ?? {
      kind: snapshot.page ? "frame" : "text",
      type: entry.type,
      text: entry.type,
      page: snapshot.page,
      repr: "No preview was kept of this value. “To a variable” loads it.",
    };
    showFrame(entry.id, preview);
  };

  // Wires, undone by the one signal.

  root.addEventListener(
    "click",
    (event) => {
      const target = event.target instanceof Element ? event.target : null;
      const control = target?.closest("[data-action]");
      const row = target?.closest("tr[data-entry]");
      if (control && control !== parts.slider) act(control.getAttribute("data-action") ?? "", control);
      else if (row) select(row.getAttribute("data-entry") ?? "");
    },
    { signal },
  );
  root.addEventListener(
    "change",
    (event) => {
      const field = event.target;
      if (!(field instanceof HTMLSelectElement)) return;
      filter[/** @type {"flow" | "task" | "kind"} */ (field.name)] = field.value;
      sendFilter();
    },
    { signal },
  );
  /** @type {(() => void) | null} */
  let typing = null;
  parts.parameters.addEventListener(
    "input",
    () => {
      filter.parameters = parts.parameters.value;
      typing?.();
      typing = link.given.clock.later(TYPING_MS, sendFilter);
    },
    { signal },
  );
  const toMoment = (/** @type {PointerEvent} */ event) => axis.at(event.clientX - parts.slider.getBoundingClientRect().left);
  parts.slider.addEventListener(
    "pointerdown",
    (event) => {
      if (event.button !== 0 || link.status !== "live") return;
      isDragged = true;
      parts.slider.setPointerCapture(event.pointerId);
      move(toMoment(event));
    },
    { signal },
  );
  parts.slider.addEventListener("pointermove", (event) => isDragged && move(toMoment(event)), { signal });
  for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
    parts.slider.addEventListener(
      name,
      () => {
        isDragged = false;
      },
      { signal },
    );
  }
  parts.slider.addEventListener(
    "keydown",
    (event) => {
      const next = tools.axis.moved(axis, at(), event.key);
      if (next === null || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      move(next);
    },
    { signal },
  );
  // The axis gets what the words beside it leave.
  const observer = new ResizeObserver(([change]) => {
    const room = Math.floor(change?.contentRect.width ?? 0);
    if (room < WIDTH_LEAST || room === width) return;
    width = room;
    draw();
  });
  observer.observe(parts.times);
  parts.table.addEventListener("scroll", drawList, { signal, passive: true });
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  listen(
    model,
    { "msg:custom": onMessage, "change:snapshot": () => take(model.get("snapshot")), comm_live_update: onComm, "comm:close": () => link.lost(GONE) },
    signal,
  );
  signal.addEventListener("abort", () => link.close(), { once: true });
  if (isConnected(model, el)) link.hello();
  else link.setStatus("saved");
  draw();
  beginFilters();
}

export default { render };

/** The elements that stay. @param {HTMLElement} root @param {Tools} tools */
function build(root, { dom }) {
  const flow = dom.h("select", { name: "flow", "data-action": "filter-flow", "aria-label": "Flow" });
  const task = dom.h("select", { name: "task", "data-action": "filter-task", "aria-label": "Task" });
  const kind = dom.h("select", { name: "kind", "data-action": "filter-type", "aria-label": "Type" });
  const parameters = dom.h("input", {
    name: "parameters",
    "data-action": "filter-parameters",
    class: "filter",
    placeholder: "parameters, e.g. origin=JFK",
    "aria-label": "Parameters",
    autocomplete: "off",
    spellcheck: "false",
  });
  const asOf = dom.h("span", { class: "nowrap" });
  const link = dom.h("span", { class: "link" });
  const now = dom.button("as-of-now", "Now");
  const head = dom.h(
    "div",
    { class: "head" },
    dom.h("h3", {}, "Cache"),
    dom.h("span", { class: "row tight" }, flow, task, kind, parameters),
    dom.h("span", { class: "side" }, dom.h("span", { class: "row about" }, link, asOf), now),
  );
  const slider = dom.s("svg", { role: "slider", tabindex: 0, "data-action": "as-of", "aria-label": "As of" });
  const heads = /** @type {[Order, string | null][]} */ ([
    ["task", null],
    ["parameters", null],
    ["size", "num"],
    ["uses", "num wide"],
  ]).map(([name, style]) => ({ style, control: dom.button("order", name, { "data-column": name, title: `Sort by ${name}` }) }));
  const rows = dom.h("tbody");
  const [above, below] = [dom.h("tr"), dom.h("tr")];
  const widths = dom.h(
    "tr",
    { style: "visibility:collapse" },
    dom.h("td", {}, dom.h("button", { type: "button", class: "plain task", tabindex: -1 })),
    ...["", "num", "num wide", "until", ""].map((style) => dom.h("td", { class: style || null })),
  );
  const times = dom.h("th", { class: "times", scope: "col" }, slider);
  const aside = (/** @type {HTMLElement[]} */ ...held) => dom.h("tbody", { "aria-hidden": "true" }, ...held);
  const top = dom.h(
    "tr",
    { "aria-rowindex": 1 },
    ...heads.map(({ style, control }) => dom.h("th", { class: style, scope: "col" }, control)),
    dom.h("th", { class: "until", scope: "col" }, "valid"),
    times,
  );
  const table = dom.h(
    "div",
    { class: "scroll entries", tabindex: 0 },
    dom.h("table", { "aria-label": "Entries" }, dom.h("thead", {}, top), aside(widths, above), rows, aside(below)),
  );
  const count = dom.h("span", { class: "grow" });
  const name = dom.h("span", { class: "name" });
  const about = dom.h("span", { class: "nowrap" });
  const made = dom.h("span", { class: "dim nowrap" });
  const keep = dom.button("to-variable", "To a variable", { class: "primary" });
  const said = dom.h("span", { class: "said" });
  const value = dom.h("div", { class: "value" });
  const entry = dom.h("div", { class: "part" }, dom.h("div", { class: "head" }, name, about, made, dom.h("span", { class: "side" }, said, keep)), value);
  const status = dom.h("p", { class: "sr", role: "status", "aria-live": "polite" });
  root.replaceChildren(head, dom.h("div", { class: "part" }, table), dom.h("div", { class: "foot" }, count), entry, status);
  return {
    flow,
    task,
    kind,
    parameters,
    asOf,
    link,
    now,
    slider,
    table,
    above,
    below,
    widths,
    times,
    heads: heads.map(({ control }) => control),
    rows,
    count,
    name,
    about,
    made,
    keep,
    said,
    value,
    entry,
    status,
  };
}
