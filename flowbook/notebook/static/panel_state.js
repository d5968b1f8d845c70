/** The state of a panel's view: the run, the graph, and the view's own selection, filter and search. No DOM. */

import { foldedState } from "./changes.js";
import { asHeardLast, countStates, isGoing, isIn } from "./states.js";
import { parentOf } from "./task_keys.js";
import { Fold } from "./wire.js";

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {import("./graph.js").Graph} Graph */
/** @typedef {import("./inspector.js").Details} Details */

/** @typedef {"graph" | "timeline" | "logs" | "runs" | "plan"} Tab */

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

  /** Whether the tasks are known only as they were heard of last, while they ran. */
  isHeardLast = () => false;

  /** The group that each task is in, where groups are drawn. @type {Map<string, string>} */
  #groups = new Map();
  /** What is no task to people. @type {Set<string>} */
  #aside = new Set();
  /** Keys of the tasks of each group. @type {Map<string, string[]>} */
  #members = new Map();

  /** @param {Graph} graph */
  constructor(graph) {
    this.graph = graph;
    this.#aside = asideOf(graph);
  }

  get run() {
    return this.fold.run;
  }

  /** @param {Graph} graph */
  setGraph(graph) {
    this.graph = graph;
    this.#aside = asideOf(graph);
    this.keys = new Set(graph.nodes.map(({ key }) => key));
    this.#members = new Map(graph.nodes.flatMap(({ key, members }) => (members?.length ? [[key, members]] : [])));
    this.#groups = new Map([...this.#members].flatMap(([key, members]) => members.map((member) => [member, key])));
    if (this.opened && !this.keys.has(this.opened) && !this.#groups.has(this.opened)) this.opened = null;
  }

  /** The tasks of a group; null for a task. @param {string} key @returns {[string, Task][] | null} */
  membersOf(key) {
    return this.#members.get(key)?.map((member) => [member, this.seenTask(member)]) ?? null;
  }

  /** Keys of all tasks, those in groups too, in the graph's order. */
  allKeys() {
    return this.graph.nodes.flatMap(({ key }) => this.#members.get(key) ?? [key]);
  }

  /** @param {string} key */
  task(key) {
    return this.known(this.fold.tasks.get(key) ?? PENDING);
  }

  /** A task, or what the card says of one, in words that claim no more than is known. @template {Pick<Task, "state"> & Partial<Task>} T @param {T} task */
  known(task) {
    return this.isHeardLast() ? asHeardLast(task) : task;
  }

  /** A task as the graph shows it: as it is, or as it was at the moment that is replayed. @param {string} key */
  seen(key) {
    const members = this.membersOf(key);
    if (!members) return this.seenTask(key);
    const group = groupTask(members.filter(([member]) => !this.#isAside(member)));
    return this.past ? group : this.known(group);
  }

  /** @param {string} key */
  seenTask(key) {
    return this.past ? (this.past.get(key) ?? PENDING) : this.task(key);
  }

  /** @param {string | null} key */
  stateOf(key) {
    return this.task(key ?? "").state;
  }

  /** The node that shows a task or a child. @param {string} key */
  nodeOf(key) {
    if (this.keys.has(key)) return key;
    const task = parentOf(key) ?? key;
    return this.#groups.get(key) ?? this.#groups.get(task) ?? (this.keys.has(task) ? task : null);
  }

  /** Whether `key` is a task of the flow, not a child of one. @param {string} key */
  isTask(key) {
    return this.#groups.has(key) || (this.keys.has(key) && !this.#members.has(key));
  }

  /** The mapped task that a task or a child belongs to, if it was split; null for other tasks. @param {string | null} key */
  mappedOf(key) {
    if (key === null) return null;
    const task = this.isTask(key) ? key : parentOf(key);
    return task !== null && this.task(task).counts && this.task(task).width ? task : null;
  }

  /** What is opened when a task is inspected: its children, or still the group that it is in. @param {string} key */
  openedFor(key) {
    return this.mappedOf(key) ?? (this.opened !== null && this.#groups.get(key) === this.opened ? this.opened : null);
  }

  /** How many tasks are in each state, children of mapped tasks counted. */
  counts() {
    const { tasks } = this.fold;
    const all = [...(tasks.size ? tasks.keys() : this.allKeys())].map((key) => /** @type {[string, Task]} */ ([key, this.task(key)]));
    return countStates(all, (key) => this.isTask(key) && !this.#isAside(key));
  }

  /** The same at the moment that is replayed. */
  pastCounts() {
    return countStates(
      this.allKeys().map((key) => [key, this.seenTask(key)]),
      (key) => !this.#isAside(key),
    );
  }

  /** A parameter is no task to people, nor is a list that is gathered. @param {string} key */
  #isAside(key) {
    return this.#aside.has(key);
  }

  /** The table's rows that match filter and search, in the graph's order, children after their task. */
  rows() {
    const tasks = this.past ?? this.fold.tasks;
    const rank = new Map(this.allKeys().map((key, i) => [key, i]));
    const up = new Map(this.graph.nodes.map((node) => [node.key, node.up]));
    const rankOf = (/** @type {string} */ key) => rank.get(parentOf(key) ?? key) ?? 0;
    const wanted = this.query.trim().toLowerCase();
    return [...(tasks.size ? tasks.keys() : rank.keys())]
      .sort((a, b) => rankOf(a) - rankOf(b))
      .filter((key) => key !== "")
      .map((key) => ({ key, task: this.seenTask(key), up: up.get(key) ?? [] }))
      .filter(({ key, task }) => key.toLowerCase().includes(wanted) && isIn(task, this.filter));
  }

  /** The first node whose name has `query` in it. @param {string} query */
  find(query) {
    const wanted = query.trim().toLowerCase();
    return (wanted && this.allKeys().find((key) => key.toLowerCase().includes(wanted))) || null;
  }

  /** Whether a node, or a task of a group, has what is searched for in its name. @param {string} key */
  matches(key) {
    const wanted = this.query.trim().toLowerCase();
    return !wanted || [key, ...(this.#members.get(key) ?? [])].some((name) => name.toLowerCase().includes(wanted));
  }
}

/** Keys of what is no task to people; a graph that an older version kept names its parameters only. @param {Graph} graph */
const asideOf = ({ aside, parameters = [] }) => new Set(aside ?? parameters.map(({ name }) => name));

/** What a group shows: its tasks by state, children counted one by one. @param {[string, Task][]} members @returns {Task} */
function groupTask(members) {
  const counts = Object.fromEntries(countStates(members, () => true));
  const since = members.reduce((first, [, { since: at }]) => (at && (!first || at < first) ? at : first), 0);
  const state = foldedState(counts);
  return { state, counts, width: Object.values(counts).reduce((sum, n) => sum + n, 0), since: isGoing(state) && since ? since : null };
}
