/** The plugin of JupyterLab and Notebook 7: panels in every notebook. */

import { MIME, rendererClass } from "./host_lab.js";
import { follow, Links } from "./lab_connection.js";
import { makeLive } from "./lab_kernel.js";

/** @typedef {Record<"widgets" | "notebook" | "rendermime" | "services", any>} Jupyter JupyterLab's packages */

/** Before text/html and the widget. */
const RANK = -100;
const SHEETS = ["tokens.css", "flowbook.css"];

/**
 * What JupyterLab takes as an extension. Without `__esModule` it would take the wrong object for the plugin, and stay a blank page.
 *
 * @param {Jupyter} jupyter
 */
export const extension = (jupyter) => ({
  __esModule: true,
  default: {
    id: "jupyter-flowbook:plugin",
    description: "Live and saved panels of flowbook's runs.",
    autoStart: true,
    requires: [jupyter.rendermime.IRenderMimeRegistry],
    optional: [jupyter.notebook.INotebookTracker],
    activate: (/** @type {any} */ _app, /** @type {any} */ registry, /** @type {any} */ notebooks) => addPanels(jupyter, registry, notebooks),
  },
});

/** @param {Jupyter} jupyter @param {any} registry @param {any} notebooks */
function addPanels({ widgets, services }, registry, notebooks) {
  addSheets();
  const links = new Links(services.KernelMessage);
  // A module is loaded once, however often it is imported.
  const view = async () => (await import("./panel.js")).default;
  const Renderer = rendererClass({ Widget: widgets.Widget, links, view, revive: makeLive });
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

function addSheets() {
  for (const name of SHEETS) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(name, import.meta.url).href;
    document.head.append(link);
  }
}
