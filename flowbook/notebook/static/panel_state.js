/** The state of a panel's view: the run, the graph, and the view's own selection, filter and search. No DOM. */

import { countStates, isIn } from "./states.js";
import { parentOf } from "./task_keys.js";
import { Fold } from "./wire.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./inspector.js").Details} Details */

/** @typedef {"graph" | "timeline" | "logs" | "runs"} Tab */

/** What a node is that the kernel has not spoken of. @type {Task} */
const PENDING = { state: "Pending" };

export class PanelState {
  fold = new Fold();
  /** @type {Set<string>} */
  keys = new Set();
  /** The node that is lit with all above and below it. @type {string | null} */
  selected = null;
  /** The state that is shown alone. @type {string | null} */
  filter = null;
  query = "";
  /** Key of the task in the inspector. @type {string | null} */
  inspected = null;
  /** What the kernel sent about it. @type {Details | null} */
  details = null;
  isTable = false;
  /** @type {Tab} */
  tab = "graph";
  /** Whether the slider of the replay is shown with the graph. */
  isReplay = false;
  /** The moment that the graph shows, in ms since the run's first change; null is now. @type {number | null} */
  moment = null;
  /** What the tasks were at that moment. @type {Map<string, Task> | null} */
  past = null;
  /** The mapped task whose children are shown instead of the graph. @type {string | null} */
  opened = null;
  /** Whether the card has the panel's whole width. */
  isWide = false;

  /** @param {Graph} graph */
  constructor(graph) {
    this.graph = graph;
  }

  get run() {
    return this.fold.run;
  }

  /** @param {Graph} graph */
  setGraph(graph) {
    this.graph = graph;
    this.keys = new Set(graph.nodes.map(({ key }) => key));
  }

  /** @param {string} key */
  task(key) {
    return this.fold.tasks.get(key) ?? PENDING;
  }

  /** A task as the graph shows it: as it is, or as it was at the moment that is replayed. @param {string} key */
  seen(key) {
    return this.past ? (this.past.get(key) ?? PENDING) : this.task(key);
  }

  /** @param {string | null} key */
  stateOf(key) {
    return this.task(key ?? "").state;
  }

  /** The node that shows a task or a child. @param {string} key */
  nodeOf(key) {
    return this.keys.has(key) ? key : parentOf(key);
  }

  /** The mapped task that a task or a child belongs to, if it was split; null for other tasks. @param {string | null} key */
  mappedOf(key) {
    const node = key === null ? null : this.nodeOf(key);
    return node !== null && this.graph.nodes.some((each) => each.key === node && each.kind === "mapped") && this.task(node).width ? node : null;
  }

  /** How many tasks are in each state, children of mapped tasks counted. */
  counts() {
    const { tasks } = this.fold;
    const all = tasks.size ? tasks : this.graph.nodes.map(({ key }) => /** @type {[string, Task]} */ ([key, PENDING]));
    return countStates(all, (key) => this.keys.has(key));
  }

  /** The same at the moment that is replayed. */
  pastCounts() {
    return countStates(
      this.graph.nodes.map(({ key }) => [key, this.seen(key)]),
      () => true,
    );
  }

  /** The table's rows that match filter and search, in the graph's order, children after their task. */
  rows() {
    const tasks = this.past ?? this.fold.tasks;
    const rank = new Map(this.graph.nodes.map(({ key }, i) => [key, i]));
    const rankOf = (/** @type {string} */ key) => rank.get(parentOf(key) ?? key) ?? 0;
    const wanted = this.query.trim().toLowerCase();
    return [...(tasks.size ? tasks.keys() : this.keys)]
      .sort((a, b) => rankOf(a) - rankOf(b))
      .filter((key) => key !== "")
      .map((key) => ({ key, task: this.seen(key), up: this.graph.nodes[rank.get(key) ?? -1]?.up ?? [] }))
      .filter(({ key, task }) => key.toLowerCase().includes(wanted) && isIn(task, this.filter));
  }

  /** The first node whose name has `query` in it. @param {string} query */
  find(query) {
    const wanted = query.trim().toLowerCase();
    return (wanted && this.graph.nodes.find((node) => node.key.toLowerCase().includes(wanted))?.key) || null;
  }
}
