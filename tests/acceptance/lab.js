// Runs in the page before JupyterLab does: what the page object in lab.py asks of it.
// `seen` holds every state that each task's node went through, also those between two looks.
(() => {
  // The inspector and the rows of the table name a task's state as well, each in its own time.
  const NODE = '[data-flowbook="panel"] [data-task][data-state]:not([data-flowbook], tr)';
  const [STILL, STILL_AT_LAST] = [6, 600];
  const current = () => window.jupyterapp?.shell?.currentWidget;
  const kernel = () => current()?.sessionContext?.session?.kernel;
  const running = new Set();

  const lab = {
    seen: {},
    current,
    execute: (command, args) => window.jupyterapp.commands.execute(command, args).then(() => undefined),
    isReady: () => kernel()?.connectionStatus === "connected" && kernel().status === "idle",
    isIdle: () => running.size === 0 && lab.isReady(),

    index(cell) {
      const cells = current().content.widgets;
      const index = typeof cell === "number" ? cell : cells.findIndex((widget) => widget.model.id === cell);
      if (!cells[index]) throw new Error(`The notebook has no cell ${cell}.`);
      return index;
    },

    mark(cell) {
      const widget = current().content.widgets[lab.index(cell)];
      widget.node.dataset.labCell = widget.model.id;
      return widget.model.id;
    },

    runCell(cell) {
      const notebook = current().content;
      notebook.deselectAll();
      notebook.activeCellIndex = lab.index(cell);
      track("notebook:run-cell");
    },

    rewrite(cell, source) {
      current().content.widgets[lab.index(cell)].model.sharedModel.setSource(source);
    },

    runAll: () => track("notebook:run-all-cells"),

    async restart() {
      await current().sessionContext.session.kernel.restart();
    },

    // As the person's setting "Comms over subshells" does; JupyterLab 4.3 has none, and no subshells of its own.
    setSubshells(how) {
      if (kernel().commsOverSubshells !== undefined) kernel().commsOverSubshells = how;
    },

    // What was changed before is drawn.
    async drawn() {
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    },

    // The element has stood in one place for some frames, or never stands still.
    async isStill(element) {
      let [before, same] = ["", 0];
      for (let frame = 0; frame < STILL_AT_LAST && same < STILL; frame++) {
        const { x, y, width, height } = element.getBoundingClientRect();
        const now = `${x} ${y} ${width} ${height}`;
        same = now === before ? same + 1 : 0;
        before = now;
        await new Promise(requestAnimationFrame);
      }
    },

    async shutdown() {
      const context = current()?.sessionContext;
      if (context?.session) await context.shutdown();
    },

    async save() {
      const context = current().context;
      await context.save();
      return context.path;
    },

    forget() {
      lab.seen = {};
      for (const node of document.querySelectorAll(NODE)) note(node, node.dataset.state);
    },
  };
  window.lab = lab;

  function track(command) {
    const run = lab.execute(command);
    running.add(run);
    run.finally(() => running.delete(run));
  }

  function note(node, state) {
    if (!state) return;
    const states = (lab.seen[node.dataset.task] ??= []);
    if (states.at(-1) !== state) states.push(state);
  }

  function noteAll(root) {
    if (!(root instanceof Element)) return;
    if (root.matches(NODE)) note(root, root.dataset.state);
    for (const node of root.querySelectorAll(NODE)) note(node, node.dataset.state);
  }

  // A batch of changes is told at once: each record holds the value before it, and the last value is read.
  new MutationObserver((records) => {
    const changed = new Set();
    for (const { type, target, oldValue, addedNodes } of records) {
      if (type === "childList") addedNodes.forEach(noteAll);
      else if (target.matches(NODE)) {
        note(target, oldValue);
        changed.add(target);
      }
    }
    for (const node of changed) note(node, node.dataset.state);
  }).observe(document, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["data-state"],
    attributeOldValue: true,
  });
})();
