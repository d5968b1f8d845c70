import assert from "node:assert/strict";
import { test } from "node:test";
import { changesOf, resumeText } from "../../flowbook/notebook/static/approval.js";
import { Asker } from "../../flowbook/notebook/static/asker.js";
import { fitting, widthAfter } from "../../flowbook/notebook/static/card_grip.js";
import { atWork, axisTicks, Changes, spansOf } from "../../flowbook/notebook/static/changes.js";
import { footing as childFooting, isLeftOut } from "../../flowbook/notebook/static/children.js";
import { groupPage } from "../../flowbook/notebook/static/group_page.js";
import * as logs from "../../flowbook/notebook/static/logs.js";
import { halves } from "../../flowbook/notebook/static/names.js";
import { groupedNeeds } from "../../flowbook/notebook/static/need_groups.js";
import { manyText } from "../../flowbook/notebook/static/needs.js";
import { PanelState } from "../../flowbook/notebook/static/panel_state.js";
import { aboutMoment, neighbour } from "../../flowbook/notebook/static/replay.js";
import * as runs from "../../flowbook/notebook/static/runs.js";
import { goTo, perRow, spreadOut } from "../../flowbook/notebook/static/squares.js";
import { notes } from "../../flowbook/notebook/static/table.js";
import { NO_LINES } from "../../flowbook/notebook/static/task_history.js";
import { labelOf, rowsOf } from "../../flowbook/notebook/static/timeline.js";

/** A clock that the test moves, and a link whose answers it gives. */
function world() {
  /** @type {{at: number, call: () => void, isOff: boolean}[]} */
  const timers = [];
  const sent = /** @type {any[]} */ ([]);
  let now = 0;
  const clock = {
    now: () => now,
    later: (/** @type {number} */ ms, /** @type {() => void} */ call) => {
      const timer = { at: now + ms, call, isOff: false };
      timers.push(timer);
      return () => {
        timer.isOff = true;
      };
    },
  };
  const link = {
    status: /** @type {import("../../flowbook/notebook/static/wire.js").Status} */ ("live"),
    command: (/** @type {string} */ type, /** @type {Record<string, unknown>} */ fields) => `c${sent.push({ type, ...fields })}`,
    canAsk() {
      return this.status === "live";
    },
  };
  const forward = (/** @type {number} */ ms) => {
    now += ms;
    for (const timer of timers.filter(({ at, isOff }) => at <= now && !isOff)) {
      timer.isOff = true;
      timer.call();
    }
  };
  return { clock, link, sent, forward };
}

test("a table of tasks has no empty columns: not where costs or rows are unknown, nor where a comparison has nothing to tell", () => {
  const columns = ["state", "rows", "duration", "cpu", "message"];
  const running = { key: "a[0]", index: 0, label: "x", state: "Running", word: "", since: 5, duration_s: null, message: "", rows: null };
  const compared = { ...running, state: "because", since: null, told: { word: "Input", beside: "" } };
  const changed = { ...compared, message: "return 2", told: { word: "Code", beside: "+0.4 s" }, rows: 3 };
  const left = (/** @type {any[]} */ ...rows) => columns.filter((name) => isLeftOut(name, rows, 9));

  assert.deepEqual(left(running), ["rows", "cpu"]);
  assert.deepEqual(left({ ...running, cpu_s: 0.1 }), ["rows"]);
  assert.deepEqual(left(compared), ["rows", "duration", "cpu", "message"]);
  assert.deepEqual(left(compared, changed), ["cpu"]);
});

test("a long name keeps its end, a short one is whole, a wide character counts twice, and none is torn apart", () => {
  assert.deepEqual(halves("clean"), ["clean", ""]);
  assert.deepEqual(halves("delays_by_carrier_and_month[17]"), ["delays_by_carrier_and_m", "onth[17]"]);
  assert.equal(halves(`${"a".repeat(20)}🐦🐦🐦🐦`)[1], "🐦🐦🐦🐦");
  assert.equal(halves(`${"a".repeat(20)}👩‍👩‍👧‍👦👍🏽`)[1], "aaaa👩‍👩‍👧‍👦👍🏽");
  assert.deepEqual(halves("売上データを東京証券取引所から読み込む"), ["売上データを東京証券取引所から", "読み込む"]);
  assert.deepEqual(halves("売上データを東京都"), ["売上データを東京都", ""]);
  assert.deepEqual(halves("שלום עולם (mixed) text"), ["שלום עולם (mixed) text", ""]);
});

test("an empty log says where prints are", () => {
  assert.match(NO_LINES, /^It logged nothing\. Prints are in the cell's output, unless the task has log_stdout=True/);
});

test("the card is 360 to 560 px wide, by drag and by keys", () => {
  assert.deepEqual([100, 441.4, 900].map(fitting), [360, 441, 560]);
  assert.deepEqual(
    ["ArrowLeft", "ArrowRight", "Home", "End", "Enter"].map((key) => widthAfter(key, 440)),
    [460, 420, 360, 560, null],
  );
});

test("squares stand in map order, and keys move among them", () => {
  const words = spreadOut([
    ["Success", 2],
    ["Failed", 1],
  ]);

  assert.deepEqual(words, ["Success", "Success", "Failed"]);
  assert.deepEqual([200, 642, 2000].map(perRow), [8, 40, 40]);
  const grid = { count: 100, columns: 40 };
  assert.deepEqual(
    [goTo("ArrowRight", 5, grid), goTo("ArrowDown", 5, grid), goTo("ArrowUp", 5, grid), goTo("ArrowDown", 70, grid), goTo("End", 5, grid), goTo("a", 5, grid)],
    [6, 45, null, null, 99, null],
  );
});

test("an opened task says which children are listed and how long they took", () => {
  const none = { key: "parse", width: 200, counts: {}, squares: [], total: 0, offset: 0, rows: [], durations: null };
  const row = { key: "parse[17]", index: 17, label: "", state: "Failed", word: "", since: 1, duration_s: 0.2, message: "", rows: null };

  assert.equal(childFooting(none), "No child matches");
  assert.equal(
    childFooting({ ...none, total: 1200, offset: 25, rows: [row, row], durations: [0.43, 0.74, 4.1] }),
    "26 to 27 of 1,200; fastest 0.4 s, median 0.7 s, slowest 4.1 s",
  );
});

test("one question at a time is asked, the newest of those that came meanwhile, and not too often", () => {
  const { clock, link, sent, forward } = world();
  const answers = /** @type {any[]} */ ([]);
  const asker = new Asker({ type: "children", link, clock, every_ms: 300, onAnswer: (answer) => answers.push(answer.n) });

  for (const offset of [0, 25, 50]) asker.ask({ offset });
  const isTaken = asker.hear({ type: "children", id: "c1", .../** @type {any} */ ({ n: 1 }) });
  const isForeign = asker.hear({ type: "children", id: "x9" });
  asker.acked("c1");
  const before = sent.length;
  forward(300);

  assert.deepEqual([isTaken, isForeign, before], [true, false, 1]);
  assert.deepEqual(answers, [1]);
  assert.deepEqual(sent, [
    { type: "children", offset: 0 },
    { type: "children", offset: 50 },
  ]);
});

test("a question that can't be answered any more is asked again when the kernel is back", () => {
  const { clock, link, sent, forward } = world();
  const asker = new Asker({ type: "logs", link, clock, every_ms: 10, onAnswer: () => {} });
  asker.ask({ since: -1 });

  link.status = "unavailable";
  asker.reset();
  asker.ask({ since: 7 });
  link.status = "live";
  forward(10);
  asker.reset();

  assert.deepEqual(sent, [
    { type: "logs", since: -1 },
    { type: "logs", since: 7 },
  ]);
});

const STATES = /** @type {[string, string][]} */ ([
  ["Running", "Running"],
  ["Success", "Success"],
  ["Failed", "Failed"],
  ["Retrying", "Retrying"],
  ["Paused", "Paused"],
  ["Cached", "Cached"],
  ["Mapped", "Mapped"],
  ["Cached", "Success"],
]);

/** @param {[number, number, number][]} list @param {object} [more] */
const sentOf = (list, more = {}) => ({
  run: "r1",
  since: -1,
  next: 9,
  origin: 1000,
  keys: ["", "load", "parse", "parse[0]", "parse[1]", "approve"],
  states: STATES,
  changes: list,
  left_out: 0,
  ...more,
});

test("changes are folded to what each task was at a moment", () => {
  const changes = new Changes();
  changes.take(
    sentOf([
      [0, 0, 0],
      [0, 1, 0],
      [100, 1, 1],
      [110, 2, 6],
      [110, 3, 0],
      [120, 4, 0],
      [200, 3, 2],
      [300, 4, 1],
    ]),
  );

  const during = changes.at(150);
  const after = changes.at(1000);

  assert.deepEqual(during.get("load"), { state: "Success", word: "", since: 1000.1, duration_s: 0.1 });
  assert.deepEqual([during.get("parse")?.state, during.get("parse")?.counts, during.get("parse")?.width], ["Running", { Running: 2 }, 2]);
  assert.deepEqual([after.get("parse")?.state, after.get("parse")?.counts], ["Failed", { Failed: 1, Success: 1 }]);
  assert.equal(changes.at(-1).size, 0);
  assert.deepEqual(changes.childrenOf("parse"), ["parse[0]", "parse[1]"]);
});

test("later changes are added where the last answer ended, others are refused, and another run begins anew", () => {
  const changes = new Changes();
  changes.take(sentOf([[0, 1, 0]]));

  const isWrong = changes.take(sentOf([[5, 1, 1]], { since: 3 }));
  const isRight = changes.take(sentOf([[5, 1, 1]], { since: 9, next: 12 }));
  const before = [changes.list.length, changes.next];
  changes.take(sentOf([[1, 1, 0]], { run: "r2" }));

  assert.deepEqual([isWrong, isRight, before], [false, true, [2, 12]]);
  assert.deepEqual([changes.run, changes.list.length], ["r2", 1]);
});

test("spans tell work from waiting, attempts apart, and a cached output as one moment", () => {
  const change = (/** @type {number} */ at, /** @type {string} */ state, /** @type {string} */ word = state) => ({ at, key: "a", state, word });

  const tried = spansOf([change(0, "Running"), change(5, "Retrying"), change(9, "Running"), change(12, "Success"), change(13, "Cached", "Success")]);
  const waiting = spansOf([change(3, "Paused")]);
  const cached = spansOf([change(4, "Cached")]);

  assert.deepEqual(tried, [
    { kind: "work", state: "Failed", word: "Failed", start: 0, end: 5, attempt: 1 },
    { kind: "wait", state: "Retrying", word: "Retrying", start: 5, end: 9, attempt: 1 },
    { kind: "work", state: "Cached", word: "Success", start: 9, end: 12, attempt: 2 },
  ]);
  assert.deepEqual(waiting, [{ kind: "wait", state: "Paused", word: "Paused", start: 3, end: null, attempt: 0 }]);
  assert.deepEqual(cached, [{ kind: "tick", state: "Cached", word: "Cached", start: 4, end: 4, attempt: 0 }]);
  assert.deepEqual(atWork(tried, 20), [
    [0, 1],
    [5, 0],
    [9, 1],
    [12, 0],
  ]);
});

test("work in the middle of which the process ended is told as that, and no time since", () => {
  const taken = (/** @type {[number, number, number][]} */ list) => {
    const changes = new Changes();
    changes.take(sentOf(list, { keys: ["", "a"], states: ["Running", "Pending", "Crashed", "Success"].map((state) => [state, state]) }));
    return changes;
  };
  const begun = /** @type {[number, number, number][]} */ ([
    [0, 0, 0],
    [5, 1, 0],
  ]);
  const broken = (/** @type {object} */ more) => ({ kind: "work", state: "Pending", word: "Pending", start: 5, end: 5, attempt: 1, isBroken: true, ...more });

  const unseen = taken(begun);
  unseen.isBrokenOff = true;
  const recorded = taken([...begun, [9, 1, 1], [9, 0, 2]]);
  const resumed = taken([...begun, [90, 0, 0], [91, 1, 0], [95, 1, 3]]);

  assert.deepEqual(unseen.spans("a"), [broken({})]);
  assert.deepEqual(recorded.spans("a"), [broken({ end: 9 })]);
  assert.deepEqual(resumed.spans("a"), [broken({}), { kind: "work", state: "Success", word: "Success", start: 91, end: 95, attempt: 2 }]);
  assert.deepEqual([resumed.at(5).get("a")?.state, resumed.at(40).get("a")?.state, resumed.at(92).get("a")?.state], ["Running", "Pending", "Running"]);
  const row = { key: "a", isChild: false, width: 0, isOpen: false, spans: unseen.spans("a"), bracket: null };
  assert.equal(labelOf(row, { state: "Pending" }, 40, 1000), "Pending: its process ended while it ran");
});

test("ticks of an axis are round, and not too many", () => {
  assert.deepEqual(axisTicks(45_000, 9), [0, 5000, 10_000, 15_000, 20_000, 25_000, 30_000, 35_000, 40_000, 45_000]);
  assert.deepEqual(axisTicks(3_600_000, 4), [0, 900_000, 1_800_000, 2_700_000, 3_600_000]);
});

test("rows of the timeline come by their start, children under their task if they are few", () => {
  const changes = new Changes();
  changes.take(
    sentOf([
      [50, 1, 0],
      [10, 3, 0],
      [20, 4, 0],
    ]),
  );
  const shown = {
    changes,
    keys: ["load", "parse", "approve"],
    task: () => ({ state: "Pending" }),
    isGoing: true,
    now: 60,
    epoch_s: 1000,
    moment: null,
    executor: "",
    chosen: null,
  };

  const byStart = rowsOf(shown, { order: "start", toggled: new Set() });
  const closed = rowsOf(shown, { order: "graph", toggled: new Set(["parse"]) });

  assert.deepEqual(
    byStart.map(({ key }) => key),
    ["parse", "parse[0]", "parse[1]", "load", "approve"],
  );
  assert.deepEqual(
    closed.map(({ key }) => key),
    ["load", "parse", "approve"],
  );
  assert.deepEqual(byStart[0]?.bracket, [10, 60]);
});

test("a row of the timeline says how long, how often, or what it waits for", () => {
  const row = (/** @type {import("../../flowbook/notebook/static/changes.js").Span[]} */ spans) => ({
    key: "a",
    isChild: false,
    width: 0,
    isOpen: false,
    spans,
    bracket: null,
  });
  const span = (/** @type {object} */ more) => ({
    kind: /** @type {const} */ ("work"),
    state: "Success",
    word: "Success",
    start: 0,
    end: 3800,
    attempt: 1,
    ...more,
  });
  const label = (/** @type {object} */ more, /** @type {import("../../flowbook/notebook/static/wire.js").Task} */ task) =>
    labelOf(row([span(more)]), task, 41_000, 1041);

  assert.deepEqual(
    [
      label({}, { state: "Success" }),
      label({ attempt: 2 }, { state: "Success" }),
      label({ state: "Failed", word: "Failed" }, { state: "Failed" }),
      label({ kind: "tick", state: "Cached", word: "Cached" }, { state: "Cached", created: 1041 - 7300 }),
      label({ kind: "wait", state: "Paused", word: "Paused", start: 6000, end: null }, { state: "Paused" }),
      label({ kind: "wait", state: "Retrying", word: "Retrying", end: null }, { state: "Retrying", due: 1052.2 }),
      labelOf(row([]), { state: "Pending" }, 0, 0),
    ],
    ["3.8 s", "3.8 s, attempt 2", "Failed, 3.8 s", "Cached, 2 h ago", "waits for a person, 35 s", "attempt 2 in 12 s", ""],
  );
});

test("the replay steps from change to change", () => {
  const changes = new Changes();
  changes.take(
    sentOf([
      [0, 0, 0],
      [10, 1, 0],
      [20, 1, 1],
    ]),
  );

  assert.deepEqual([neighbour([0, 10, 20], 10, 1), neighbour([0, 10, 20], 10, -1), neighbour([0, 10, 20], 20, 1)], [20, 0, null]);
  assert.equal(aboutMoment(changes, 12), "change 2 of 3: load is Running");
  assert.equal(aboutMoment(changes, 0), "change 1 of 3: the run is Running");
});

const LINES = /** @type {import("../../flowbook/notebook/static/logs.js").Line[]} */ ([
  { at: 1, key: "load", level: "INFO", kind: "log", text: "reading flights" },
  { at: 2, key: "parse[3]", level: "WARNING", kind: "log", text: "no Flights today" },
  { at: 3, key: "parse[4]", level: "DEBUG", kind: "log", text: "nothing" },
  { at: 4, key: "parse[3]", level: "ERROR", kind: "state", text: "Failed" },
]);

test("logs are filtered by level, task with its children, and text in any case", () => {
  const found = (/** @type {Partial<import("../../flowbook/notebook/static/logs.js").Filter>} */ filter) =>
    logs.fitting(LINES, { level: "DEBUG", task: "", query: "", ...filter }).map(({ at }) => at);

  assert.deepEqual(
    [found({}), found({ level: "WARNING" }), found({ task: "parse" }), found({ query: "flights" })],
    [
      [1, 2, 3, 4],
      [2, 4],
      [2, 3, 4],
      [1, 2],
    ],
  );
});

test("hits in a line are told apart, and the foot counts what is shown", () => {
  assert.deepEqual(logs.split("Flights of flights", "flights"), ["", "Flights", " of ", "flights", ""]);
  assert.deepEqual(logs.split("nothing", "flights"), ["nothing"]);
  assert.deepEqual(logs.split("<b>", ""), ["<b>"]);
  assert.equal(logs.footing(LINES, 3, ""), "4 lines of 3 tasks, 1 warning, 1 error; 3 hidden");
  assert.equal(logs.footing(LINES.slice(0, 1), 0, "fl"), "1 line of 1 task; containing “fl”");
});

test("runs are found by a parameter, and the foot has the median", () => {
  const row = (/** @type {object} */ more) => ({
    id: "a",
    number: "1",
    state: "Success",
    started: 1,
    took_s: 71,
    counts: {},
    parameters: { origin: "JFK" },
    changed: "",
    message: "",
    ...more,
  });
  const rows = [row({}), row({ number: "2", state: "Failed", took_s: null, parameters: { origin: "EWR" } }), row({ number: "3", took_s: 60 })];

  assert.deepEqual(
    runs.fitting(rows, "", "origin=ewr").map(({ number }) => number),
    ["2"],
  );
  assert.deepEqual(
    runs.fitting(rows, "Success", "").map(({ number }) => number),
    ["1", "3"],
  );
  assert.equal(runs.footing(rows, 16), "3 of 16 runs, 2 succeeded; median 1:00");
});

test("the tasks of a group are paged like children, failed ones first, then the slowest", () => {
  const tasks = /** @type {[string, import("../../flowbook/notebook/static/wire.js").Task][]} */ ([
    ["a", { state: "Success", duration_s: 1 }],
    ["b", { state: "Cached", word: "Success", duration_s: 3 }],
    ["c", { state: "Failed", duration_s: 0.1, message: "ValueError: c" }],
    ["d", { state: "Pending" }],
  ]);
  const wish = { state: "", query: "", order: "trouble", offset: 0, limit: 3 };

  const page = groupPage("parse", tasks, wish);

  assert.deepEqual(
    page.rows.map(({ key }) => key),
    ["c", "b", "a"],
  );
  assert.deepEqual([page.counts, page.total, page.keys, page.durations], [{ Success: 2, Failed: 1, Pending: 1 }, 4, ["a", "b", "c", "d"], [0.1, 1, 3]]);
  assert.deepEqual(
    groupPage("parse", tasks, { ...wish, state: "Success", order: "fastest" }).rows.map(({ key }) => key),
    ["a", "b"],
  );
});

test("a graph of groups counts its tasks, folds a group's state and finds a task by name", () => {
  const node = { kind: "task", up: [], down: [], x: 0, y: 0, w: 192, h: 44 };
  const graph = {
    version: 1,
    flow: "f",
    svg: "",
    width: 0,
    height: 0,
    parameters: [],
    nodes: [
      { ...node, key: "load" },
      { ...node, key: "parse (all)", kind: "group", members: ["parse", "parse-2", "parse-3"] },
    ],
  };
  const state = new PanelState(graph);
  state.setGraph(graph);
  const before = state.counts();
  const now = /** @type {any} */ ({ load: { state: "Success" }, parse: { state: "Success" }, "parse-2": { state: "Failed" }, "parse-3": { state: "Running" } });
  state.fold.snapshot({ version: 1, seq: 1, run: null, tasks: now });

  assert.deepEqual(before, [["Pending", 4]]);
  assert.deepEqual(state.counts(), [
    ["Success", 2],
    ["Running", 1],
    ["Failed", 1],
  ]);
  assert.deepEqual([state.seen("parse (all)").state, state.seen("parse (all)").width], ["Running", 3]);
  assert.deepEqual([state.nodeOf("parse-2"), state.nodeOf("load"), state.nodeOf("x")], ["parse (all)", "load", null]);
  assert.equal(state.find("parse-3"), "parse-3");
});

test("only inputs whose text is another one are changed, and the button names them", () => {
  const inputs = [
    { name: "report", from: "summarise", preview: null },
    { name: "threshold", from: null, preview: null, literal: "15" },
  ];

  assert.deepEqual(
    changesOf(
      [
        ["report", "  "],
        ["threshold", "15"],
      ],
      inputs,
    ),
    {},
  );
  assert.deepEqual(
    changesOf(
      [
        ["report", "$mine"],
        ["threshold", " 20 "],
      ],
      inputs,
    ),
    { report: "$mine", threshold: "20" },
  );
  assert.deepEqual([resumeText([]), resumeText(["report", "threshold"])], ["Resume", "Resume with another report, threshold"]);
});

test("the table says nothing twice about a task", () => {
  const said = [
    { state: "Failed", message: "ValueError: row 13 is odd", note: "ValueError: row 13 is odd" },
    { state: "TriggerFailed", message: "step_13 failed.", note: "step_13 failed" },
    { state: "Retrying", message: "TimeoutError: no answer", note: "then attempt 2 of 3", attempt: 2, max_attempts: 3 },
    { state: "Success", note: "on attempt 3 of 4", attempt: 3, max_attempts: 4 },
    { state: "Failed", message: "TimeoutError: no answer", attempt: 3, max_attempts: 3 },
    { state: "Cached", created: 100, note: "served from the cache", maker: "12" },
    { state: "Running", width: 12, counts: { Success: 7, Running: 5 } },
  ].map((task) => notes(task, 7300));

  assert.deepEqual(said, [
    ["ValueError: row 13 is odd"],
    ["step_13 failed."],
    ["then attempt 2 of 3", "TimeoutError: no answer"],
    ["on attempt 3 of 4"],
    ["TimeoutError: no answer", "attempt 3 of 3"],
    ["made 2 h ago by run 12"],
    ["7 Success, 5 Running"],
  ]);
});

test("many children that failed alike say what the first one says, others how many are in which state", () => {
  const many = { count: 11, width: 200, first: "parse[5]" };
  const failed = { state: "Failed", message: "ValueError: n/a" };
  /** @type {[string, number][]} */
  const states = [["Failed", 11]];

  assert.deepEqual(manyText({ ...many, states }, failed), ["Failed", "ValueError", ": n/a, and 10 others"]);
  assert.deepEqual(manyText({ ...many, states: [...states, ["TimedOut", 1]] }, failed), ["Failed", "", " 11, TimedOut 1"]);
  assert.deepEqual(manyText({ ...many, states }, { state: "Failed" }), ["Failed", "", " 11"]);
});

test("many children of one task that failed are one line, with all of them counted", () => {
  const failed = (/** @type {number} */ n) => ({ key: `parse[${n}]`, task: { state: "Failed" }, kind: /** @type {const} */ ("failed") });
  const approve = { key: "approve", task: { state: "Paused" }, kind: /** @type {const} */ ("paused") };
  const parse = () => ({ state: "Failed", width: 200, counts: { Success: 190, Failed: 7, TimedOut: 3 } });

  const few = groupedNeeds([approve, failed(1), failed(2)], parse);
  const many = groupedNeeds([approve, failed(1), failed(2), failed(3), failed(4)], parse);

  assert.deepEqual(
    few.map(({ key }) => key),
    ["approve", "parse[1]", "parse[2]"],
  );
  assert.deepEqual(
    many.map(({ key }) => key),
    ["approve", "parse"],
  );
  assert.deepEqual(many[1]?.many, {
    count: 10,
    width: 200,
    states: [
      ["Failed", 7],
      ["TimedOut", 3],
    ],
    first: "parse[1]",
  });
});
