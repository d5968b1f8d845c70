/** The views of a panel besides its graph: children of an opened task, timeline, logs, runs, replay. Asks for their content and passes it on. */

import { Asker } from "./asker.js";
import { Changes } from "./changes.js";
import { ChildrenView } from "./children.js";
import { Compare } from "./compare.js";
import * as dom from "./dom.js";
import { groupPage } from "./group_page.js";
import { isBrokenOff, isUnderWay } from "./head.js";
import { Logs } from "./logs.js";
import { PlanView } from "./plan_view.js";
import { Replay } from "./replay.js";
import { childrenPage } from "./report_answers.js";
import { Runs } from "./runs.js";
import { isFailed } from "./states.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./panel_state.js").PanelState} PanelState */
/** @typedef {import("./panel_state.js").Tab} Tab */
/** @typedef {ReturnType<typeof import("./panel_layout.js").build>} Parts */
/** @typedef {{parts: Parts, view: string, link: import("./wire.js").Link, clock: import("./wire.js").Clock, signal: AbortSignal, state: PanelState, now: () => number, onMoment: () => void, onMenu: (answer: any) => void, parameters: () => Record<string, string> | null, cannot: ReadonlySet<string>}} Given */

/** How often children, and what a whole run did, are asked for while they change. */
const CHILDREN_MS = 300;
const RUN_MS = 1000;
/** How far beyond the last change the axis of a run that is at rest goes, at most. */
const REST_SHARE = 1.25;
const REST_MS = 2000;

export class PanelViews {
  changes = new Changes();
  /** What of the flow the plan is about. */
  /** @type {{what: string, key: string, version?: string}} */
  asked = { what: "all", key: "" };
  /** Whether a parameter can't be what the form has for it. */
  #isWrong = false;
  /** Whether two runs are compared in place of their list. */
  isComparing = false;
  /** The run and its state when runs were last asked for. */
  #askedAbout = "";
  /** Whether a replay was begun, and whether it plays once the changes are there. */
  #hasBegun = false;
  #playsSoon = false;
  /** How the run could go on, and its states, when that was planned last. */
  #plannedAbout = "";
  /** Answers about children, by the key of their task. @type {Record<string, any>} */
  #kept = {};

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    const { parts, clock, signal, now, state } = given;
    this.askers = this.#askers();
    const ask = (/** @type {string} */ key, /** @type {import("./children.js").Wish} */ wish) => this.#askForChildren(key, wish);
    this.children = new ChildrenView({ el: parts.children, signal, clock, now, ask, isHeardLast: () => given.state.isHeardLast() });
    this.timeline = new Timeline({ el: parts.timeline, signal });
    this.logs = new Logs({ el: parts.logs, tools: parts.tools.logs, signal });
    this.runs = new Runs({
      el: parts.runs,
      tools: parts.tools.runs,
      signal,
      now,
      shownId: () => state.run?.id ?? "",
      canShow: () => given.link.status !== "saved",
      ask: (limit) => this.askers.runs.ask({ limit }),
      compare: (runs) => this.#compare(runs),
    });
    this.compare = new Compare({
      ...{ el: parts.compare, tools: parts.tools.compare, view: given.view, signal, clock, now },
      runs: () => this.runs.rows,
      ask: (runs) => this.#compare(runs),
      askForDiff: (asked) => (given.link.status === "live" ? given.link.command("compare-values", /** @type {any} */ (asked), "compare-values:") : null),
      keep: (runs) => given.link.command("to-variable", { what: "comparison", runs }, "keep-comparison:"),
      can: (action) => !given.cannot.has(action),
      onBack: () => this.#leaveComparison(),
    });
    this.plan = new PlanView({
      ...{ el: parts.plan, tools: parts.tools.plan, form: parts.form, view: given.view, signal, clock, now },
      graph: () => state.graph,
      parameters: given.parameters,
      onParameters: () => this.askForPlan(),
    });
    this.replay = new Replay({ el: parts.replay, signal, clock, onMoment: (moment) => this.#go(moment) });
    parts.order.addEventListener("change", () => this.timeline.sort(parts.order.value), { signal });
  }

  /** The time of what the graph shows: now, or the moment that is replayed; seconds since the epoch. */
  get shownAt() {
    const { state, now } = this.given;
    return state.moment === null ? now() : this.changes.origin + state.moment / 1000;
  }

  /** Take an answer of the kernel. @param {any} message */
  hear(message) {
    return this.compare.hear(message) || Object.values(this.askers).some((asker) => asker.hear(message));
  }

  /** A command was acknowledged. @param {{id: string, ok?: boolean, text?: string}} ack @param {string | null} slot */
  acked(ack, slot) {
    for (const asker of Object.values(this.askers)) asker.acked(ack.id);
    this.compare.acked(ack, slot);
  }

  /** What is compared of two outputs, here or else in the card, as the kernel is asked for it. @param {import("./inspector.js").Inspector} card */
  difference(card) {
    return this.compare.difference ?? card.difference;
  }

  /** The connection came or went: what was asked before gets no answer. */
  reset() {
    for (const asker of Object.values(this.askers)) asker.reset();
    this.#askedAbout = "";
    this.#askForTab();
  }

  /** Show answers that were kept with the notebook, as no kernel gives others. @param {Record<string, any>} answers by type; those about children also by key */
  keep({ children = {}, ...answers }) {
    this.#kept = children;
    for (const [type, answer] of Object.entries(answers)) this.askers[/** @type {"changes" | "logs" | "runs"} */ (type)].take(answer);
  }

  /** Open a mapped task, or none. @param {string | null} key */
  open(key) {
    const { state } = this.given;
    state.opened = key;
    if (key === null) return this.askers.children.forget();
    const node = state.graph.nodes.find((each) => each.key === key);
    this.children.open({ key, up: node?.up ?? [], down: node?.down ?? [], isGroup: node?.kind === "group" });
  }

  /** The kernel pages the children of a mapped task; the tasks of a group are known here. @param {string} key @param {import("./children.js").Wish} wish */
  #askForChildren(key, wish) {
    const { state } = this.given;
    const members = state.membersOf(key);
    if (members) this.children.update(groupPage(key, members, wish), state.inspected);
    else if (this.given.link.status !== "live" && this.#kept[key]) this.askers.children.take(childrenPage(this.#kept[key], wish));
    else this.askers.children.ask({ key, ...wish });
  }

  /** @param {Tab} tab */
  choose(tab) {
    // Pressed again, the tab leads from a task's children back to the graph that it names.
    if (tab === "graph" && this.given.state.tab === tab) this.open(null);
    this.given.state.tab = tab;
    this.#askedAbout = "";
    if (tab === "plan") this.propose({ what: this.#wayOn || "all", key: "" });
    else this.#askForTab();
  }

  /** Show the plan of a part of the flow, or of all of it. @param {{what: string, key: string, version?: string}} asked */
  propose(asked) {
    this.given.state.tab = "plan";
    this.asked = asked;
    this.#plannedAbout = this.#aboutRest;
    this.askForPlan(true);
    this.runs.ask();
  }

  /** @param {string} key of a task; "": of the flow */
  askForMenu(key) {
    this.askers.menu.ask({ parameters: this.given.parameters() ?? {}, key });
  }

  /** Ask what a run with the form's parameters would do. @param {boolean} [isOfOther] whether of another part of the flow than before */
  askForPlan(isOfOther = false) {
    const parameters = this.given.parameters();
    this.plan.wait(isOfOther);
    this.#isWrong = parameters === null;
    this.given.link.commands.forget((slot) => slot === "plan:");
    if (parameters) this.askers.plan.ask({ parameters, ...this.asked });
    this.show();
  }

  /** Show what differs between two runs. @param {[string, string]} runs */
  #compare(runs) {
    this.compare.wait(runs);
    this.isComparing = true;
    this.given.link.commands.forget((slot) => slot === "compare:");
    this.askers.compare.ask({ runs });
    this.show();
  }

  /** @param {string} other of the older run */
  #compareFromStart(other) {
    const { state } = this.given;
    if (!other || !state.run) return;
    state.tab = "runs";
    this.runs.ask();
    this.compare.isByLink = true;
    this.#compare([other, state.run.id]);
  }

  #leaveComparison() {
    this.isComparing = false;
    this.show();
  }

  /** How a run at rest goes on, where the host starts no run of its own: "resume", "retry", or "" where it can't. */
  get #wayOn() {
    const { state, cannot } = this.given;
    if (!cannot.has("run") || isUnderWay(state.run)) return "";
    const names = state.counts().map(([name]) => name);
    return names.includes("Paused") || isBrokenOff(state.run) ? "resume" : names.some(isFailed) ? "retry" : "";
  }

  /** Why there is no plan. */
  #refusal() {
    const { link } = this.given;
    const said = link.commands.said("plan:");
    if (this.#isWrong) return "Correct the parameters first.";
    const nobody = this.given.cannot.has("run") ? "The server doesn't answer." : "Only a kernel that has the flow can plan a run.";
    return link.status !== "live" ? nobody : said && !said.ok ? said.text : "";
  }

  /** Show or hide the slider below the graph. */
  toggleReplay() {
    const { state } = this.given;
    state.isReplay = !state.isReplay;
    if (state.isReplay) this.#askForTab();
    else this.#go(null);
  }

  /** Begin as the kernel asks, once. @param {string | undefined} what "replay": play the run from its start; "plan": show the plan; "compare:ID": what differs from that run */
  begin(what) {
    const [verb, other] = (what ?? "").split(":");
    if (this.#hasBegun || !["replay", "plan", "compare"].includes(verb ?? "")) return;
    this.#hasBegun = true;
    if (verb === "compare") return this.#compareFromStart(other ?? "");
    // Once the run is there, it is shown: the page may have been loaded again.
    if (what === "plan") return this.given.state.run?.stage === "new" ? this.choose("plan") : undefined;
    this.#playsSoon = true;
    this.given.state.isReplay = true;
    this.#askForTab();
  }

  /** Tasks changed. @param {Set<string> | "all"} keys */
  changed(keys) {
    const { state } = this.given;
    if (this.changes.run && this.changes.run !== state.run?.id) this.#go(null);
    const { opened } = state;
    this.#followRest();
    if (opened && (keys === "all" || [...keys].some((key) => key === opened || state.nodeOf(key) === opened))) this.children.refresh();
    this.#askForTab();
  }

  /** The plan of how a run at rest goes on is another one once that has changed; once it goes on, there is none. */
  #followRest() {
    const { state, cannot } = this.given;
    if (state.tab !== "plan" || !cannot.has("run")) return;
    if (this.#aboutRest === this.#plannedAbout) return;
    if (this.#wayOn) this.propose({ what: this.#wayOn, key: "" });
    else this.choose("graph");
  }

  /** What a plan of how the run goes on depends on, as text. */
  get #aboutRest() {
    return JSON.stringify([this.#wayOn, this.given.state.counts()]);
  }

  /** A second has passed. */
  tick() {
    if (isUnderWay(this.given.state.run) && this.given.state.tab === "logs") this.#askForTab();
  }

  /** Show what is chosen now. */
  show() {
    const { state, parts, link, cannot } = this.given;
    const isGraph = state.tab === "graph";
    parts.children.hidden = !isGraph || state.opened === null;
    for (const name of /** @type {const} */ (["timeline", "logs", "runs", "plan"])) parts[name].hidden = state.tab !== name;
    const above = state.tab === "runs" && this.isComparing ? "compare" : state.tab;
    for (const [name, tools] of Object.entries(parts.tools)) tools.hidden = above !== name;
    this.compare.stand(above === "compare");
    for (const tab of parts.tabButtons) {
      const isChosen = tab.dataset.tab === state.tab;
      // Only a kernel plans a run; a page of the server plans how one goes on that is at rest.
      const cannotPlan = link.status === "saved" || (cannot.has("run") && !this.#wayOn);
      const isOut = tab.dataset.tab === "plan" && cannotPlan && !isChosen;
      dom.set(tab, { "aria-selected": isChosen ? "true" : "false", tabindex: isChosen ? 0 : -1, hidden: isOut });
    }
    parts.replay.hidden = !(state.tab === "timeline" || (isGraph && state.isReplay));
    dom.set(parts.replayButton, { "aria-pressed": state.isReplay ? "true" : "false" });
    if (isGraph && state.opened) this.children.show(state.inspected);
    if (state.tab === "timeline") this.#showTimeline();
    if (state.tab === "logs") this.logs.show();
    if (state.tab === "runs") this.#showRuns();
    this.plan.stand(state.tab === "plan");
    if (state.tab === "plan") this.plan.show(this.#refusal());
    if (!parts.replay.hidden) this.#showReplay();
  }

  #showRuns() {
    const { parts, link } = this.given;
    parts.compare.hidden = !this.isComparing;
    parts.runs.classList.toggle("comparing", this.isComparing);
    const said = link.commands.said("compare:");
    if (this.isComparing && this.compare.isWaiting && said && !said.ok) this.compare.refuse(said.text);
    this.runs.show();
  }

  #askers() {
    const { link, clock, state } = this.given;
    const asker = (/** @type {string} */ type, /** @type {number} */ every_ms, /** @type {(answer: any) => void} */ onAnswer) =>
      new Asker({ type, link, clock, every_ms, onAnswer });
    return {
      children: asker("children", CHILDREN_MS, (answer) => this.children.update(answer, state.inspected)),
      changes: asker("changes", RUN_MS, (answer) => this.#takeChanges(answer)),
      logs: asker("logs", RUN_MS, (answer) => this.logs.take(answer)),
      runs: asker("runs", RUN_MS, (answer) => {
        this.runs.take(answer);
        this.plan.takeRuns(answer.rows);
      }),
      plan: asker("plan", 0, (answer) => this.plan.take(answer)),
      compare: asker("compare", 0, (answer) => this.compare.take(answer)),
      menu: asker("menu", 0, this.given.onMenu),
    };
  }

  #askForTab() {
    const { state } = this.given;
    const id = state.run?.id ?? "";
    if (state.tab === "timeline" || state.isReplay) this.askers.changes.ask({ since: id === this.changes.run ? this.changes.next : -1 });
    if (state.tab === "logs") this.askers.logs.ask({ since: this.logs.since(id) });
    if (state.tab === "runs" && this.#isNewRunState()) this.runs.ask();
    if (state.tab === "plan" && !this.plan.isKnown && !this.askers.plan.isBusy) this.askForPlan();
  }

  /** Whether the run, or its state, is another one than when runs were asked for: reading them is dear. */
  #isNewRunState() {
    const { run } = this.given.state;
    const about = `${run?.id} ${run?.state}`;
    const isNew = about !== this.#askedAbout;
    this.#askedAbout = about;
    return isNew;
  }

  /** @param {import("./changes.js").Sent} answer */
  #takeChanges(answer) {
    this.changes.take(answer);
    const { state } = this.given;
    if (state.moment !== null) state.past = this.changes.at(state.moment);
    if (!this.#playsSoon || !this.changes.list.length) return;
    this.#playsSoon = false;
    this.#showReplay();
    this.replay.play();
  }

  /** Show the graph as it was at a moment; null is now. @param {number | null} moment ms since the run's first change */
  #go(moment) {
    const { state, onMoment } = this.given;
    if (moment === null) this.replay.stop();
    if (state.moment === moment) return;
    state.moment = moment;
    state.past = moment === null ? null : this.changes.at(moment);
    onMoment();
  }

  /** The end of the axis: now, as long as the run goes on. */
  get #end() {
    const { state, now } = this.given;
    const { end, origin } = this.changes;
    if (state.run?.stage === "over" || !this.changes.list.length) return end;
    const since = Math.max(end, (now() - origin) * 1000);
    return isUnderWay(state.run) ? since : Math.min(since, end * REST_SHARE + REST_MS);
  }

  #showTimeline() {
    const { state } = this.given;
    this.changes.isBrokenOff = state.run?.id === this.changes.run && state.run.state === "Crashed";
    this.timeline.update({
      changes: this.changes,
      keys: state.allKeys(),
      task: (key) => state.task(key),
      isGoing: isUnderWay(state.run),
      now: this.#end,
      epoch_s: this.given.now(),
      moment: state.moment,
      executor: state.run?.executor ?? "",
      chosen: state.inspected,
    });
  }

  #showReplay() {
    const { state } = this.given;
    this.replay.update({ changes: this.changes, end: this.#end, moment: state.moment, counts: state.moment === null ? [] : state.pastCounts() });
  }
}
