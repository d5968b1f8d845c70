/** Commands of JupyterLab's palette and menu. */

/**
 * @typedef {object} Page
 * @property {any} app
 * @property {any} apputils
 * @property {any} notebooks
 * @property {any} palette
 * @property {import("./lab_overview.js").Overview} overview
 * @property {(run: {id: string, flow: string}) => Promise<void>} show
 * @property {string} bar id of the side bar
 */

const CATEGORY = "flowbook";

/** @param {Page} page */
export function addCommands(page) {
  const { app, palette } = page;
  const isFlow = () => (activeCell(page)?.model.sharedModel.getSource() ?? "").trimStart().startsWith("%%flow");
  const commands = {
    "run-cell": { label: "Run the Flow of This Cell", isEnabled: isFlow, execute: () => app.commands.execute("notebook:run-cell") },
    resume: { label: "Resume What Waits", execute: () => resume(page) },
    cancel: {
      label: () => (isCancelling(page) ? "Stop the Run of This Cell Now" : "Cancel the Run of This Cell"),
      isEnabled: () => runOfCell(page) !== null,
      execute: () => cancel(page),
    },
    "show-runs": { label: "Show Runs", execute: () => app.shell.activateById(page.bar) },
    "open-cache": { label: "Open the Cache", isEnabled: () => Boolean(page.notebooks?.currentWidget), execute: () => openCache(page) },
    attach: { label: "Attach to a Run…", execute: () => attach(page) },
  };
  for (const [name, options] of Object.entries(commands)) {
    app.commands.addCommand(`flowbook:${name}`, { caption: `flowbook: ${options.label}`, ...options });
    palette?.addItem({ command: `flowbook:${name}`, category: CATEGORY });
  }
}

/** Put a first flow into a new cell below the active one. @param {{app: any, notebooks: any}} page @param {string[]} sources */
export async function addCells({ app, notebooks }, sources) {
  for (const source of sources) {
    await app.commands.execute("notebook:insert-cell-below");
    notebooks.currentWidget.content.activeCell.model.sharedModel.setSource(source);
  }
}

/**
 * Put a cell below the one that an element is in, unless it is there already, and let the person go on in it.
 *
 * @param {any} notebooks
 * @param {Element} node
 * @param {string} source
 */
export async function addCellBelow(notebooks, node, source) {
  const content = notebooks?.find((/** @type {any} */ each) => each.node.contains(node))?.content;
  const above = content?.widgets.findIndex((/** @type {any} */ cell) => cell.node.contains(node)) ?? -1;
  if (above < 0) return;
  const next = content.widgets[above + 1];
  if (next?.model.sharedModel.getSource() !== source)
    content.model.sharedModel.insertCell(above + 1, { cell_type: "code", source, metadata: { trusted: true } });
  content.deselectAll();
  content.activeCellIndex = above + 1;
  content.mode = "edit";
  await content.scrollToItem(above + 1);
}

/** @param {Page} page */
const activeCell = ({ notebooks }) => notebooks?.currentWidget?.content?.activeCell ?? null;

/** The run whose panel is below the active cell. @param {Page} page */
function runOfCell(page) {
  const panel = activeCell(page)?.node.querySelector('[data-flowbook="panel"]');
  return panel?.getAttribute("data-run-id") || null;
}

/** One run that waits goes on; of several a person picks. @param {Page} page */
async function resume(page) {
  const { overview, app, bar } = page;
  const waiting = (overview.sent?.runs ?? []).filter(({ state }) => state === "Paused");
  if (waiting.length !== 1 || !waiting[0]) {
    app.shell.activateById(bar);
    if (!waiting.length) say(page, "Nothing waits for you.", "info");
    return;
  }
  answer(page, await overview.act(waiting[0].id, "resume"));
}

/** Whether that run was cancelled, and goes on until what runs has ended. @param {Page} page */
function isCancelling(page) {
  const id = runOfCell(page);
  return (page.overview.sent?.runs ?? []).some((run) => run.id === id && run.state === "Cancelling");
}

/** @param {Page} page */
async function cancel(page) {
  const run = runOfCell(page);
  if (run) answer(page, await page.overview.act(run, isCancelling(page) ? "cancel-now" : "cancel"));
}

/** @param {Page} page */
async function openCache(page) {
  await addCells(page, ["%cache"]);
  await page.app.commands.execute("notebook:run-cell");
}

/** @param {Page} page */
async function attach(page) {
  const asked = await page.apputils.InputDialog.getText({ title: "Attach to a run", label: "Its id, or as in %flow show: a flow's name, “FLOW 4”, “last”" });
  const text = asked.value?.trim();
  if (!asked.button.accept || !text) return;
  try {
    await page.show({ id: text, flow: text });
  } catch (error) {
    say(page, error instanceof Error ? error.message : String(error), "error");
  }
}

/** @param {Page} page @param {{ok: boolean, text: string}} said */
const answer = (page, { ok, text }) => say(page, text, ok ? "success" : "error");

/** @param {Page} page @param {string} text @param {string} kind */
const say = ({ apputils }, text, kind) => apputils.Notification.emit(text, kind, { autoClose: 5000 });
