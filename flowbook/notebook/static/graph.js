/**
 * The graph: adopts the kernel's SVG once; afterwards only states, texts, glyphs and bars of nodes change.
 *
 * Keeps no state of the run: selection, filter, search and zoom are the view's own.
 */

/** @typedef {{key: string, kind: string, up: string[], down: string[], x: number, y: number, w: number, h: number}} GraphNode */
/** @typedef {{name: string, type: string, default?: unknown, required?: boolean}} Parameter */
/** @typedef {{version: number, flow: string, svg: string, width: number, height: number, nodes: GraphNode[], parameters: Parameter[]}} Graph */
/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{dom: typeof import("./dom.js"), states: typeof import("./states.js"), format: typeof import("./format.js")}} Tools */
/** @typedef {{selected: string | null, filter: string | null, query: string}} Lens */

const TEXT_X = 32;
const [TWO_LINES, THREE_LINES, TALL] = [44, 64, 80];
/** From the beginning of a node's third line to its right edge, less some air. */
const NOTE_ROOM = 152;
/** What is left free around a node that is brought into view. */
const AIR = 12;
const ZOOM_STEP = 1.25;
const ZOOM_MOST = 3;
/** Text is 12 px at 1, and never smaller. */
const ZOOM_LEAST = 1;

/**
 * Everything above and below `key`, itself not included.
 *
 * @param {Map<string, GraphNode>} nodes
 * @param {string} key
 * @param {"up" | "down"} way
 */
export function reach(nodes, key, way) {
  /** @type {Set<string>} */
  const seen = new Set();
  const stack = [...(nodes.get(key)?.[way] ?? [])];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    stack.push(...(nodes.get(next)?.[way] ?? []));
  }
  return seen;
}

/** `text` with its middle left out, `length` characters in all. @param {string} text @param {number} length */
export function middleCut(text, length) {
  if (text.length <= length) return text;
  const end = Math.floor((length - 1) / 2);
  return `${text.slice(0, length - 1 - end)}…${text.slice(text.length - end)}`;
}

/**
 * Where an arrow key goes from `key`: along an edge, or to the neighbour in the same row.
 *
 * @param {Map<string, GraphNode>} nodes
 * @param {string} key
 * @param {string} arrow
 * @returns {string | null}
 */
export function step(nodes, key, arrow) {
  const from = nodes.get(key);
  if (!from) return null;
  const middle = (/** @type {GraphNode} */ node) => node.x + node.w / 2;
  const near = (/** @type {GraphNode[]} */ found) =>
    found.sort((a, b) => Math.abs(middle(a) - middle(from)) - Math.abs(middle(b) - middle(from)) || a.x - b.x)[0]?.key ?? null;
  const of = (/** @type {string[]} */ keys) => keys.flatMap((k) => nodes.get(k) ?? []);
  if (arrow === "ArrowDown") return near(of(from.down));
  if (arrow === "ArrowUp") return near(of(from.up));
  const isBeside = (/** @type {GraphNode} */ node) => node.y < from.y + from.h && node.y + node.h > from.y;
  const side = [...nodes.values()].filter((node) => node !== from && isBeside(node));
  if (arrow === "ArrowRight") return near(side.filter((node) => node.x > from.x));
  if (arrow === "ArrowLeft") return near(side.filter((node) => node.x < from.x));
  return null;
}

/**
 * How high a node is drawn: two lines, a note, or its buttons or bar.
 *
 * @param {Pick<GraphNode, "h">} node
 * @param {Task} task
 * @param {string} note
 */
export function drawnHeight({ h }, task, note) {
  if (h >= 72 && (task.counts || task.state === "Paused")) return Math.min(h, TALL);
  return note && task.state !== "Paused" ? Math.min(h, THREE_LINES) : Math.min(h, TWO_LINES);
}

/**
 * Draw the graph into `el`.
 *
 * @param {{el: HTMLElement, graph: Graph, view: string, tools: Tools, signal: AbortSignal, now: () => number, onSelect: (key: string) => void, onLens: () => void}} given
 */
function render({ el, graph, view, tools, signal, now, onSelect, onLens }) {
  const { dom, states, format } = tools;
  const nodes = new Map(graph.nodes.map((node) => [node.key, node]));
  const svg = dom.parseSvg(graph.svg, view);
  if (!svg) {
    el.replaceChildren(dom.h("p", { class: "pad" }, "The picture of this graph can't be read; “As a table” shows the same tasks."));
    return { update() {}, tick() {}, look() {}, focus() {}, show() {}, zoom() {}, canZoom: () => false, close() {} };
  }
  const [, , boxWidth = graph.width, boxHeight = graph.height] = (svg.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
  const groups = new Map([...svg.querySelectorAll("g.node")].map((g) => [g.getAttribute("data-task") ?? "", g]));
  const edges = [...svg.querySelectorAll("path.edge")];
  /** @type {Map<string, Task>} */
  const shown = new Map();
  /** @type {Map<string, number>} */
  const fitted = new Map();
  /** @type {Map<string, string>} */
  const names = new Map();
  let focused = graph.nodes[0]?.key ?? null;
  let scale = 1;

  dom.set(svg, { width: boxWidth, height: boxHeight });
  for (const [key, g] of groups) {
    dom.set(g, { role: "group", tabindex: key === focused ? 0 : -1, "data-action": "inspect", "aria-roledescription": "task" });
  }
  const label = svg.getAttribute("aria-label") ?? `Graph of ${graph.flow}`;
  dom.set(svg, { role: "group", "aria-label": `${label}. Arrows go along the edges, Enter inspects, R resumes.` });
  el.replaceChildren(svg);

  /** @param {string} key @param {Task} task */
  const paint = (key, task) => {
    const g = groups.get(key);
    const node = nodes.get(key);
    if (!g || !node) return;
    const before = shown.get(key);
    shown.set(key, task);
    if (before?.state === "Paused" && task.state === "Paused") {
      // Whoever is pressing Resume at this moment must not lose the button.
      label_(key, task);
      return;
    }
    const hadFocus = g.contains(document.activeElement) && document.activeElement !== g;
    dom.set(g, { "data-state": task.state });
    shape(g, node, heightOf(node, task));
    for (const child of [...g.children]) if (!child.matches(".box, .under, .tile-bg, .ring, title, text.name")) child.remove();
    const ring = g.querySelector(".ring");
    for (const part of inside(node, task)) g.insertBefore(part, ring);
    fitName(key, node, task);
    label_(key, task);
    if (hadFocus) /** @type {SVGElement} */ (/** @type {unknown} */ (g)).focus({ preventScroll: true });
  };

  /** A box is as high as what it shows: its place was kept for all that it may come to show. @param {Element} g @param {GraphNode} node @param {number} high */
  const shape = (g, node, high) => {
    for (const [part, height] of /** @type {const} */ ([
      [".box", high - 1],
      [".tile-bg", high - 2],
      [".ring", high + 6],
    ])) {
      const rect = g.querySelector(part);
      if (rect) dom.set(rect, { height });
    }
    const under = g.querySelector(".under");
    if (under) dom.set(under, { d: `M4 ${high}v4h${node.w}v-${high}h-4` });
  };

  /** @param {string} key @param {Task} task */
  const label_ = (key, task) => {
    const time = format.timeOf(task, now());
    const words = [key, task.state, time, format.noteOf(task)].filter(Boolean).join(", ");
    groups.get(key)?.setAttribute("aria-label", words);
  };

  /** @param {GraphNode} node @param {Task} task */
  const heightOf = (node, task) => drawnHeight(node, task, format.noteOf(task));

  /** @param {GraphNode} node @param {Task} task @returns {SVGElement[]} */
  const inside = (node, task) => {
    const right = node.w - 8;
    /** @type {SVGElement[]} */
    const parts = [
      dom.s("g", { class: "glyph", transform: "translate(7 16)" }, ...dom.drawn(states.glyphOf(task.state))),
      dom.s("text", { class: "word", x: TEXT_X, y: 35 }, task.state),
    ];
    if (task.width) parts.push(dom.s("text", { class: "end", x: right, y: 18 }, `×${format.thousands(task.width)}`));
    const isWaiting = task.state === "Paused";
    const isLow = node.h < 72;
    if (!(isWaiting && isLow)) parts.push(dom.s("text", { class: "end time", x: right, y: 35 }, format.timeOf(task, now())));
    if (isWaiting && isLow) return [...parts, control("resume", node.key, "Resume", right - 68, 18, 72)];
    if (isWaiting && !(node.h < 100 && task.counts)) {
      return [...parts, control("resume", node.key, "Resume", TEXT_X, 44, 72), control("inspect", node.key, "Inputs", 112, 44, 64)];
    }
    if (task.counts && node.h >= 72) return [...parts, ...bar(node, task)];
    if (node.h >= 60) parts.push(...note(task));
    return parts;
  };

  /** @param {Task} task @returns {SVGElement[]} */
  const note = (task) => {
    const text = format.noteOf(task);
    if (!text) return [];
    const short = endCut(text, NOTE_ROOM - (task.stale ? 16 : 0));
    if (!task.stale) return [dom.s("text", { class: "note", x: TEXT_X, y: 53 }, short, dom.s("title", {}, text))];
    const sign = dom.s("g", { class: "glyph-ink", transform: `translate(${TEXT_X} 43)` }, ...dom.drawn(states.SIGNS.warn ?? []));
    return [dom.s("g", { "data-state": "Paused" }, sign), dom.s("text", { class: "note warn", x: TEXT_X + 16, y: 53 }, short, dom.s("title", {}, text))];
  };

  /** @param {GraphNode} node @param {Task} task @returns {SVGElement[]} */
  const bar = (node, task) => {
    const counts = states.inOrder(states.spread(task));
    const total = counts.reduce((sum, [, n]) => sum + n, 0) || 1;
    const room = node.w - TEXT_X - 8 - (counts.length - 1);
    const group = dom.s("g", { class: "bar", "aria-hidden": "true" });
    const legend = dom.s("g", { class: "counts", "aria-hidden": "true" });
    let x = TEXT_X;
    let at = TEXT_X;
    for (const [state, n] of counts) {
      const wide = Math.max(1.5, (room * n) / total);
      group.append(dom.s("rect", { class: "seg", "data-state": state, x: x.toFixed(1), y: 44, width: wide.toFixed(1), height: 8 }));
      x += wide + 1;
      const text = format.thousands(n);
      const room_ = 18 + text.length * 7.5;
      if (at + room_ - 6 > node.w - 4) continue;
      const sign = dom.s("g", { class: "glyph-ink", transform: `translate(${at} 60) scale(.8)` }, ...dom.drawn(states.glyphOf(state)));
      legend.append(dom.s("g", { "data-state": state }, sign, dom.s("text", { x: at + 13, y: 69 }, text)));
      at += Math.ceil(room_) + 3;
    }
    return [group, legend];
  };

  /** @param {string} action @param {string} key @param {string} text @param {number} x @param {number} y @param {number} width */
  const control = (action, key, text, x, y, width) =>
    dom.s(
      "g",
      {
        role: "button",
        tabindex: -1,
        "data-action": action,
        "data-task": key,
        class: action === "resume" ? null : "ctl",
        transform: `translate(${x} ${y})`,
        "aria-label": `${text}: ${key}`,
      },
      dom.s("rect", { width, height: 24, rx: 2 }),
      dom.s("text", { x: width / 2, y: 16 }, text),
    );

  /** @type {CanvasRenderingContext2D | null} */
  let ruler = null;
  /** @type {CanvasRenderingContext2D | null} */
  let noteRuler = null;
  /** Measured beside the page: asking the page itself would lay out the whole graph for each name. @param {string} text @param {Element} like */
  const widthOf = (text, like) => {
    ruler ??= rulerFor(like);
    return ruler?.measureText(text).width ?? 0;
  };

  /** A note that is too wide loses its end. @param {string} text @param {number} room */
  const endCut = (text, room) => {
    const like = svg.querySelector("text.time, text.word") ?? svg;
    noteRuler ??= rulerFor(like, "400");
    const width = (/** @type {string} */ words) => noteRuler?.measureText(words).width ?? 0;
    if (width(text) <= room) return text;
    let kept = Math.floor((text.length * room) / width(text));
    while (kept > 6 && width(`${text.slice(0, kept)}…`) > room) kept -= 1;
    return `${text.slice(0, kept).trimEnd()}…`;
  };

  /** A name that is too wide in this font loses its middle, never its end. @param {string} key @param {GraphNode} node @param {Task} task */
  const fitName = (key, node, task) => {
    const name = /** @type {SVGTextElement | null} */ (groups.get(key)?.querySelector("text.name"));
    const times = task.width ? 7 * format.thousands(task.width).length + 20 : 4;
    const room = node.w - TEXT_X - 8 - times;
    if (!name || fitted.get(key) === room) return;
    fitted.set(key, room);
    const full = names.get(key) ?? name.textContent ?? key;
    names.set(key, full);
    let text = full;
    const width = widthOf(full, name);
    let kept = width > room ? Math.ceil((full.length * room) / width) : full.length;
    for (; kept > 6 && widthOf(text, name) > room; kept -= 1) text = middleCut(full, kept);
    dom.say(name, text);
  };

  /** @param {Lens} lens */
  const look = (lens) => {
    const { selected, filter, query } = lens;
    const known = selected !== null && nodes.has(selected) ? selected : null;
    const up = known ? reach(nodes, known, "up") : null;
    const down = known ? reach(nodes, known, "down") : null;
    const wanted = query.trim().toLowerCase();
    for (const [key, g] of groups) {
      const isRelated = !known || key === known || up?.has(key) || down?.has(key);
      const task = shown.get(key);
      const isState = !filter || task?.state === filter || Boolean(task && (states.spread(task)[filter] ?? 0) > 0 && task.counts);
      const isFound = !wanted || key.toLowerCase().includes(wanted);
      g.classList.toggle("far", !(isRelated && isState && isFound));
      g.classList.toggle("selected", key === known);
    }
    for (const edge of edges) {
      const from = edge.getAttribute("data-from") ?? "";
      const to = edge.getAttribute("data-to") ?? "";
      const isUp = known !== null && up?.has(from) === true && (to === known || up.has(to));
      const isDown = known !== null && down?.has(to) === true && (from === known || down.has(from));
      const tip = edge.nextElementSibling;
      for (const part of tip?.matches("path.tip") ? [edge, tip] : [edge]) {
        part.classList.toggle("lit", isUp || isDown);
        part.classList.toggle("far", known !== null && !isUp && !isDown);
      }
    }
  };

  /** Give the one tab stop to `key`. @param {string} key @param {boolean} [isMoved] whether to move the focus there too */
  const focus = (key, isMoved = true) => {
    const g = groups.get(key);
    if (!g) return;
    if (focused) groups.get(focused)?.setAttribute("tabindex", "-1");
    focused = key;
    g.setAttribute("tabindex", "0");
    if (!isMoved) return;
    /** @type {SVGElement} */ (/** @type {unknown} */ (g)).focus({ preventScroll: true });
    show(key);
  };

  /** Bring the whole of a node into the canvas, without scrolling the notebook. @param {string} key */
  const show = (key) => {
    const g = groups.get(key);
    if (!g) return;
    const [node, room] = [g.getBoundingClientRect(), el.getBoundingClientRect()];
    el.scrollLeft += past(node.left, node.right, room.left, room.left + el.clientWidth);
    el.scrollTop += past(node.top, node.bottom, room.top, room.top + el.clientHeight);
  };

  /** @param {"in" | "out" | "fit"} how */
  const zoom = (how) => {
    const fit = Math.min((el.clientWidth - 32) / boxWidth, (el.clientHeight - 32) / boxHeight);
    const wanted = how === "fit" ? fit : scale * (how === "in" ? ZOOM_STEP : 1 / ZOOM_STEP);
    const before = scale;
    scale = Math.min(ZOOM_MOST, Math.max(ZOOM_LEAST, Math.round(wanted * 1000) / 1000));
    const middle = { x: (el.scrollLeft + el.clientWidth / 2) / before, y: (el.scrollTop + el.clientHeight / 2) / before };
    dom.set(svg, { width: Math.round(boxWidth * scale), height: Math.round(boxHeight * scale) });
    el.scrollLeft = how === "fit" ? 0 : middle.x * scale - el.clientWidth / 2;
    el.scrollTop = how === "fit" ? 0 : middle.y * scale - el.clientHeight / 2;
    onLens();
  };

  listen({ el, nodes, groups, signal, zoom, focus, onSelect });
  return {
    /** @param {Iterable<[string, Task]>} tasks */
    update(tasks) {
      for (const [key, task] of tasks) paint(key, task);
    },
    /** Let the clocks go on. */
    tick() {
      for (const [key, task] of shown) {
        if (!states.isGoing(task.state) && task.state !== "Paused" && task.state !== "Scheduled") continue;
        const text = groups.get(key)?.querySelector("text.time");
        if (text) dom.say(text, format.timeOf(task, now()));
      }
    },
    look,
    focus,
    show,
    zoom,
    /** @param {"in" | "out"} way */
    canZoom: (way) => (way === "in" ? scale < ZOOM_MOST : scale > ZOOM_LEAST),
    close: () => el.replaceChildren(),
  };
}

export default { render };

/** What measures text in the font of an element. @param {Element} like @param {string} [weight] */
function rulerFor(like, weight) {
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(like);
  const ruler = document.createElement("canvas").getContext("2d");
  if (ruler) ruler.font = `${weight ?? fontWeight} ${fontSize} ${fontFamily}`;
  return ruler;
}

/** How far what reaches from `a` to `b` is out of `from` to `to`, with some air. @param {number} a @param {number} b @param {number} from @param {number} to */
function past(a, b, from, to) {
  if (a - AIR < from) return a - AIR - from;
  return b + AIR > to ? Math.min(b + AIR - to, a - AIR - from) : 0;
}

/** @typedef {{el: HTMLElement, nodes: Map<string, GraphNode>, groups: Map<string, Element>, signal: AbortSignal, zoom: (how: "in" | "out" | "fit") => void, focus: (key: string) => void, onSelect: (key: string) => void}} Heard */

/** Keys, the wheel and dragging. @param {Heard} heard */
function listen({ el, nodes, groups, signal, zoom, focus, onSelect }) {
  el.addEventListener(
    "keydown",
    (event) => {
      const g = event.target instanceof Element ? event.target.closest("g.node") : null;
      const key = g?.getAttribute("data-task");
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "+" || event.key === "=") zoom("in");
      else if (event.key === "-") zoom("out");
      else if (event.key === "0") zoom("fit");
      else if (key && event.key.startsWith("Arrow")) {
        const next = step(nodes, key, event.key);
        if (next && groups.has(next)) {
          focus(next);
          onSelect(next);
        }
      } else return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  el.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? "in" : "out");
    },
    { signal, passive: false },
  );
  drag(el, signal);
}

/** Pan by dragging the ground. @param {HTMLElement} el @param {AbortSignal} signal */
function drag(el, signal) {
  /** @type {{x: number, y: number} | null} */
  let at = null;
  el.addEventListener(
    "pointerdown",
    (event) => {
      const isGround = event.target instanceof Element && !event.target.closest(".node");
      if (!isGround || event.button !== 0 || event.pointerType === "touch") return;
      if (el.scrollWidth <= el.clientWidth && el.scrollHeight <= el.clientHeight) return;
      at = { x: event.clientX + el.scrollLeft, y: event.clientY + el.scrollTop };
      el.setPointerCapture(event.pointerId);
      el.classList.add("dragged");
    },
    { signal },
  );
  el.addEventListener(
    "pointermove",
    (event) => {
      if (!at) return;
      el.scrollLeft = at.x - event.clientX;
      el.scrollTop = at.y - event.clientY;
    },
    { signal },
  );
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
    el.addEventListener(
      end,
      () => {
        at = null;
        el.classList.remove("dragged");
      },
      { signal },
    );
  }
}
