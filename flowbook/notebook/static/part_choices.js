/** Runs of a part of the flow: the menus that offer them, the plan that is shown before, and Run or Not now. */

import { Menu } from "./menu.js";

/**
 * @typedef {object} Given
 * @property {HTMLElement} root
 * @property {AbortSignal} signal
 * @property {import("./panel_state.js").PanelState} state
 * @property {() => import("./panel_views.js").PanelViews} views
 * @property {() => boolean} isLive
 * @property {() => Record<string, string> | null} parameters null where the form has a mistake
 * @property {(fields: Record<string, unknown>) => boolean} run starts a run; false where that can't be
 * @property {(tab: "graph" | "plan") => void} choose draws the chosen tab
 * @property {(node: string) => void} focus
 */

export class PartChoices {
  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    this.menu = new Menu({ root: given.root, signal: given.signal, ask: (key) => given.views().askForMenu(key) });
  }

  /** Carry an action out; return whether it is one of these. @param {string} action @param {string} key @param {Element | null} control */
  act(action, key, control) {
    const choice = control?.getAttribute("data-choice");
    if (choice) this.propose(choice, key, control?.getAttribute("data-version") ?? "");
    else if (action === "node-menu") this.open(key, control);
    else if (action === "run-menu") this.open("", control);
    else if (action === "run-plan") this.#run();
    else if (action === "not-now") this.#leave();
    else return false;
    return true;
  }

  /** Open the menu of a task, or of the flow (""). @param {string} key @param {Element | null} opener */
  open(key, opener) {
    if (opener && this.given.isLive()) this.menu.open(key, opener);
  }

  /** Show what a choice would do. @param {string} what @param {string} key @param {string} [version] the run whose output is taken */
  propose(what, key, version = "") {
    this.menu.close(false);
    this.given.views().propose({ what, key, ...(version ? { version } : {}) });
    this.given.choose("plan");
    this.given.views().plan.focus();
  }

  #run() {
    const parameters = this.given.parameters();
    if (parameters && this.given.run({ parameters, ...this.given.views().asked })) this.#leave();
  }

  /** Back to the graph, and to the task that the plan was about. */
  #leave() {
    const node = this.given.state.nodeOf(this.given.views().asked.key);
    this.given.choose("graph");
    if (node) this.given.focus(node);
  }
}
