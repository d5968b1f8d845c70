/** What is known of one task: the approval card while it is Paused, otherwise tabs with output, inputs, logs, traceback, history. */

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {import("./frame.js").Source} Source */
/** @typedef {import("./frame.js").Request} Request */
/** @typedef {{name: string, from: string | null, preview: Preview | null, text?: string}} Input */
/** @typedef {{where: string, mine: boolean, lines: [number, string, boolean][]}} StackFrame */
/** @typedef {{type: string, message: string, stack: StackFrame[], text: string}} TaskError */
/** @typedef {{key: string, state: string, title?: string, why?: [string, string][], inputs?: Input[], output?: Preview | null, error?: TaskError | null, logs?: {at: number, level: string, text: string}[], history?: {run: string, state: string, at: number, duration_s: number | null}[], up?: string[], down?: string[], actions?: string[]}} Details */
/** @typedef {{dom: typeof import("./dom.js"), states: typeof import("./states.js"), format: typeof import("./format.js"), frame: typeof import("./frame.js")}} Tools */
/** @typedef {{id: string, label: string}} Tab */

/** Words and titles of what can be done with a task. @type {Record<string, [string, string]>} */
const LABELS = {
  resume: ["Resume", "Runs this task and what waits for it; nothing else runs again"],
  skip: ["Skip", "The task becomes Skipped, and what needs it too"],
  reject: ["Reject", "The task fails, with your note as the message"],
  "run-from": ["Run from here", "Runs this task and everything below it again"],
  "to-variable": ["To a variable", "Puts the value into a variable of the notebook"],
  invalidate: ["Invalidate", "The output serves no other run; the next one makes it again"],
  debug: ["Debug", "%debug in the frame that failed"],
};
const CRUMBS = 2;

/**
 * The tabs that have something to say, in order.
 *
 * @param {Details} details
 * @returns {Tab[]}
 */
export function tabsOf({ inputs = [], logs = [], error, history = [] }) {
  return [
    { id: "output", label: "Output" },
    { id: "inputs", label: `Inputs ${inputs.length}` },
    { id: "logs", label: `Logs ${logs.length}` },
    ...(error ? [{ id: "traceback", label: "Traceback" }] : []),
    ...(history.length ? [{ id: "history", label: `History ${history.length}` }] : []),
  ];
}

/**
 * The one button that goes on: none, if nothing does.
 *
 * @param {Details} details
 */
export function primaryOf({ actions = [], output }) {
  const wanted = ["resume", "run-from", ...(output ? ["to-variable"] : [])];
  return wanted.find((action) => actions.includes(action) && (action !== "run-from" || !output)) ?? null;
}

/** Whether `details` are shown as a card that asks for a decision. @param {{state: string}} details */
export const isCard = (details) => details.state === "Paused";

/**
 * Show `details` in `el`.
 *
 * @param {{el: HTMLElement, tools: Tools, signal: AbortSignal, now: () => number, ask: (source: Source, request: Request) => string | null}} given
 */
function render({ el, tools, signal, now, ask }) {
  const { dom, states, format, frame } = tools;
  /** @type {Map<string, {json: string, el: HTMLElement, view: ReturnType<typeof frame.default.render>, end: AbortController}>} */
  const frames = new Map();
  /** @type {string | null} */
  let tab = null;
  /** @type {Details | null} */
  let shown = null;
  let json = "";
  let isUnfolded = false;
  const note = dom.h("textarea", { "data-action": "note", placeholder: "Why? It is kept with the run.", "aria-label": "Note" });

  /** A frame by what it shows; kept while the preview is the same, so that sorting and scrolling survive. @param {Details} details @param {string} what @param {Preview} preview */
  const frameOf = (details, what, preview) => {
    const slot = `${details.key} ${what}`;
    const text = JSON.stringify(preview);
    const old = frames.get(slot);
    if (old?.json === text) return old.el;
    old?.end.abort();
    const end = new AbortController();
    const box = dom.h("div", { class: "value" });
    const isWhole = !preview.page || preview.page.total <= preview.page.rows.length;
    const view = frame.default.render({
      el: box,
      preview,
      source: { key: details.key, what },
      tools,
      ask,
      signal: AbortSignal.any([signal, end.signal]),
      isBare: isWhole,
    });
    frames.set(slot, { json: text, el: box, view, end });
    return box;
  };

  /** @param {Details} details @param {string} action @param {Record<string, string | null>} [more] */
  const act = (details, action, more = {}) => {
    const [label, title] = LABELS[action] ?? [action, ""];
    return dom.button(action, label, { "data-task": details.key, title, ...more });
  };

  /** @param {Details} details */
  const titleOf = (details) =>
    dom.h(
      "span",
      { class: "row" },
      dom.h("span", { class: "tile", "data-state": details.state }, dom.icon(states.glyphOf(details.state))),
      dom.h("h3", {}, details.key),
      dom.h("span", { class: "word", "data-state": details.state }, details.state),
      details.title && details.title !== details.key ? dom.h("span", { class: "dim" }, details.title) : null,
    );

  const closer = () => dom.button("close", dom.icon(states.SIGNS.close ?? []), { class: "icon plain", title: "Close (Esc)", "aria-label": "Close" });

  /** @param {Details} details */
  const why = (details) => (details.why ?? []).map(([question, answer]) => dom.h("span", {}, dom.h("b", {}, `${question}: `), `${answer} `));

  /** @param {Details} details @param {Input} input @param {boolean} isSmall */
  const inputOf = (details, input, isSmall) => {
    const what = `input:${input.name}`;
    const from = input.from ? `from ${input.from}` : "a constant";
    const text = input.preview?.text ?? input.text ?? "";
    const canKeep = details.actions?.includes("to-variable");
    const head = dom.h(
      "div",
      { class: "row input" },
      dom.h("b", { class: "mono" }, input.name),
      dom.h("span", { class: "dim grow" }, [text, from].filter(Boolean).join(", ")),
      canKeep
        ? dom.button("to-variable", "To a variable", {
            "data-task": details.key,
            "data-what": what,
            title: `Puts ${input.name} into a variable of the notebook`,
          })
        : null,
    );
    const hasValue = input.preview && (input.preview.page || input.preview.repr);
    const value = hasValue && input.preview ? frameOf(details, what, input.preview) : null;
    return dom.h(isSmall ? "div" : "section", { class: "in" }, head, value);
  };

  /** @param {Details} details */
  const card = (details) => {
    const inputs = details.inputs ?? [];
    const actions = details.actions ?? ["resume"];
    const others = actions.filter((action) => action === "skip" || action === "reject").map((action) => act(details, action));
    const history = details.history ?? [];
    return [
      dom.h("section", { class: "top" }, titleOf(details), closer()),
      details.why?.length ? dom.h("section", {}, ...why(details)) : null,
      dom.h(
        "section",
        { class: "inputs" },
        dom.h(
          "div",
          { class: "row" },
          dom.h("h4", {}, "What it would get"),
          dom.h("span", { class: "dim" }, inputs.length ? format.plural(inputs.length, "input") : "no inputs"),
        ),
        ...inputs.map((input) => inputOf(details, input, true)),
      ),
      dom.h(
        "section",
        {},
        others.length
          ? dom.h(
              "div",
              { class: "row about" },
              dom.h("h4", {}, "Note"),
              dom.h("span", { class: "dim" }, actions.includes("reject") ? "needed to reject, otherwise optional" : "optional"),
            )
          : null,
        others.length ? note : null,
        dom.h("div", { class: "row" }, actions.includes("resume") ? act(details, "resume", { class: "primary" }) : null, ...others),
      ),
      history.length ? dom.h("section", {}, dom.h("h4", {}, "Earlier runs"), historyList(history)) : null,
    ];
  };

  /** @param {NonNullable<Details["history"]>} history */
  const historyList = (history) =>
    dom.h(
      "dl",
      { class: "kv" },
      ...history.flatMap((entry) => [
        dom.h("dt", {}, `run ${entry.run}, ${format.moment(entry.at, now())}`),
        dom.h(
          "dd",
          {},
          dom.h("span", { class: "word", "data-state": entry.state }, entry.state),
          entry.duration_s === null ? "" : ` after ${format.duration(entry.duration_s)}`,
        ),
      ]),
    );

  /** @param {Details} details */
  const wide = (details) => {
    const primary = primaryOf(details);
    const offered = (details.actions ?? [])
      .filter((action) => LABELS[action] && (action !== "to-variable" || details.output))
      .map((action) => act(details, action, { class: action === primary ? "primary" : null, ...(action === "to-variable" ? { "data-what": "output" } : {}) }));
    const tabs = tabsOf(details);
    const chosen = tabs.find(({ id }) => id === tab)?.id ?? (details.error ? "traceback" : "output");
    const reasons = why(details);
    return [
      dom.h(
        "div",
        { class: "head" },
        titleOf(details),
        dom.h("span", { class: "side" }, crumbs(details), reasons.length ? null : dom.h("span", { class: "row tight" }, ...offered), closer()),
      ),
      reasons.length
        ? dom.h("div", { class: "head part" }, dom.h("span", { class: "grow why" }, ...reasons), dom.h("span", { class: "row tight" }, ...offered))
        : null,
      dom.h(
        "div",
        { class: "tabs", role: "tablist" },
        ...tabs.map(({ id, label }) =>
          dom.h(
            "button",
            {
              type: "button",
              role: "tab",
              "data-action": "tab",
              "data-tab": id,
              tabindex: id === chosen ? 0 : -1,
              "aria-selected": id === chosen ? "true" : "false",
            },
            label,
          ),
        ),
      ),
      dom.h("div", { role: "tabpanel", "aria-label": chosen, class: chosen === "output" ? "panel flush" : "panel pad" }, ...content(details, chosen)),
    ];
  };

  /** @param {Details} details */
  const crumbs = ({ key, up = [], down = [] }) => {
    const link = (/** @type {string} */ k) => dom.button("inspect", k, { "data-task": k, class: "plain" });
    const some = (/** @type {string[]} */ keys) => [...keys.slice(0, CRUMBS).map(link), keys.length > CRUMBS ? `+${keys.length - CRUMBS}` : ""].filter(Boolean);
    const arrow = () => dom.icon(states.SIGNS.next ?? []);
    return dom.h(
      "span",
      { class: "row tight dim crumbs" },
      ...some(up),
      up.length ? arrow() : null,
      dom.h("b", {}, key),
      down.length ? arrow() : null,
      ...some(down),
    );
  };

  /** @param {Details} details @param {string} chosen @returns {(Node | null)[]} */
  const content = (details, chosen) => {
    if (chosen === "inputs") return details.inputs?.length ? details.inputs.map((input) => inputOf(details, input, false)) : [empty("It has no inputs.")];
    if (chosen === "logs") return [logs(details)];
    if (chosen === "traceback" && details.error) return traceback(details.error);
    if (chosen === "history") return [historyTable(details.history ?? [])];
    return output(details);
  };

  /** @param {Details} details */
  const output = (details) => {
    const value = details.output;
    if (!value) return [dom.h("div", { class: "pad" }, empty(noOutput(details.state)))];
    const [type = "", ...rest] = value.text.split(", ");
    const size = value.size_bytes ? `, ${format.size(value.size_bytes)}` : "";
    const head = dom.h("div", { class: "head" }, dom.h("span", { class: "grow" }, dom.h("b", {}, type), rest.length ? `, ${rest.join(", ")}` : "", size));
    return value.page || value.repr ? [head, frameOf(details, "output", value)] : [head];
  };

  /** @param {string} text */
  const empty = (text) => dom.h("p", { class: "dim" }, text);

  /** @param {string} state */
  const noOutput = (state) => {
    if (states.isGoing(state)) return "It still runs; its output comes when it is done.";
    if (!states.isFinished(state)) return "It has not run yet.";
    return state === "Success" || state === "Cached" ? "Its output was not kept." : "It gave no output.";
  };

  /** @param {Details} details */
  const logs = ({ logs: lines = [] }) => {
    if (!lines.length) return empty("It logged and printed nothing.");
    const rows = lines.map(({ at, level, text }) =>
      dom.h(
        "div",
        { class: level === "ERROR" || level === "CRITICAL" ? "at" : null },
        dom.h("span", { class: "ln when" }, timeOfDay(at)),
        dom.h("span", { class: "ln level" }, level),
        dom.h("span", {}, text),
      ),
    );
    return dom.h("div", { class: "code logs", tabindex: 0, role: "log", "aria-label": "Logs" }, ...rows);
  };

  /** @param {TaskError} error */
  const traceback = (error) => {
    // The kernel tells the innermost first.
    const first = error.stack.find((f) => f.mine) ?? error.stack[0];
    const rest = error.stack.filter((f) => f !== first);
    const folded = rest.filter((f) => !f.mine);
    const open = isUnfolded ? rest : rest.filter((f) => f.mine);
    return [
      dom.h("p", { class: "name error" }, error.message ? `${error.type}: ${error.message}` : error.type),
      ...(first ? codeOf(first, first.mine ? "Your line" : "Where it failed", true) : []),
      ...open.flatMap((f) => codeOf(f, "Called from", false)),
      folded.length && !isUnfolded
        ? dom.h(
            "p",
            { class: "dim fold" },
            `${format.plural(folded.length, "frame")} of libraries ${folded.length === 1 ? "is" : "are"} folded. `,
            dom.button("all-frames", "Show them", { class: "plain" }),
          )
        : null,
      first ? null : dom.h("pre", { class: "code text", tabindex: 0 }, error.text),
    ];
  };

  /** @param {StackFrame} f @param {string} title @param {boolean} isFirst */
  const codeOf = (f, title, isFirst) => [
    dom.h(
      "div",
      { class: "row where" },
      dom.h("b", {}, title),
      dom.h("span", { class: "mono grow" }, f.where),
      isFirst ? dom.button("copy", "Copy all", { title: "Copies the whole traceback" }) : null,
    ),
    f.lines.length
      ? dom.h(
          "div",
          { class: "code", tabindex: 0 },
          ...f.lines.map(([n, text, isAt]) =>
            dom.h("div", { class: isAt ? "at" : null }, dom.h("span", { class: "ln" }, isAt ? `▸ ${n}` : String(n)), text || " "),
          ),
        )
      : null,
  ];

  /** @param {NonNullable<Details["history"]>} history */
  const historyTable = (history) =>
    dom.h(
      "table",
      {},
      dom.h(
        "thead",
        {},
        dom.h("tr", {}, ...["Run", "State", "When", "Time"].map((name) => dom.h("th", { scope: "col", class: name === "Time" ? "num" : null }, name))),
      ),
      dom.h(
        "tbody",
        {},
        ...history.map((entry) =>
          dom.h(
            "tr",
            {},
            dom.h("td", {}, `run ${entry.run}`),
            dom.h("td", {}, dom.h("span", { class: "word", "data-state": entry.state }, entry.state)),
            dom.h("td", {}, format.moment(entry.at, now())),
            dom.h("td", { class: "num" }, entry.duration_s === null ? "" : format.duration(entry.duration_s)),
          ),
        ),
      ),
    );

  const draw = () => {
    if (!shown) return;
    const active = el.contains(document.activeElement) ? document.activeElement : null;
    const wasTab = active?.getAttribute("role") === "tab";
    const isTyping = active === note;
    const log = el.querySelector(".logs");
    const isAtEnd = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 24;
    const kept = log?.scrollTop ?? 0;
    dom.set(el, { "data-task": shown.key, "data-state": shown.state, "aria-label": isCard(shown) ? `${shown.key} waits for a decision` : `Task ${shown.key}` });
    const parts = isCard(shown) ? card(shown) : wide(shown);
    el.replaceChildren(...parts.filter((part) => part !== null));
    const now_ = el.querySelector(".logs");
    if (now_) now_.scrollTop = isAtEnd ? now_.scrollHeight : kept;
    if (isTyping) note.focus({ preventScroll: true });
    if (wasTab) /** @type {HTMLElement | null} */ (el.querySelector('[role="tab"][aria-selected="true"]'))?.focus({ preventScroll: true });
  };

  el.addEventListener(
    "click",
    (event) => {
      const target = event.target instanceof Element ? event.target.closest("[data-action]") : null;
      const action = target?.getAttribute("data-action");
      if (action === "tab") tab = target?.getAttribute("data-tab") ?? null;
      else if (action === "all-frames") isUnfolded = true;
      else if (action === "copy") return void copy(target, shown?.error?.text ?? "");
      else return;
      event.stopPropagation();
      draw();
    },
    { signal },
  );
  el.addEventListener(
    "keydown",
    (event) => {
      const target = event.target instanceof Element ? event.target.closest('[role="tab"]') : null;
      if (!target || !shown || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
      const ids = tabsOf(shown).map(({ id }) => id);
      const next = ids.indexOf(target.getAttribute("data-tab") ?? "") + (event.key === "ArrowRight" ? 1 : -1);
      tab = ids.at(next % ids.length) ?? null;
      event.preventDefault();
      draw();
    },
    { signal },
  );

  return {
    /** @param {Details} details */
    update(details) {
      const text = JSON.stringify(details);
      if (text === json) return;
      if (details.key !== shown?.key) {
        tab = null;
        isUnfolded = false;
        note.value = "";
        for (const kept of frames.values()) kept.end.abort();
        frames.clear();
      }
      json = text;
      shown = details;
      draw();
    },
    /** Before the kernel answered: who it is, and what we wait for. @param {string} key @param {string} state @param {string} text */
    wait(key, state, text) {
      shown = null;
      json = "";
      dom.set(el, { "data-task": key, "data-state": state, "aria-label": `Task ${key}` });
      el.replaceChildren(
        dom.h("div", { class: "head" }, titleOf({ key, state }), dom.h("span", { class: "side" }, closer())),
        dom.h("p", { class: "pad dim" }, text),
      );
    },
    note: () => note.value.trim(),
    /** @param {{id: string, frame: import("./frame.js").Page}} message */
    page: (message) => [...frames.values()].some(({ view }) => view.page(message)),
    /** @param {string | null} id */
    release: (id) => {
      for (const { view } of frames.values()) view.release(id);
    },
  };
}

export default { render };

/** @param {number} at */
function timeOfDay(at) {
  return new Date(at * 1000).toTimeString().slice(0, 8);
}

/** @param {Element | null} button @param {string} text */
async function copy(button, text) {
  if (!button) return;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The browser refused to copy";
  }
}
