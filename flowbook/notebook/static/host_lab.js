/** A panel in JupyterLab and Notebook 7: shows what the notebook keeps, and what the kernel says as soon as one answers. */

import { Events } from "./events.js";
import { answer, marked } from "./host_report.js";
import { unpack, WIRE } from "./kept.js";
import { follow, SAYS } from "./lab_connection.js";

/** The questions that are answered without a kernel. */
const ANSWERS = ["page"];

/** @typedef {import("./host.js").Model} Model */
/** @typedef {import("./host.js").Connection} Connection */
/** @typedef {import("./kept.js").Kept} Kept */
/** @typedef {{render: (given: {model: Model, root: HTMLElement, signal: AbortSignal}) => void}} View */
/**
 * What a renderer needs from the page.
 *
 * @typedef {object} Page
 * @property {any} Widget Lumino's
 * @property {import("./lab_connection.js").Links} links
 * @property {() => Promise<View>} view loads the code of the view
 * @property {(node: Element, source: string) => void} insertCell puts a cell below the one that an element is in
 * @property {(session: any, say: (text: string) => void) => Promise<void>} revive starts the kernel of a notebook, if there is none, and loads flowbook there
 */

export const MIME = "application/vnd.flowbook.run+json";
const OTHER_WIRE = "This panel was kept by another version of flowbook. Run its cell again, or update flowbook on this server.";

/** The model of one panel: what is kept, what the kernel told since, and how it is reached. @implements {Model} */
export class LabModel {
  /** @type {"lab"} */
  host = "lab";
  #events = new Events();
  /** @type {Record<string, any>} */
  #values = { connection: { ...SAYS.none, answers: ANSWERS } };
  /** @type {Kept} */
  #kept;
  /** @type {import("./lab_connection.js").Link | null} */
  #link = null;
  /** @type {AbortController | null} */
  #watching = null;
  #hadKernel = false;

  /** @param {{kept: Kept, onKept: (output: any) => void, revive: () => void, insertCell?: (source: string) => void}} given */
  constructor(given) {
    this.given = given;
    this.insertCell = given.insertCell;
    this.#kept = given.kept;
  }

  get panel() {
    return this.#kept.panel;
  }

  /** @param {string} name */
  get(name) {
    return this.#values[name];
  }

  /** @param {string} name @param {(message?: any) => void} handler @param {AbortSignal} signal */
  on(name, handler, signal) {
    this.#events.on(name, handler, signal);
  }

  /** @param {{type?: string}} message */
  send(message) {
    if (message.type === "make-live") return this.given.revive();
    if (!this.#link) return this.#answerKept(/** @type {any} */ (message));
    this.#link.send({ type: "say", panel: this.panel, message });
  }

  /** Answer with what the notebook keeps: pages of frames. @param {{id: string, type: string}} asked */
  #answerKept(asked) {
    const { saved } = this.#values;
    const found = saved && ANSWERS.includes(asked.type) ? answer(/** @type {any} */ ({ details: saved.details, answers: {} }), asked) : null;
    if (!found) throw new Error("There is no kernel.");
    queueMicrotask(() => {
      this.#events.tell("message", { ...found, type: asked.type, id: asked.id });
      this.#events.tell("message", { type: "ack", id: asked.id, ok: true, text: "" });
    });
  }

  /** Show what is kept, unless the kernel shows more. @param {Kept} kept @param {import("./kept.js").Unpacked} unpacked */
  take(kept, unpacked) {
    this.#kept = kept;
    const details = Object.fromEntries(Object.entries(unpacked.details).map(([key, each]) => [key, marked(each)]));
    this.#set("saved", { at: unpacked.snapshot.now, details, answers: unpacked.answers, note: unpacked.note });
    if (this.#values.connection.state === "open") return;
    this.#set("graph", unpacked.graph);
    this.#set("snapshot", unpacked.snapshot);
  }

  /** Be told by a kernel from now on; null is none. @param {import("./lab_connection.js").Link | null} link */
  follow(link) {
    if (link && link === this.#link) return;
    this.#watching?.abort();
    this.#watching = new AbortController();
    this.#link = link;
    if (link) link.watch(this, this.#watching.signal);
    else this.connect(/** @type {Connection} */ ({ ...(this.#hadKernel ? SAYS.dead : SAYS.none), answers: ANSWERS }));
    this.#hadKernel ||= link !== null;
  }

  leave() {
    this.#watching?.abort();
    this.#link = null;
  }

  // What the link asks and says.

  watched() {
    const { panel, run, stamp } = this.#kept;
    return { panel, run, stamp, graph: Boolean(this.#values.graph?.svg) };
  }

  /** @param {Connection} connection */
  connect(connection) {
    this.#set("connection", connection);
  }

  /** @param {any} message */
  hear(message) {
    if (message.type === "graph") this.#set("graph", message.graph);
    else if (message.type === "kept") this.given.onKept(message.output);
    else this.#events.tell("message", message);
  }

  /** @param {string} name @param {any} value */
  #set(name, value) {
    this.#values[name] = value;
    this.#events.tell(name);
  }
}

/** The class of the renderers of a page. @param {Page} page */
export function rendererClass({ Widget, links, view, revive, insertCell }) {
  return class PanelRenderer extends Widget {
    #end = new AbortController();
    /** @type {LabModel | null} */
    #model = null;
    /** @type {any} */
    #output = null;

    /** @param {any} session the notebook's SessionContext; null where there is no kernel to have */
    constructor(session) {
      super();
      this.session = session;
      this.addClass("jp-flowbook-panel");
      if (!session) return;
      follow(session.kernelChanged, () => this.#follow(), this.#end.signal);
      // While the notebook closes, its connection still carries a message; when this is disposed, no more.
      follow(session.disposed, () => this.#model?.leave(), this.#end.signal);
    }

    /** Also called when the output changes. @param {any} output */
    async renderModel(output) {
      this.#output = output;
      const kept = /** @type {Kept} */ (output.data[MIME]);
      if (kept?.wire !== WIRE) {
        this.node.textContent = OTHER_WIRE;
        return;
      }
      const [unpacked, { render }] = await Promise.all([unpack(kept), view()]);
      if (this.isDisposed) return;
      const isNew = this.#model === null;
      this.#model ??= new LabModel({
        kept,
        onKept: (found) => this.#keep(found),
        revive: () => this.#revive(),
        ...(this.session ? { insertCell: (source) => insertCell(this.node, source) } : {}),
      });
      this.#model.take(kept, unpacked);
      if (isNew) this.#begin(this.#model, render);
    }

    dispose() {
      this.#model?.leave();
      this.#end.abort();
      super.dispose();
    }

    /** @param {LabModel} model @param {View["render"]} render */
    #begin(model, render) {
      const root = document.createElement("div");
      root.className = "fb";
      // JupyterLab's single-key shortcuts (r, 0 0, Enter, arrows) must not act on the cell while somebody works in here.
      root.dataset.lmSuppressShortcuts = "true";
      this.node.replaceChildren(root);
      render({ model, root, signal: this.#end.signal });
      this.#follow();
    }

    #follow() {
      const kernel = this.session?.session?.kernel;
      this.#model?.follow(kernel ? links.to(kernel) : null);
    }

    /** The file keeps the last state, also of what happened while no page was open. @param {any} found */
    #keep(found) {
      if (found[MIME].stamp !== this.#output.data[MIME].stamp) this.#output.setData({ data: found });
    }

    async #revive() {
      const model = this.#model;
      const say = (/** @type {string} */ text) => model?.connect({ state: "opening", text });
      try {
        await revive(this.session, say);
        this.#follow();
        await links.to(this.session.session.kernel).open();
      } catch (error) {
        model?.connect({ state: "none", text: error instanceof Error ? error.message : String(error), remedy: "make-live" });
      }
    }
  };
}
