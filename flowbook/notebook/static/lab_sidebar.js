/** The side bar: runs that wait for somebody, that go on, that failed in the last 24 hours, that are to come. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { grouped, leftOf } from "./lab_overview.js";
import { keepPresses } from "./press.js";
import * as states from "./states.js";
import { middleCut } from "./text_fit.js";

/** @typedef {import("./lab_overview.js").Row} Row */
/** @typedef {"resume" | "skip" | "reject" | "retry" | "cancel" | "cancel-now" | "show"} Action */
/**
 * What the side bar can do; `pages` is the address of the server's pages, null where no server answers.
 *
 * @typedef {{act: (run: Row, action: Action, note: string) => Promise<{ok: boolean, text: string} | null>, refresh: () => void, newCell: () => void, load: (() => void) | null, pages: () => URL | null}} Acts
 */

const NAME_MOST = 24;
const TITLES = /** @type {const} */ ({ waiting: "Wait for you", going: "Go on", failed: "Failed in the last 24 hours", scheduled: "Scheduled" });
const FIRST = "%load_ext flowbook\n\n%%flow delays\nflights = load_flights()\nsummarise(flights)";

/** @type {Record<keyof typeof TITLES, [Action, string][]>} */
const BUTTONS = {
  waiting: [
    ["resume", "Resume"],
    ["skip", "Skip"],
    ["reject", "Reject"],
    ["show", "Show"],
  ],
  going: [
    ["show", "Show"],
    ["cancel", "Cancel"],
  ],
  failed: [
    ["retry", "Retry"],
    ["show", "Show"],
  ],
  scheduled: [["show", "Show"]],
};
/** Of one that goes on, although it was cancelled. @type {[Action, string][]} */
const CANCELLING = [
  ["show", "Show"],
  ["cancel-now", "Stop now"],
];

/** What can be done with a run of a group. @param {keyof typeof TITLES} name @param {Row} run @param {boolean} canAnswer each way */
export function buttonsOf(name, run, canAnswer) {
  const all = run.state === "Cancelling" ? CANCELLING : BUTTONS[name];
  return all.filter(([action]) => canAnswer || (action !== "skip" && action !== "reject"));
}

export class SideBar {
  #folded = new Set();
  /** What was answered to the last click, by run. @type {Map<string, {ok: boolean, text: string}>} */
  #said = new Map();
  /** Runs whose click waits for its answer. @type {Set<string>} */
  #waiting = new Set();
  /** The run that is being rejected, for which a note is written. */
  #rejecting = "";
  #note = dom.h("input", { placeholder: "Why? It becomes the message of the failure", "aria-label": "Why it is rejected", maxlength: 2000 });
  #links = dom.h("nav", { class: "foot row", "aria-label": "Pages" });
  #list = dom.h("div", { class: "groups" });
  /** @type {import("./lab_overview.js").Sent | null} */
  #sent = null;
  #isReached = false;

  /** @param {HTMLElement} node @param {Acts} acts */
  constructor(node, acts) {
    this.acts = acts;
    const refresh = dom.button("refresh", dom.icon(states.GLYPHS.Retrying ?? []), { class: "icon plain", title: "Look again", "aria-label": "Look again" });
    const root = dom.h("div", { class: "fb side-bar", "data-flowbook": "sidebar" });
    root.append(dom.h("div", { class: "head" }, dom.h("h3", {}, "flowbook"), dom.h("span", { class: "side" }, refresh)), this.#list, this.#links);
    keepPresses(root);
    root.addEventListener("click", (event) => this.#click(event));
    this.#note.addEventListener("keydown", (event) => this.#key(event));
    node.append(root);
  }

  /** @param {import("./lab_overview.js").Sent | null} sent @param {boolean} isReached whether a kernel answers */
  update(sent, isReached) {
    this.#sent = sent;
    this.#isReached = isReached;
    this.#draw();
  }

  /** The pages of the server, where it has any. */
  #showLinks() {
    const base = this.acts.pages();
    const links = /** @type {const} */ ([
      ["Runs", ""],
      ["Cache", "cache"],
      ["Deployments", "deployments"],
    ]);
    if (this.#links.dataset.base === String(base)) return;
    this.#links.dataset.base = String(base);
    this.#links.hidden = base === null;
    if (base)
      this.#links.replaceChildren(...links.map(([text, path]) => dom.h("a", { href: new URL(path, base).href, target: "_blank", rel: "noopener" }, text)));
  }

  #draw() {
    this.#showLinks();
    const sent = this.#sent;
    if (!sent) return this.#list.replaceChildren(...this.#unreached());
    const groups = grouped(sent.runs, sent.now);
    const names = /** @type {(keyof typeof TITLES)[]} */ (Object.keys(TITLES)).filter((name) => groups[name].length);
    // What is being written stays, with the cursor.
    const isWriting = document.activeElement === this.#note;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement?.getAttribute("data-slot") : null;
    const parts = names.map((name) => this.#group(name, groups[name], sent.now));
    const listed = names.reduce((sum, name) => sum + groups[name].length, 0);
    this.#list.replaceChildren(
      ...(sent.text ? [dom.h("p", { class: "pad" }, sent.text)] : []),
      ...(this.#isReached ? [] : [dom.h("p", { class: "pad dim" }, "No kernel answers now; this is what was known last.")]),
      ...(parts.length ? parts : this.#empty()),
      earlier(sent.runs, listed, sent.now),
    );
    if (isWriting) this.#note.focus();
    if (focused) /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-slot="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {keyof typeof TITLES} name @param {Row[]} runs @param {number} now */
  #group(name, runs, now) {
    const isOpen = !this.#folded.has(name);
    const head = dom.button(
      "fold",
      [dom.icon((isOpen ? states.SIGNS.down : states.SIGNS.next) ?? []), dom.h("b", {}, TITLES[name]), dom.h("span", {}, `${runs.length}`)],
      {
        class: "group-head",
        "data-group": name,
        "data-slot": name,
        "aria-expanded": isOpen ? "true" : "false",
      },
    );
    return dom.h("section", { "aria-label": TITLES[name] }, head, ...(isOpen ? runs.map((run, i) => this.#run(name, run, now, i === 0)) : []));
  }

  /** @param {keyof typeof TITLES} name @param {Row} run @param {number} now @param {boolean} isFirst */
  #run(name, run, now, isFirst) {
    const said = this.#said.get(run.id);
    const canAnswer = this.acts.pages() !== null;
    const buttons = buttonsOf(name, run, canAnswer).map(([action, label]) => {
      const why = this.#isReached ? (this.#waiting.has(run.id) ? "Waiting for an answer" : null) : "No kernel answers now";
      return dom.button(action, label, {
        class: action === "resume" && isFirst && !Object.keys(run.counts).some(states.isFailed) ? "primary" : null,
        "data-run": run.id,
        "data-slot": `${action}:${run.id}`,
        "aria-disabled": why && action !== "show" ? "true" : null,
        title: why,
      });
    });
    const title = `${run.flow}, run ${run.number}`;
    return dom.h(
      "div",
      { class: "run", "data-run": run.id, "data-state": run.state },
      dom.h("span", { class: "tile", "data-state": run.state }, dom.icon(states.glyphOf(run.state))),
      dom.h(
        "div",
        { class: "about-run" },
        dom.h(
          "div",
          { class: "row" },
          dom.h("b", { class: "grow", title }, middleCut(run.flow, NAME_MOST)),
          dom.h("span", { class: "dim" }, whenOf(name, run, now)),
        ),
        dom.h("div", { class: "saying" }, [`run ${run.number}`, run.message].filter(Boolean).join(": ")),
        name === "going" ? barOf(run) : null,
        dom.h("div", { class: "row tight" }, ...buttons),
        this.#rejecting === run.id
          ? dom.h("div", { class: "row tight" }, this.#note, dom.button("reject-now", "Reject", { "data-run": run.id, "data-slot": `reject-now:${run.id}` }))
          : null,
        said ? dom.h("span", { class: "said", "data-ok": said.ok ? "true" : "false" }, said.text) : null,
      ),
    );
  }

  #empty() {
    return [
      dom.h(
        "div",
        { class: "pad stack" },
        dom.h("b", {}, "Nothing waits or runs, and nothing failed in the last 24 hours."),
        dom.h("p", { class: "dim" }, "Runs of every notebook and process of this store are listed here."),
        dom.h("p", {}, "A first flow:"),
        dom.h("pre", { class: "code pad" }, FIRST),
        dom.button("new-cell", "Put it into a new cell", { class: "primary" }),
      ),
    ];
  }

  #unreached() {
    const text = "Runs are listed here once a kernel of this page knows flowbook: run %load_ext flowbook in a notebook.";
    return [
      dom.h("div", { class: "pad stack" }, dom.h("p", {}, text), this.acts.load ? dom.button("load", "Load it into this notebook", { class: "primary" }) : ""),
    ];
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "Enter") this.#reject(this.#rejecting);
    else if (event.key === "Escape") this.#askForNote("");
    else return;
    event.preventDefault();
  }

  /** @param {string} id of the run that is to be rejected; "" for none */
  #askForNote(id) {
    this.#rejecting = id;
    this.#note.value = "";
    this.#draw();
    if (id) this.#note.focus();
  }

  /** @param {string} id */
  #reject(id) {
    const note = this.#note.value.trim();
    if (!id || !note) return this.#note.focus();
    this.#askForNote("");
    this.#act("reject", id, note);
  }

  /** @param {Event} event */
  #click(event) {
    const control = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const action = control?.getAttribute("data-action");
    if (!control || !action || control.getAttribute("aria-disabled") === "true") return;
    if (action === "fold") this.#fold(control.getAttribute("data-group") ?? "");
    else if (action === "refresh") this.acts.refresh();
    else if (action === "new-cell") this.acts.newCell();
    else if (action === "load") this.acts.load?.();
    else if (action === "reject") this.#askForNote(control.getAttribute("data-run") ?? "");
    else if (action === "reject-now") this.#reject(control.getAttribute("data-run") ?? "");
    else this.#act(/** @type {Action} */ (action), control.getAttribute("data-run") ?? "");
  }

  /** @param {string} name */
  #fold(name) {
    if (!this.#folded.delete(name)) this.#folded.add(name);
    this.#draw();
  }

  /** @param {Action} action @param {string} id @param {string} [note] */
  async #act(action, id, note = "") {
    const run = this.#sent?.runs.find((each) => each.id === id);
    if (!run) return;
    if (action !== "show") this.#waiting.add(id);
    this.#said.delete(id);
    this.#draw();
    const said = await this.acts.act(run, action, note);
    this.#waiting.delete(id);
    if (said) this.#said.set(id, said);
    this.#draw();
  }
}

/** @param {keyof typeof TITLES} name @param {Row} run @param {number} now */
function whenOf(name, run, now) {
  if (name === "scheduled") return run.due === null ? "" : format.moment(run.due, now);
  const ended = run.ended ?? run.since;
  if (name === "failed") return ended === null ? "" : format.moment(ended, now);
  const since = name === "waiting" ? run.since : run.started;
  const left = name === "going" ? leftOf(run, now) : "";
  return since === null ? "" : `${format.span(Math.max(0, now - since))}${left ? `, ${left} left` : ""}`;
}

/** @param {Row} run */
function barOf({ counts }) {
  const shown = states.inOrder(counts);
  const words = shown.map(([state, n]) => `${n} ${state}`).join(", ");
  const bar = dom.h("div", { class: "bar", role: "img", "aria-label": words, title: words });
  for (const [state, n] of shown) {
    const part = dom.h("i", { "data-state": state });
    part.style.flex = String(n);
    bar.append(part);
  }
  return bar;
}

/** @param {Row[]} runs @param {number} listed @param {number} now */
function earlier(runs, listed, now) {
  const others = runs.length - listed;
  const last = runs.find(({ ended }) => ended !== null)?.ended;
  const text = others > 0 ? `${format.plural(others, "other run")}${last ? `, the last ended ${format.moment(last, now)}` : ""}; %flow lists them.` : "";
  return dom.h("p", { class: "foot dim" }, text);
}
