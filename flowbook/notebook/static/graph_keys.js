/** Keys, the wheel and dragging on the graph, and where an arrow key goes. */

/** @typedef {import("./graph.js").GraphNode} GraphNode */
/** @typedef {{el: HTMLElement, nodes: Map<string, GraphNode>, signal: AbortSignal, zoom: (how: "in" | "out" | "fit") => void, move: (key: string) => void}} Heard */

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

/**
 * Where a key goes from `key`: an arrow along an edge, or to the neighbour in the same row; a page key to the next row, as does an
 * arrow where no edge leads on. So every node is reached.
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
  const all = [...nodes.values()];
  const below = () =>
    near(
      rowOf(
        all.filter((node) => node.y >= from.y + from.h),
        Math.min,
      ),
    );
  const above = () =>
    near(
      rowOf(
        all.filter((node) => node.y + node.h <= from.y),
        Math.max,
      ),
    );
  if (arrow === "PageDown") return below();
  if (arrow === "PageUp") return above();
  if (arrow === "ArrowDown") return near(of(from.down)) ?? below();
  if (arrow === "ArrowUp") return near(of(from.up)) ?? above();
  const isBeside = (/** @type {GraphNode} */ node) => node.y < from.y + from.h && node.y + node.h > from.y;
  const side = all.filter((node) => node !== from && isBeside(node));
  if (arrow === "ArrowRight") return near(side.filter((node) => node.x > from.x));
  if (arrow === "ArrowLeft") return near(side.filter((node) => node.x < from.x));
  return null;
}

/** Those that begin where the first or last of them does. @param {GraphNode[]} found @param {(...values: number[]) => number} nearest */
const rowOf = (found, nearest) => {
  const at = nearest(...found.map(({ y }) => y));
  return found.filter(({ y }) => y === at);
};

/** The key of a node's element: of a task, or the name of a group. @param {Element | null | undefined} g */
export const keyOfNode = (g) => g?.getAttribute("data-task") ?? g?.getAttribute("data-group") ?? null;

/** Listen until the signal ends; `move` gives a node the focus. @param {Heard} heard */
export function listenToGraph({ el, nodes, signal, zoom, move }) {
  el.addEventListener(
    "keydown",
    (event) => {
      const g = event.target instanceof Element ? event.target.closest("g.node") : null;
      const key = keyOfNode(g);
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "+" || event.key === "=") zoom("in");
      else if (event.key === "-") zoom("out");
      else if (event.key === "0") zoom("fit");
      else if (key && /^(Arrow|Page)/.test(event.key)) {
        const next = step(nodes, key, event.key);
        if (next) move(next);
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
