/**
 * The way from a page of JupyterLab to a kernel: one comm for all its panels, over a subshell that answers while a cell runs.
 *
 * JupyterLab's own support for subshells isn't used: a message that it sends before the subshell exists is answered after the
 * running cell, and makes ipykernel 7.4 deliver the next one there too. So the subshell is asked for by hand, on the control
 * channel, and its id is in the header of all that is sent.
 */

import { Events } from "./events.js";

/** @typedef {import("./host.js").Connection} Connection */
/** @typedef {{panel: string, watched: () => {panel: string, run: string, stamp: string, graph: boolean}, hear: (message: any) => void, connect: (connection: Connection) => void}} Watcher */
/** @typedef {any} Kernel JupyterLab's Kernel.IKernelConnection */

const TARGET = "jupyter-flowbook";
const WIRE = 1;
const ALIVE_MS = 20_000;
/** How long the kernel's info is waited for before the control channel is asked: a busy kernel gives none. */
const INFO_MS = 100;
const LOADS = /load_ext\s+flowbook/;
const MENTIONS = /flowbook/;

/** What is said in each state; `remedy` is what a click can do about it. @type {Record<string, Connection>} */
export const SAYS = {
  none: { state: "none", text: "", remedy: "make-live" },
  opening: { state: "opening", text: "" },
  open: { state: "open", text: "" },
  // Said while a click waits.
  between: { state: "open", text: "This kernel answers when the running cell has ended; with ipykernel 7, it would answer at once." },
  broken: { state: "opening", text: "The connection to the server is lost. Trying again." },
  restarted: { state: "none", text: "The kernel was restarted. %load_ext flowbook makes this panel live again.", remedy: "make-live", ended: true },
  dead: { state: "none", text: "The kernel is gone.", remedy: "make-live", ended: true },
  unknown: { state: "none", text: "This kernel doesn't know flowbook yet: run %load_ext flowbook.", remedy: "make-live" },
  version: { state: "none", text: "Page and kernel have different versions of flowbook. Restart the kernel, and reload the page.", remedy: null },
};

/** All links of a page, by their kernel's connection; tells "link" when one opened or ended, and "page" with what isn't for a panel. */
export class Links extends Events {
  /** @type {Map<Kernel, Link>} */
  #links = new Map();

  /** @param {{createMessage: (options: any) => any}} messages JupyterLab's KernelMessage */
  constructor(messages) {
    super();
    this.messages = messages;
  }

  /** @param {Kernel} kernel */
  to(kernel) {
    const found = this.#links.get(kernel) ?? new Link(kernel, this.messages, this);
    this.#links.set(kernel, found);
    return found;
  }

  /** The link through which runs are asked for: an open one, of `kernel` if it has one. @param {Kernel | null} [kernel] @returns {Link | null} */
  open(kernel = null) {
    const open = [...this.#links.values()].filter(({ state }) => state === "open");
    return open.find((link) => link.kernel === kernel) ?? open[0] ?? null;
  }

  /** The open link whose kernel shows a run in one of the page's panels. @param {string} run its id @returns {Link | null} */
  showing(run) {
    return [...this.#links.values()].find((link) => link.state === "open" && link.shows(run)) ?? null;
  }

  /** @param {Kernel} kernel */
  forget(kernel) {
    this.#links.delete(kernel);
    this.tell("link");
  }
}

/** The link to one kernel; it is there as long as the connection to the kernel. */
export class Link {
  /** @type {keyof typeof SAYS} */
  state = "none";
  /** @type {Set<Watcher>} */
  #watchers = new Set();
  /** @type {any} */
  #comm = null;
  /** The kernel connection that carries the comm. @type {Kernel} */
  #wire = null;
  /** @type {string | null} */
  #subshell = null;
  /** A subshell that was asked for while flowbook was loaded. @type {Promise<string | null> | null} */
  #early = null;
  /** Void once another attempt to open began. @type {object | null} */
  #turn = null;
  /** The panels that were asked for with the opening. @type {Set<string>} */
  #asked = new Set();
  /** Cells that run and might load flowbook, by the id of their request. @type {Set<string>} */
  #loading = new Set();
  #end = new AbortController();

  /** @param {Kernel} kernel @param {{createMessage: (options: any) => any}} messages @param {Links} all */
  constructor(kernel, messages, all) {
    this.kernel = kernel;
    this.messages = messages;
    this.all = all;
    const { signal } = this.#end;
    signal.addEventListener("abort", () => all.forget(kernel), { once: true });
    follow(kernel.statusChanged, (/** @type {string} */ status) => this.#onStatus(status), signal);
    follow(kernel.connectionStatusChanged, (/** @type {string} */ status) => this.#onConnection(status), signal);
    follow(kernel.iopubMessage, (/** @type {any} */ message) => this.#onOutput(message), signal);
    follow(kernel.disposed, () => this.end(), signal);
    window.addEventListener("pagehide", () => this.#close(), { signal });
    const alive = setInterval(() => this.#post("comm_msg", { data: { type: "alive" } }), ALIVE_MS);
    signal.addEventListener("abort", () => clearInterval(alive), { once: true });
  }

  /** Tell `watcher` of its panel until the signal ends. @param {Watcher} watcher @param {AbortSignal} signal */
  watch(watcher, signal) {
    if (signal.aborted) return;
    this.#watchers.add(watcher);
    signal.addEventListener("abort", () => this.#unwatch(watcher), { once: true });
    if (this.state === "open") this.send({ type: "watch", panels: [watcher.watched()] });
    else if (this.state === "none") this.open();
    watcher.connect(says(this.state === "open" ? "opening" : this.state));
  }

  /** Whether a panel is told of that run. @param {string} run its id */
  shows(run) {
    return [...this.#watchers].some((watcher) => watcher.watched().run === run);
  }

  /** @param {{type: string, [name: string]: any}} data */
  send(data) {
    if (!this.#post("comm_msg", { data })) throw new Error("The kernel can't be reached.");
  }

  /** Open the comm, unless it is open. */
  async open() {
    if (this.#comm || this.state === "opening") return;
    const turn = {};
    this.#turn = turn;
    this.#tell("opening");
    // Where two documents share a kernel, only the first one's connection handles comms; a clone of the other can.
    this.#wire = this.kernel.handleComms ? this.kernel : this.kernel.clone({ handleComms: true });
    await connected(this.#wire);
    const subshell = await (this.#early ?? this.#findSubshell());
    this.#early = null;
    if (turn !== this.#turn || this.#end.signal.aborted) return;
    this.#subshell = subshell;
    this.#comm = this.#wire.createComm(TARGET);
    // Otherwise JupyterLab makes a second subshell.
    this.#comm.commsOverSubshells = "disabled";
    this.#comm.onMsg = (/** @type {any} */ message) => this.#hear(message.content.data.told ?? []);
    this.#comm.onClose = () => this.#onClose();
    const panels = this.#panels();
    this.#asked = new Set(panels.map(({ panel }) => panel));
    this.#post("comm_open", { target_name: TARGET, data: { wire: WIRE, type: "watch", panels } });
  }

  /** Say goodbye; the link is of no more use. */
  end() {
    if (this.#end.signal.aborted) return;
    this.#turn = null;
    this.#close();
    this.#end.abort();
    if (this.#wire && this.#wire !== this.kernel) this.#wire.dispose();
    this.#tell("dead");
  }

  // What happens.

  /** @param {[string, any][]} told */
  #hear(told) {
    for (const [panel, message] of told) {
      if (message.type === "version") this.#tell("version");
      else if (message.type === "open") this.#onOpen();
      else if (panel === "") this.all.tell("page", message);
      else if (message.type === "kept") this.all.tell("rest");
      for (const watcher of [...this.#watchers]) if (watcher.panel === panel) this.#give(watcher, message);
    }
  }

  /** Ask for the panels that came while the comm was opened. */
  #onOpen() {
    this.state = "open";
    const panels = this.#panels().filter(({ panel }) => !this.#asked.has(panel));
    if (panels.length) this.send({ type: "watch", panels });
    this.all.tell("link");
  }

  /** @param {Watcher} watcher @param {any} message */
  #give(watcher, message) {
    if (message.type === "watched") watcher.connect(says(this.#subshell ? "open" : "between"));
    else if (message.type === "forgotten" || message.type === "gone") watcher.connect({ state: "none", text: message.text, remedy: null });
    else watcher.hear(message);
  }

  /** The kernel closed the comm: it doesn't know the target, or it has taken this page for gone. */
  #onClose() {
    const wasOpen = this.state === "open" || this.state === "broken";
    this.#comm = null;
    if (this.state === "version") return;
    this.#tell("unknown");
    if (wasOpen) this.open();
  }

  /** @param {string} status */
  #onStatus(status) {
    if (!/restarting|dead|terminating/.test(status)) return;
    this.#turn = null;
    this.#comm = null;
    this.#early = null;
    this.#loading.clear();
    this.#tell(status === "dead" || status === "terminating" ? "dead" : "restarted");
  }

  /** @param {string} status */
  #onConnection(status) {
    if (!this.#comm) return;
    if (status !== "connected") return this.#tell("broken");
    this.state = "open";
    this.send({ type: "watch", panels: this.#panels() });
  }

  /** Try again after a cell that may have loaded flowbook: not at each "idle", as our own messages end in one. @param {any} message */
  #onOutput({ header, content, parent_header: parent }) {
    if (header.msg_type === "execute_input" && this.#mayLoad(content.code)) {
      this.#loading.add(parent.msg_id);
      // The subshell is there by the time that flowbook is, so that the page is heard before the next cell shows a panel.
      if (!this.#comm && this.state !== "opening") this.#early ??= this.#findSubshell();
    }
    if (header.msg_type !== "status" || content.execution_state !== "idle" || !this.#loading.delete(parent.msg_id)) return;
    if (this.state !== "version") this.open();
  }

  // How it is done.

  /** @param {string} code */
  #mayLoad(code) {
    const isFirst = this.state === "none" || this.state === "restarted";
    return LOADS.test(code) || (!isFirst && MENTIONS.test(code));
  }

  /** @param {Watcher} watcher */
  #unwatch(watcher) {
    this.#watchers.delete(watcher);
    const isWatched = [...this.#watchers].some(({ panel }) => panel === watcher.panel);
    if (!isWatched) this.#post("comm_msg", { data: { type: "unwatch", panels: [watcher.panel] } });
  }

  #panels() {
    const found = new Map([...this.#watchers].map((watcher) => [watcher.panel, watcher.watched()]));
    return [...found.values()];
  }

  /** @param {keyof typeof SAYS} state */
  #tell(state) {
    this.state = state;
    for (const watcher of [...this.#watchers]) watcher.connect(says(state));
    this.all.tell("link");
  }

  #close() {
    this.#post("comm_close", { data: {} });
    this.#comm?.dispose();
    this.#comm = null;
    this.state = "none";
  }

  /** @param {string} msgType @param {object} content @returns {boolean} whether it was sent */
  #post(msgType, content) {
    if (!this.#comm || this.#wire.isDisposed) return false;
    const message = this.#message(this.#wire, msgType, "shell", { comm_id: this.#comm.commId, ...content });
    if (this.#subshell) message.header.subshell_id = this.#subshell;
    this.#wire.sendShellMessage(message, false, true);
    return true;
  }

  /** @param {Kernel} wire @param {string} msgType @param {"shell" | "control"} channel @param {object} content */
  #message({ clientId: session, username }, msgType, channel, content) {
    return this.messages.createMessage({ msgType, channel, session, username, content });
  }

  /** The id of a subshell; null if the kernel has none, and then clicks wait for the running cell. @returns {Promise<string | null>} */
  async #findSubshell() {
    const { info } = this.kernel;
    const isWithout = info.then((/** @type {any} */ found) => (hasSubshells(found) ? new Promise(() => {}) : null));
    const early = await Promise.race([info, new Promise((resolve) => setTimeout(resolve, INFO_MS))]);
    if (early && !hasSubshells(early)) return null;
    return Promise.race([this.#askForSubshell(), isWithout]);
  }

  /** The control channel answers while a cell runs. @returns {Promise<string>} */
  async #askForSubshell() {
    // As old as the kernel: a page that is loaded again, and another tab, make no second one.
    const name = `${TARGET}:subshell:${this.kernel.id}`;
    const known = localStorage.getItem(name);
    const { subshell_id: all } = await this.#control("list_subshell_request");
    if (known && all?.includes(known)) return known;
    const { subshell_id: made } = await this.#control("create_subshell_request");
    localStorage.setItem(name, made);
    return made;
  }

  /** @param {string} type @returns {Promise<any>} */
  #control(type) {
    return new Promise((resolve) => {
      const future = this.kernel.sendControlMessage(this.#message(this.kernel, type, "control", {}), true);
      future.onReply = (/** @type {any} */ reply) => resolve(reply.content);
    });
  }
}

/** @param {string} state @returns {Connection} */
const says = (state) => /** @type {Connection} */ (SAYS[state]);

/** @param {any} info */
const hasSubshells = (info) => info.supported_features?.includes("kernel subshells") === true;

/** Call `call` with what a Lumino signal says, until the signal ends. @param {any} source @param {(message: any) => void} call @param {AbortSignal} signal */
export function follow(source, call, signal) {
  const slot = (/** @type {any} */ _sender, /** @type {any} */ message) => call(message);
  source.connect(slot);
  signal.addEventListener("abort", () => source.disconnect(slot), { once: true });
}

/** @param {Kernel} kernel @returns {Promise<void>} */
function connected(kernel) {
  if (kernel.connectionStatus === "connected") return Promise.resolve();
  return new Promise((resolve) => {
    const slot = (/** @type {any} */ _kernel, /** @type {string} */ status) => {
      if (status !== "connected") return;
      kernel.connectionStatusChanged.disconnect(slot);
      resolve();
    };
    kernel.connectionStatusChanged.connect(slot);
  });
}
