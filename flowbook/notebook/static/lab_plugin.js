/** The plugin of JupyterLab and Notebook 7: panels in every notebook, the side bar, commands, settings, notifications. */

import { plural } from "./format.js";
import { MIME, rendererClass } from "./host_lab.js";
import { addCellBelow, addCells, addCommands } from "./lab_commands.js";
import { follow, Links } from "./lab_connection.js";
import { makeLive } from "./lab_kernel.js";
import { Notices } from "./lab_notices.js";
import { Overview } from "./lab_overview.js";
import { serverOf } from "./lab_server.js";
import { settingsOf } from "./lab_settings.js";
import { shower } from "./lab_show.js";
import { SideBar } from "./lab_sidebar.js";

/** @typedef {Record<"apputils" | "components" | "notebook" | "rendermime" | "services" | "settings" | "widgets", any>} Jupyter JupyterLab's packages */
/** @typedef {{view: () => Promise<import("./host_lab.js").View>, sheet: string}} Code the view of a panel, and the style sheets */
/** @typedef {{app: any, registry: any, notebooks: any, palette: any, registryOfSettings: any}} Services */

const ID = "jupyter-flowbook:plugin";
const BAR = "flowbook-side-bar";
/** Before text/html and the widget. */
const RANK = -100;
const BAR_RANK = 300;
const FIRST = ["%load_ext flowbook", "%%flow delays\nflights = load_flights()\nsummarise(flights)"];
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16"><g class="jp-icon3" fill="none" stroke="gray" stroke-width="2"><rect x="4" y="4" width="7" height="6"/><rect x="13" y="14" width="7" height="6"/><path d="M7.5 10v7H13"/></g></svg>';

/**
 * What JupyterLab takes as an extension. Without `__esModule` it would take the wrong object for the plugin, and stay a blank page.
 *
 * @param {Jupyter} jupyter
 * @param {Code} code
 */
export const extension = (jupyter, code) => ({
  __esModule: true,
  default: {
    id: ID,
    description: "Live and saved panels of flowbook's runs, and a side bar with the runs of a store.",
    autoStart: true,
    requires: [jupyter.rendermime.IRenderMimeRegistry],
    optional: [jupyter.notebook.INotebookTracker, jupyter.apputils.ICommandPalette, jupyter.settings.ISettingRegistry],
    activate: (/** @type {any[]} */ ...[app, registry, notebooks, palette, registryOfSettings]) =>
      activate(jupyter, code, { app, registry, notebooks, palette, registryOfSettings }),
  },
});

/** @param {Jupyter} jupyter @param {Code} code @param {Services} services */
function activate(jupyter, { view, sheet }, services) {
  document.head.append(Object.assign(document.createElement("style"), { textContent: sheet }));
  const links = new Links(jupyter.services.KernelMessage);
  addPanels(jupyter, services, { links, view });
  addRuns(jupyter, services, { links, view });
}

/** @typedef {{links: Links, view: () => Promise<import("./host_lab.js").View>}} Page */

/** @param {Jupyter} jupyter @param {Services} services @param {Page} page */
function addPanels({ widgets }, { registry, notebooks }, { links, view }) {
  const insertCell = (/** @type {Element} */ node, /** @type {string} */ source) => addCellBelow(notebooks, node, source);
  const Renderer = rendererClass({ Widget: widgets.Widget, links, view, revive: makeLive, insertCell });
  const factory = (/** @type {any} */ session) => ({ safe: true, mimeTypes: [MIME], createRenderer: () => new Renderer(session) });
  registry.addFactory(factory(null), RANK);
  const onNotebook = (/** @type {any} */ document) => {
    const { sessionContext: session, content } = document;
    content.rendermime.addFactory(factory(session), RANK);
    const end = new AbortController();
    document.disposed.connect(() => end.abort());
    // The link listens for a cell that loads flowbook, so that a panel finds it open.
    follow(session.kernelChanged, ({ newValue: kernel }) => kernel && links.to(kernel), end.signal);
    if (session.session?.kernel) links.to(session.session.kernel);
    view();
  };
  notebooks?.forEach(onNotebook);
  notebooks?.widgetAdded.connect((/** @type {any} */ _tracker, /** @type {any} */ document) => onNotebook(document));
}

/** @param {Jupyter} jupyter @param {Services} services @param {Page} page */
function addRuns({ apputils, components, services: jupyterServices, widgets }, services, { links, view }) {
  const { app, notebooks, palette, registryOfSettings } = services;
  const { signal } = new AbortController();
  const kernel = () => notebooks?.currentWidget?.sessionContext?.session?.kernel ?? null;
  const settings = settingsOf(registryOfSettings, ID);
  const server = serverOf(jupyterServices);
  const hasServer = () => overview.hasServer;
  const show = shower({ app, notebooks, widgets, apputils, links, kernel, view, server, hasServer });
  const notices = new Notices({ notification: apputils.Notification, after_s: () => settings.notifyAfter, isOn: () => settings.notify, show });
  const widget = sideBarWidget(widgets, components);
  const overview = new Overview({ links, kernel, server, signal, onChange: () => onChange(), onNews: (run) => notices.tell(run) });
  const bar = new SideBar(widget.node, {
    act: async (run, action, note) => (action === "show" ? showing(show, run) : overview.act(run.id, action, note)),
    refresh: () => overview.ask(),
    newCell: () => addCells({ app, notebooks }, FIRST),
    pages: () => (overview.hasServer && server ? server.base : null),
    load: notebooks ? () => load(notebooks, links) : null,
  });
  const onChange = () => {
    bar.update(overview.sent, overview.isReached);
    const waiting = (overview.sent?.runs ?? []).filter(({ state }) => state === "Paused").length;
    widget.title.dataset = waiting ? { "flowbook-count": String(waiting) } : {};
    widget.title.caption = waiting ? `flowbook: ${plural(waiting, "run")} waiting for you` : "flowbook: runs";
  };
  onChange();
  app.shell.add(widget, "left", { rank: BAR_RANK });
  addCommands({ app, apputils, notebooks, palette, overview, show, bar: BAR });
}

/** @param {any} widgets @param {any} components */
function sideBarWidget(widgets, components) {
  const widget = new widgets.Widget();
  widget.id = BAR;
  widget.addClass("jp-flowbook-side-bar");
  widget.title.icon = new components.LabIcon({ name: "flowbook:runs", svgstr: ICON });
  return widget;
}

/** @param {(run: any) => Promise<void>} show @param {any} run */
async function showing(show, run) {
  try {
    await show(run);
    return null;
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : String(error) };
  }
}

/** Load flowbook into the kernel of the notebook in front. @param {any} notebooks @param {Links} links */
async function load(notebooks, links) {
  const session = notebooks.currentWidget?.sessionContext;
  await makeLive(session, () => {});
  await links.to(session.session.kernel).open();
}
