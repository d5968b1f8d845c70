/** Brings a run to the screen: the panel that shows it, or else a panel of its own in the main area. */

import { LabModel } from "./host_lab.js";
import { PageModel } from "./host_page.js";

/** @typedef {import("./lab_overview.js").Row} Row */

/**
 * @param {{app: any, notebooks: any, widgets: any, apputils: any, links: import("./lab_connection.js").Links, kernel: () => any, view: () => Promise<import("./host_lab.js").View>, server: import("./lab_server.js").Server | null, hasServer: () => boolean}} page
 * @returns {(run: Pick<Row, "id" | "flow">) => Promise<void>}
 */
export function shower(page) {
  return async (run) => {
    const node = /** @type {HTMLElement | null} */ (document.querySelector(`[data-flowbook="panel"][data-run-id="${CSS.escape(run.id)}"]`));
    if (node) return showPanel(page, node);
    if (page.hasServer()) return page.app.shell.add(await ownPanel(page, run, (signal) => servedModel(page, run, signal)), "main");
    const link = page.links.open(page.kernel());
    if (!link) throw new Error("No kernel here knows flowbook. Run %load_ext flowbook in a notebook first.");
    page.app.shell.add(await ownPanel(page, run, (signal) => linkedModel(run, link, signal)), "main");
  };
}

/** @param {{app: any, notebooks: any}} page @param {HTMLElement} node */
function showPanel({ app, notebooks }, node) {
  const found = [...app.shell.widgets("main")].find((widget) => widget.node.contains(node));
  if (found) app.shell.activateById(found.id);
  notebooks?.currentWidget?.content?.deselectAll?.();
  node.scrollIntoView({ block: "center" });
  const waiting = /** @type {SVGElement | null} */ (node.querySelector('g.node[data-state="Paused"], g.node[data-state="Failed"]'));
  waiting?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
}

/** A run as a kernel shows it. @param {Pick<Row, "id" | "flow">} run @param {import("./lab_connection.js").Link} link @param {AbortSignal} signal */
function linkedModel(run, link, signal) {
  const kept = { wire: 1, panel: `run-${run.id}`, run: run.id, flow: run.flow, stamp: "", packed: "" };
  const model = new LabModel({ kept, onKept: () => {}, revive: () => {} });
  signal.addEventListener("abort", () => model.leave(), { once: true });
  return { model, begin: () => model.follow(link) };
}

/** A run as the server shows it, without a kernel. @param {any} page @param {Pick<Row, "id" | "flow">} run @param {AbortSignal} signal */
function servedModel({ server }, run, signal) {
  const showRun = (/** @type {string} */ id) => window.open(new URL(`runs/${encodeURIComponent(id)}`, server.base), "_blank", "noopener");
  const model = new PageModel({ what: `run:${run.id}`, base: server.base, headers: server.headers, by: () => "", showRun, signal });
  return { model, begin: () => model.begin() };
}

/** @param {any} page @param {Pick<Row, "id" | "flow">} run @param {(signal: AbortSignal) => {model: any, begin: () => void}} modelOf */
async function ownPanel({ widgets, apputils, view }, run, modelOf) {
  const { render } = await view();
  const content = new widgets.Widget();
  const end = new AbortController();
  content.addClass("jp-flowbook-panel");
  content.addClass("jp-flowbook-alone");
  const { model, begin: follow } = modelOf(end.signal);
  const root = document.createElement("div");
  root.className = "fb";
  root.textContent = `Looking for ${run.flow || "the run"}…`;
  content.node.append(root);
  const begin = new AbortController();
  model.on(
    "graph",
    () => {
      begin.abort();
      root.textContent = "";
      render({ model, root, signal: end.signal });
    },
    begin.signal,
  );
  model.on("connection", () => sayWhy(root, model.get("connection")), begin.signal);
  content.disposed.connect(() => end.abort());
  follow();
  const widget = new apputils.MainAreaWidget({ content });
  widget.id = `flowbook-run-${run.id}`;
  widget.title.label = run.flow || "flowbook";
  widget.title.closable = true;
  return widget;
}

/** @param {HTMLElement} root @param {import("./host.js").Connection} connection */
function sayWhy(root, { state, text }) {
  if (state === "none" && text) root.textContent = text;
}
