/** The page of the deployments: when each runs, when next, where; pause, go on, run now. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { base, shell, tell } from "./page_shell.js";
import { postHeaders, problemOf } from "./page_stream.js";
import { keepPresses } from "./press.js";

/** @typedef {{id: string, flow: string, name: string, when: string, paused: boolean, scheduled: boolean, next: number[], where: string, tags: string[], parameters: Record<string, string>, last: {id: string, number: number, state: string} | null}} Deployment */
/** @typedef {{now: number, deployments: Deployment[]}} Sent */

const LOOK_MS = 5000;
const SHOWN_TIMES = 3;

class DeploymentsPage {
  #body = dom.h("div", { class: "scroll part", tabindex: 0, role: "region", "aria-label": "Deployments" });
  #count = dom.h("span", { class: "grow" });
  #link = dom.h("span", { class: "link", role: "status" });
  /** What was answered to the last click, by deployment. @type {Map<string, {ok: boolean, text: string, run: string | null}>} */
  #said = new Map();
  /** @type {Set<string>} */
  #waiting = new Set();
  /** @type {Sent | null} */
  #sent = null;
  #json = "";

  /** @param {HTMLElement} root */
  constructor(root) {
    root.dataset.flowbook = "page";
    root.dataset.host = "page";
    this.root = root;
    root.append(dom.h("div", { class: "head" }, dom.h("h3", {}, "Deployments")), this.#body, dom.h("div", { class: "foot" }, this.#count, this.#link));
    keepPresses(root);
    root.addEventListener("click", (event) => this.#click(event));
  }

  begin() {
    tell("Deployments", null);
    setInterval(() => document.hidden || this.#look(), LOOK_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.#look());
    this.#look();
  }

  async #look() {
    try {
      const answer = await fetch(new URL("live/deployments", base), { credentials: "same-origin", cache: "no-store" });
      if (!answer.ok) return this.#connect(await problemOf(answer));
      this.#sent = await answer.json();
      this.#connect("");
      this.#draw();
    } catch {
      this.#connect("The server doesn't answer; this is what it sent last.");
    }
  }

  /** @param {string} why */
  #connect(why) {
    dom.set(this.root, { "data-live": why ? "waiting" : "live" });
    dom.say(this.#link, why ? "Waiting for the server" : "Looked at every 5 s");
    dom.set(this.#link, { title: why || null, "data-state": why ? "Paused" : null });
    if (why && !this.#sent) this.#body.replaceChildren(dom.h("p", { class: "pad", role: "alert" }, why));
  }

  #draw() {
    const sent = this.#sent;
    if (!sent) return;
    const json = JSON.stringify([sent.deployments, [...this.#said], [...this.#waiting], Math.floor(sent.now / 60)]);
    if (json === this.#json) return;
    this.#json = json;
    const focused = this.#body.contains(document.activeElement) ? document.activeElement?.getAttribute("data-slot") : null;
    dom.say(this.#count, format.plural(sent.deployments.length, "deployment"));
    const rows = sent.deployments.map((each) => this.#row(each, sent.now));
    this.#body.replaceChildren(rows.length ? dom.h("table", { class: "roomy deployments" }, headOf(), dom.h("tbody", {}, ...rows)) : nothingYet());
    if (focused) /** @type {HTMLElement | null} */ (this.#body.querySelector(`[data-slot="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {Deployment} each @param {number} now */
  #row(each, now) {
    const { id, flow, name, when, paused, scheduled, next, where, last } = each;
    const said = this.#said.get(id);
    const why = this.#waiting.has(id) ? "Waiting for an answer" : null;
    const button = (/** @type {string} */ action, /** @type {string} */ label) =>
      dom.button(action, label, {
        "data-deployment": id,
        "data-slot": `${action}:${id}`,
        "aria-disabled": why ? "true" : null,
        title: why,
        "aria-label": `${label}: ${flow}/${name}`,
      });
    const times = next.slice(0, SHOWN_TIMES).map((at) => format.moment(at, now));
    return dom.h(
      "tr",
      { "data-deployment": id, "data-paused": paused ? "true" : "false" },
      dom.h(
        "th",
        { scope: "row" },
        dom.h(
          "span",
          { class: "row tight" },
          dom.h("b", {}, `${flow}/${name}`),
          paused ? dom.h("span", { class: "word", "data-state": "Paused" }, "paused") : null,
        ),
      ),
      dom.h("td", {}, when),
      dom.h(
        "td",
        { title: next.map((at) => format.date(at)).join("; ") },
        times.length ? times.join(", ") : scheduled && paused ? "none while it is paused" : "–",
      ),
      dom.h("td", { class: "dim wide" }, where),
      dom.h("td", {}, last ? linkTo(last) : dom.h("span", { class: "dim" }, "never ran")),
      dom.h(
        "td",
        { class: "num" },
        dom.h(
          "span",
          { class: "row tight end" },
          said ? saidOf(said) : null,
          scheduled ? (paused ? button("go-on", "Go on") : button("pause", "Pause")) : null,
          button("run", "Run now"),
        ),
      ),
    );
  }

  /** @param {Event} event */
  #click(event) {
    const control = event.target instanceof Element ? event.target.closest("button[data-deployment]") : null;
    if (!control || control.getAttribute("aria-disabled") === "true") return;
    this.#act(control.getAttribute("data-deployment") ?? "", control.getAttribute("data-action") ?? "");
  }

  /** @param {string} id @param {string} action */
  async #act(id, action) {
    this.#waiting.add(id);
    this.#said.delete(id);
    this.#draw();
    try {
      const answer = await fetch(new URL(`live/deployments/${encodeURIComponent(id)}`, base), {
        method: "POST",
        headers: postHeaders(),
        credentials: "same-origin",
        body: JSON.stringify({ action }),
      });
      this.#said.set(id, answer.ok ? await answer.json() : { ok: false, text: await problemOf(answer), run: null });
    } catch {
      this.#said.set(id, { ok: false, text: "The server doesn't answer. Check whether it was done.", run: null });
    }
    this.#waiting.delete(id);
    await this.#look();
    this.#draw();
  }
}

/** @param {{ok: boolean, text: string, run: string | null}} said */
const saidOf = ({ ok, text, run }) =>
  dom.h(
    "span",
    { class: "said", "data-ok": ok ? "true" : "false", role: "status" },
    text,
    run ? " " : null,
    run ? dom.h("a", { href: runAddress(run) }, "Show") : null,
  );

/** @param {string} id */
const runAddress = (id) => new URL(`runs/${encodeURIComponent(id)}`, base).href;

/** @param {{id: string, number: number, state: string}} last */
const linkTo = ({ id, number, state }) =>
  dom.h("span", { class: "row tight" }, dom.h("a", { href: runAddress(id) }, `run ${number}`), dom.h("span", { class: "word", "data-state": state }, state));

const headOf = () =>
  dom.h(
    "thead",
    {},
    dom.h(
      "tr",
      {},
      ...["deployment", "runs", "next"].map(column),
      dom.h("th", { scope: "col", class: "wide" }, "in"),
      column("last"),
      dom.h("th", { scope: "col" }, dom.h("span", { class: "sr" }, "actions")),
    ),
  );

/** @param {string} name */
const column = (name) => dom.h("th", { scope: "col" }, name);

const nothingYet = () =>
  dom.h(
    "div",
    { class: "pad stack" },
    dom.h("b", {}, "Nothing is deployed yet."),
    dom.h("p", { class: "dim" }, "%flow schedule NAME in a notebook, or flowbook deployment create, makes one."),
  );

const [root] = shell("deployments");
new DeploymentsPage(/** @type {HTMLElement} */ (root)).begin();
