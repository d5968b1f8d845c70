/** What a panel shows around its views: head, list of what needs a person, the run's section, the table, and where the card stands. */

import { Announcer } from "./announcer.js";
import * as dom from "./dom.js";
import { markEdits } from "./edit_marks.js";
import { Head } from "./head.js";
import { isCard } from "./inspector.js";
import { groupedNeeds, totalOf } from "./need_groups.js";
import { NeedList } from "./needs.js";
import { RunSection } from "./run_section.js";
import { isFailed } from "./states.js";
import { TaskTable } from "./table.js";

/** @typedef {import("./needs.js").Need} Need */
/** @typedef {import("./wire.js").Status} Status */
/** @typedef {{found: Need[], status: Status, isLate: boolean, connection: import("./host.js").Connection, saved?: import("./host.js").Saved, host: string, cannot: ReadonlySet<string>}} Shown */
/** @typedef {{root: HTMLElement, parts: ReturnType<typeof import("./panel_layout.js").build>, state: import("./panel_state.js").PanelState, now: () => number}} Given */

/** From this many tasks on, a person may ask for groups. */
const MANY = 30;

export class PanelDisplay {
  /** The table, and the name of the flow whose tasks are in it. @type {{table: TaskTable, flow: string} | null} */
  #listing = null;
  /** @type {[string, number][]} */
  #counts = [];

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    const { parts, now } = given;
    this.head = new Head(parts.head);
    this.announcer = new Announcer(parts.status);
    this.needs = new NeedList({ el: parts.needs, now });
    this.section = new RunSection({ section: parts.run, title: parts.runTitle, form: parts.form, facts: parts.facts });
  }

  /** It is cheap enough to be redrawn as a whole. @param {Shown} shown */
  show(shown) {
    const { found, status } = shown;
    const { root, state } = this.given;
    const { run } = state.fold;
    this.#counts = state.counts();
    dom.set(root, {
      "data-flow": state.graph.flow,
      "data-run": run?.number ?? run?.id ?? "",
      "data-run-id": run?.id ?? "",
      "data-state": run?.state ?? "Pending",
      "data-live": status,
      "data-host": shown.host,
    });
    this.#showHead(shown);
    this.needs.update(groupedNeeds(found, (key) => state.task(key)));
    this.#showGrouping(status);
    this.section.update(run, status !== "saved" && !shown.cannot.has("run"));
    this.#showTable();
    this.#showCard();
    markEdits(this.given.parts.canvas, run);
    this.#showKept(shown);
  }

  /** @param {Need[]} found */
  announce(found) {
    const { state } = this.given;
    this.announcer.update({ flow: state.graph.flow, state: state.run?.state ?? "Pending", needs: found, counts: this.#counts });
  }

  /** What was kept with the notebook, and what was left out. @param {Shown} shown */
  #showKept({ status, saved }) {
    const { kept } = this.given.parts;
    const note = status === "saved" ? (saved?.note ?? "") : "";
    kept.hidden = !note;
    dom.say(kept, note);
  }

  /** @param {Shown} shown */
  #showHead({ found, status, isLate, connection, saved, host, cannot }) {
    const { state, now } = this.given;
    this.head.update({
      flow: state.graph.flow,
      run: state.fold.run,
      status,
      isLate,
      connection,
      saved,
      host,
      cannot,
      counts: this.#counts,
      needs: found,
      filter: state.filter,
      now: now(),
      failed: totalOf(this.#counts, isFailed),
      paused: totalOf(this.#counts, (name) => name === "Paused"),
    });
  }

  /** Small graphs need no groups, and only a kernel makes others. */
  /** @param {Status} status */
  #showGrouping(status) {
    const { parts, state } = this.given;
    const { tasks = 0, by = "auto" } = state.graph;
    parts.groupBy.hidden = tasks < MANY || status === "saved";
    if (document.activeElement !== parts.groupBy) parts.groupBy.value = by;
  }

  #showTable() {
    const { parts, state, now } = this.given;
    const isElsewhere = state.opened !== null || state.tab !== "graph";
    parts.table.hidden = isElsewhere || !state.isTable;
    parts.canvas.hidden = isElsewhere || state.isTable;
    dom.set(parts.asTable, { "aria-pressed": state.isTable ? "true" : "false" });
    const { flow } = state.graph;
    if (!state.isTable) {
      this.#listing = null;
      parts.table.replaceChildren();
    } else if (this.#listing?.flow !== flow) this.#listing = { flow, table: new TaskTable({ el: parts.table, flow, now }) };
    this.#listing?.table.update(state.rows());
  }

  /** The card stands beside the graph, or below a low one: a click never changes what is out of sight. */
  #showCard() {
    const { parts, state } = this.given;
    const isOpen = state.inspected !== null;
    const asks = isOpen && isCard({ state: state.details?.state ?? state.stateOf(state.inspected) });
    const isFull = state.tab !== "graph";
    parts.inspector.hidden = parts.grip.hidden = !isOpen;
    parts.rail.hidden = isOpen || isFull;
    dom.set(parts.body, { class: ["body", isFull && "full", isOpen && "side", isOpen && state.isWide && "wide"].filter(Boolean).join(" ") });
    parts.inspector.classList.toggle("approval", asks);
  }
}
