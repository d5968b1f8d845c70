/** The page of one decision by a link: what it decides, the data beside it, and once it was used, who decided what, when. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import { FrameView } from "./frame.js";
import { InputDiff } from "./input_diff.js";
import { base, followTheme, tell } from "./page_shell.js";
import { postHeaders, problemOf } from "./page_stream.js";
import { PlainInputs } from "./plain_inputs.js";
import { keepPresses } from "./press.js";
import * as states from "./states.js";

/** @typedef {import("./frame.js").Preview} Preview */
/** @typedef {{same: boolean, text: string, compares: boolean}} Before how an input differs from what was approved last */
/** @typedef {{name: string, from: string | null, preview: Preview | null, literal: string, hash: string, text: string, changeable: boolean, before: Before | null}} Input */
/** @typedef {{run: number, at: number, by: string}} Approved */
/** @typedef {{action: string, by: string, note: string, at: number, changed: string, run?: number, here?: boolean}} Decision */
/** @typedef {{status: string, now: number, expires: number, flow: string, number: number, key: string, state: string, run_state: string, question: string, since: number, after: string[], decided: Decision | null, inputs?: Input[], approved?: Approved | null, earlier?: Decision[], deadline?: number | null, otherwise?: string, asks?: string, instead?: string}} Shown */

const LOOK_MS = 4000;
const NAME = "flowbook-name";
const HASH_SHOWN = 4;
/** States of a task that was decided about and has yet to take notice. */
const WAITING = new Set(["Paused", "Resume", "Pending", "Submitted", "Queued", "Running"]);
/** @type {Record<string, string>} */
const PAST = { resume: "Approved", skip: "Skipped", reject: "Rejected", retry: "Run again", cancel: "Cancelled" };
/** @type {Record<string, string>} */
const OTHERWISE = { reject: "rejected", approve: "approved", skip: "skipped" };
/** @type {Record<string, [string, string]>} */
const ENDS = {
  unknown: ["This link isn't known.", "Copy it whole from the notice. A link is good for one waiting of one task."],
  expired: ["This link has expired.", "Ask for the run's page, or decide in the notebook."],
  gone: ["This task doesn't wait any more.", "The run has gone on, or was cancelled. Nothing can be decided here."],
};

class ApprovePage {
  #token = location.pathname.split("/").pop() ?? "";
  #name = dom.h("input", { id: "by", autocomplete: "name", maxlength: 100, placeholder: "as it stands beside the decision" });
  #note = dom.h("textarea", { id: "note", maxlength: 2000, placeholder: "Needed to reject, otherwise optional" });
  #said = dom.h("span", { class: "said grow", role: "status" });
  #left = dom.h("span");
  #plain = new PlainInputs(() => {
    dom.say(this.#said, "");
    this.#dress();
  });
  #isSending = false;
  /** @type {Shown | null} */
  #shown = null;
  #status = "";
  /** What is drawn: a status, and once it is decided the states of task and run. */
  #seen = "";
  /** @type {AbortController | null} */
  #drawn = null;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.#name.value = localStorage.getItem(NAME) ?? "";
    this.#note.addEventListener("input", () => this.#dress());
    keepPresses(root);
    root.addEventListener("click", (event) => this.#click(event));
  }

  begin() {
    setInterval(() => document.hidden || this.#tick(), 1000);
    setInterval(() => document.hidden || this.#look(), LOOK_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.#look());
    this.#look();
  }

  async #look() {
    if (this.#isSending || this.#isOver) return;
    try {
      const answer = await fetch(this.#address("shown"), { cache: "no-store", credentials: "same-origin" });
      const found = answer.ok || answer.status === 404 ? await answer.json() : null;
      if (found?.status) this.#take(found);
      else this.#lost(found?.detail ?? (await problemOf(answer)));
    } catch {
      this.#lost("The server doesn't answer. Trying again.");
    }
  }

  /** Whether nothing will change any more: the decision was carried out, or there is none to make. */
  get #isOver() {
    if (!this.#status || this.#status === "waits" || this.#status === "lost") return false;
    return !this.#shown?.decided || !WAITING.has(this.#shown.state);
  }

  /** @param {string} what */
  #address(what) {
    return new URL(`approve/${this.#token}/${what}`, base);
  }

  /** @param {string} why */
  #lost(why) {
    if (this.#shown) dom.say(this.#said, why);
    else this.root.replaceChildren(bar("", null), dom.h("p", { class: "pad", role: "alert" }, why));
    this.#status = this.#status || "lost";
  }

  /** @param {Shown} shown */
  #take(shown) {
    this.skew_s = shown.now - Date.now() / 1000;
    this.#shown = shown;
    const drawn = shown.status === "waits" ? "waits" : `${shown.status} ${shown.state} ${shown.run_state}`;
    if (drawn === this.#seen) return this.#tick();
    this.#seen = drawn;
    this.#status = shown.status;
    this.#drawn?.abort();
    this.#drawn = new AbortController();
    dom.set(this.root, {
      "data-task": shown.key ?? null,
      "data-run": shown.number ?? null,
      "data-state": shown.state ?? "Pending",
      "data-status": shown.status,
    });
    this.root.replaceChildren(...(shown.status === "waits" ? this.#asking(shown, this.#drawn.signal) : over(shown)));
    this.#dress();
    this.#tick();
    tell(
      shown.key ? `${shown.key}: ${shown.status === "waits" ? "decide" : (PAST[shown.decided?.action ?? ""] ?? shown.state)}` : "Link",
      shown.state ?? "Pending",
    );
  }

  get #now() {
    return Date.now() / 1000 + (this.skew_s ?? 0);
  }

  // While it waits

  /** @param {Shown} shown @param {AbortSignal} signal */
  #asking(shown, signal) {
    const { inputs = [], approved = null, earlier = [] } = shown;
    const framed = inputs.filter(({ preview }) => preview && (preview.page || preview.body || (preview.repr && preview.kind !== "text")));
    const plain = inputs.filter((input) => !framed.includes(input));
    return [
      bar(`this link decides once, and ends at ${format.moment(shown.expires, shown.now)}`, null),
      this.#question(shown),
      ...framed.map((input) => this.#value(input, approved, signal)),
      plain.length
        ? dom.h("section", { class: "pad part" }, dom.h("h2", {}, framed.length ? "With it come" : "What it would get"), this.#plain.list(plain, approved))
        : null,
      this.#form(shown),
      earlier.length ? dom.h("section", { class: "pad part" }, dom.h("h2", {}, "Earlier decisions"), earlierOf(earlier, shown.now)) : null,
    ].filter((part) => part !== null);
  }

  /** @param {Shown} shown */
  #question({ key, state, question, flow, number, since, after, now, deadline, asks, instead }) {
    const ends = after.length ? [" After Approve it runs ", ...joined(after.map((each) => dom.h("b", {}, each))), "."] : [];
    const who = asks ? `${asks} is asked ` : "Asked ";
    return dom.h(
      "div",
      { class: "ask" },
      titleOf(key, state),
      question ? dom.h("p", {}, dom.h("b", {}, question)) : null,
      instead ? dom.h("p", {}, instead) : null,
      dom.h("p", { class: "dim" }, `${who}by the flow `, dom.h("b", {}, flow), `, run ${number}, since ${format.moment(since, now)}.`, ...ends),
      deadline ? dom.h("p", { class: "left" }, dom.icon(states.GLYPHS.Cached ?? []), this.#left) : null,
    );
  }

  /** A value that has rows, parts or a picture. @param {Input} input @param {Approved | null} approved @param {AbortSignal} signal */
  #value(input, approved, signal) {
    const { name, from, text, before } = input;
    const then = approved ? `approved in run ${approved.run}, ${format.moment(approved.at, this.#now)}` : "";
    const beside = before ? `${before.same ? "as it was" : "beside what was"} ${then}` : "";
    const about = [text, from ? `from ${from}` : "", beside].filter(Boolean).join(", ");
    const data = dom.h("div", { class: "value" });
    this.#frame(data, input, signal);
    const head = dom.h("div", { class: "head" }, dom.h("h2", { class: "mono" }, name), dom.h("span", { class: "dim" }, about));
    if (!before?.compares) return dom.h("section", { class: "part" }, head, data);
    const diff = dom.h("div");
    new InputDiff({ el: diff, ask: (asked) => this.#askForDifference(name, asked) });
    head.append(choiceOf(diff, data));
    return dom.h("section", { class: "part" }, head, diff, data);
  }

  /** @param {HTMLElement} el @param {Input} input @param {AbortSignal} signal */
  #frame(el, { name, preview }, signal) {
    const isBare = !preview?.page || (preview.page.total <= preview.page.rows.length && preview.page.total < 20);
    const ask = (/** @type {unknown} */ _source, /** @type {import("./frame.js").Request | null} */ request) => {
      if (!request) return null;
      const id = `${name}-${Math.random()}`;
      this.#askForRows(view, id, name, request);
      return id;
    };
    const view = new FrameView({ el, preview: /** @type {Preview} */ (preview), source: { key: "", what: name }, ask, signal, isBare, canRender: false });
  }

  /** @param {FrameView} view @param {string} id @param {string} name @param {object} request */
  async #askForRows(view, id, name, request) {
    const found = await this.#ask("rows", name, request);
    if (typeof found === "string") view.release(id, found);
    else view.page({ id, frame: found });
  }

  /** @param {string} name @param {object} asked @returns {Promise<import("./diff.js").Diff | string>} */
  #askForDifference(name, asked) {
    return this.#ask("diff", name, asked);
  }

  /** Ask about an input; returns the answer, or why there is none. @param {string} what @param {string} name @param {object} asked */
  async #ask(what, name, asked) {
    const address = this.#address(what);
    address.search = new URLSearchParams({ name, asked: JSON.stringify(asked) }).toString();
    try {
      const answer = await fetch(address, { cache: "no-store", credentials: "same-origin" });
      return answer.ok ? await answer.json() : await problemOf(answer);
    } catch {
      return "The server doesn't answer.";
    }
  }

  /** @param {Shown} shown */
  #form({ inputs = [], instead }) {
    const hashes = inputs.map(({ hash }) => hash).filter(Boolean);
    const seen = hashes.map((hash) => `${hash.slice(0, HASH_SHOWN)}…${hash.slice(-2)}`).join(", ");
    const kept = dom.h(
      "span",
      { class: "dim grow" },
      "Kept with the run: name, note, time",
      hashes.length ? [" and the hash of what it gets, ", seen].join("") : "",
      ".",
    );
    return dom.h(
      "section",
      { class: "pad part stack" },
      dom.h(
        "div",
        { class: "form who-and-why" },
        dom.h("label", { for: "by" }, dom.h("b", {}, "Your name")),
        this.#name,
        dom.h("label", { for: "note" }, dom.h("b", {}, "Note")),
        this.#note,
      ),
      dom.h(
        "div",
        { class: "decide" },
        dom.button("resume", "Approve", { class: instead ? null : "primary", title: "The task runs, and what waits for it; nothing else runs again" }),
        dom.button("reject", "Reject"),
        dom.button("skip", "Skip", { title: "Skips this task, and what needs it" }),
        kept,
      ),
      this.#said,
    );
  }

  #dress() {
    const approve = this.root.querySelector('.decide [data-action="resume"]');
    const changed = Object.keys(this.#plain.changes());
    if (approve) dom.say(approve, changed.length ? `Approve with another ${changed.join(", ")}` : "Approve");
    const isNoted = this.#note.value.trim() !== "";
    for (const button of this.root.querySelectorAll(".decide button")) {
      const isReject = button.getAttribute("data-action") === "reject";
      const why = this.#isSending ? "Waiting for an answer" : isReject && !isNoted ? "Write a note first: it becomes the message of the failure" : null;
      dom.set(button, { "aria-disabled": why ? "true" : null, ...(isReject ? { title: why ?? "The task fails, with your note as the message" } : {}) });
    }
  }

  #tick() {
    const { deadline, otherwise = "" } = this.#shown ?? {};
    if (!deadline) return;
    const left = deadline - this.#now;
    const answer = `without an answer ${left > 0 ? `at ${format.moment(deadline, this.#now)} ` : ""}it is ${OTHERWISE[otherwise] ?? otherwise}`;
    this.#left.replaceChildren(left > 0 ? dom.h("b", {}, `${spanOf(left)} left`) : dom.h("b", {}, "The time is over"), `: ${answer}`);
  }

  /** @param {Event} event */
  #click(event) {
    const button = event.target instanceof Element ? event.target.closest(".decide button") : null;
    if (button && button.getAttribute("aria-disabled") !== "true") this.#decide(button.getAttribute("data-action") ?? "");
  }

  /** @param {string} action */
  async #decide(action) {
    const by = this.#name.value.trim();
    localStorage.setItem(NAME, by);
    this.#isSending = true;
    this.#dress();
    dom.say(this.#said, "Sending…");
    const inputs = action === "resume" ? this.#plain.changes() : {};
    const text = await this.#send({ action, by, note: this.#note.value.trim(), inputs });
    this.#isSending = false;
    dom.say(this.#said, text);
    dom.set(this.#said, { "data-ok": text ? "false" : "true" });
    this.#dress();
    await this.#look();
  }

  /** Send the decision; returns why it wasn't taken. @param {object} decision */
  async #send(decision) {
    try {
      const answer = await fetch(this.#address("decide"), {
        method: "POST",
        headers: postHeaders(),
        credentials: "same-origin",
        body: JSON.stringify(decision),
      });
      if (!answer.ok) return problemOf(answer);
      const { ok, text } = await answer.json();
      return ok ? "" : text;
    } catch {
      return "The server doesn't answer. Check in a moment whether it was done.";
    }
  }
}

// When nothing is to be decided

/** @param {Shown} shown */
function over(shown) {
  const { status, decided } = shown;
  if (!decided) {
    const [what, why] = ENDS[status] ?? ["Nothing can be decided here.", ""];
    const about = shown.key ? [titleOf(shown.key, shown.state)] : [];
    return [bar("", null), dom.h("div", { class: "ask" }, ...about, dom.h("p", {}, dom.h("b", {}, what)), dom.h("p", { class: "dim" }, why))];
  }
  return [
    bar(decided.here ? "this link was used" : "this was decided in another way", null),
    dom.h(
      "div",
      { class: "ask" },
      titleOf(shown.key, shown.state),
      dom.h(
        "p",
        {},
        dom.h("b", {}, `${PAST[decided.action] ?? decided.action} at ${format.moment(decided.at, shown.now)}`),
        decided.by ? ` by “${decided.by}”` : "",
        decided.changed ? ` with ${decided.changed}` : "",
        decided.note ? `: “${decided.note}”` : ".",
      ),
      dom.h("p", {}, `${shown.flow}, run ${shown.number}, is `, dom.h("span", { class: "word", "data-state": shown.run_state }, shown.run_state), " now."),
      dom.h("p", { class: "dim" }, "You can close this page. The decision can no longer be changed here."),
    ),
  ];
}

/** @param {string} text @param {Node | null} more */
const bar = (text, more) =>
  dom.h("header", { class: "nav" }, dom.h("b", {}, "flowbook"), dom.h("span", { class: "grow" }), more, dom.h("span", { class: "dim ell" }, text));

/** @param {string} key @param {string} state */
const titleOf = (key, state) =>
  dom.h(
    "div",
    { class: "row" },
    dom.h("span", { class: "tile", "data-state": state }, dom.icon(states.glyphOf(state))),
    dom.h("h1", {}, key),
    dom.h("span", { class: "word", "data-state": state }, state),
  );

/** What shows the differences, or the data alone. @param {HTMLElement} diff @param {HTMLElement} data */
function choiceOf(diff, data) {
  const choices = [dom.button("diff", "Differences"), dom.button("diff-off", "Data only")];
  const choose = (/** @type {number} */ chosen) => {
    for (const [place, button] of choices.entries()) dom.set(button, { "aria-pressed": place === chosen ? "true" : "false" });
    diff.hidden = chosen !== 0;
    data.hidden = chosen !== 1;
  };
  for (const [place, button] of choices.entries()) button.addEventListener("click", () => choose(place));
  choose(0);
  return dom.h("span", { class: "group" }, ...choices);
}

/** @param {Decision[]} earlier @param {number} now */
const earlierOf = (earlier, now) =>
  dom.h(
    "dl",
    { class: "kv" },
    ...earlier.flatMap(({ run, at, action, by, note, changed }) => [
      dom.h("dt", {}, `run ${run}, ${format.moment(at, now)}`),
      dom.h(
        "dd",
        {},
        [(PAST[action] ?? action).toLowerCase(), by ? `by ${by}` : "", changed ? `with ${changed}` : ""].filter(Boolean).join(" "),
        note ? `: “${note}”` : "",
      ),
    ]),
  );

/** @param {Node[]} parts @returns {(Node | string)[]} */
const joined = (parts) => parts.flatMap((part, i) => (i ? [i === parts.length - 1 ? " and " : ", ", part] : [part]));

/** `3 h 12 min`. @param {number} seconds */
function spanOf(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : format.span(seconds);
}

followTheme();
const root = dom.h("div", { class: "fb one", "data-flowbook": "approve" });
document.getElementById("page")?.replaceChildren(root);
new ApprovePage(root).begin();
