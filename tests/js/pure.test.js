import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import * as axis from "../../flowbook/notebook/static/axis.js";
import * as comparison from "../../flowbook/notebook/static/comparison.js";
import { slotsOfGone } from "../../flowbook/notebook/static/controls.js";
import { footingOf, summaryOf } from "../../flowbook/notebook/static/diff.js";
import { editsIn, marksOf } from "../../flowbook/notebook/static/edit_marks.js";
import { complaint, textOf, typeOf } from "../../flowbook/notebook/static/form.js";
import * as format from "../../flowbook/notebook/static/format.js";
import { footing, refusal, request } from "../../flowbook/notebook/static/frame.js";
import { reach, step } from "../../flowbook/notebook/static/graph_keys.js";
import { buttons, lastKnown, progress, sentence } from "../../flowbook/notebook/static/head.js";
import { primaryOf, tabsOf } from "../../flowbook/notebook/static/inspector.js";
import { load } from "../../flowbook/notebook/static/loader.js";
import { moved } from "../../flowbook/notebook/static/menu.js";
import { needs, splitError } from "../../flowbook/notebook/static/needs.js";
import { drawnHeight } from "../../flowbook/notebook/static/node_view.js";
import { PanelState } from "../../flowbook/notebook/static/panel_state.js";
import { groupOf, parameterOf, partsOf, taskOf, timeOf } from "../../flowbook/notebook/static/plan.js";
import { DISPLAY_ORDER } from "../../flowbook/notebook/static/state_kinds.js";
import * as states from "../../flowbook/notebook/static/states.js";
import { parentOf } from "../../flowbook/notebook/static/task_keys.js";
import { middleCut } from "../../flowbook/notebook/static/text_fit.js";
import { headOf, isSaid, whyUnseen } from "../../flowbook/notebook/static/value_body.js";

const STATIC = new URL("../../flowbook/notebook/static/", import.meta.url);

test("durations have a unit and few digits", () => {
  const texts = [0.00002, 0.0031, 0.4, 34.84, 59.96, 171, 3723, 100_000].map(format.duration);

  assert.deepEqual(texts, ["< 1 ms", "3 ms", "0.4 s", "34.8 s", "1:00", "2:51", "1:02:03", "1 d 3 h"]);
});

test("spans in sentences have one unit", () => {
  assert.deepEqual([35.9, 61, 7300, 3 * 86_400].map(format.span), ["35 s", "1 min", "2 h", "3 d"]);
});

test("sizes are read at a glance", () => {
  assert.deepEqual([12, 1200, 41_200_000, 3.2e9].map(format.size), ["12 B", "1.2 kB", "41.2 MB", "3.2 GB"]);
});

test("a moment of today is an hour, of yesterday says so, before that has its day", () => {
  const now = new Date(2026, 10, 22, 12, 0).getTime() / 1000;
  const at = (/** @type {number} */ day, /** @type {number} */ hour) => new Date(2026, 10, day, hour, 5).getTime() / 1000;

  const texts = [format.moment(at(22, 9), now), format.moment(at(21, 18), now), format.moment(at(2, 7), now)];

  assert.deepEqual(texts, ["09:05", "yesterday 18:05", "2 Nov 07:05"]);
});

test("the time of a task is what its state makes interesting", () => {
  const now = 1000;
  const times = [
    { state: "Running", since: 965 },
    { state: "Running", since: 829 },
    { state: "Retrying", due: 1012 },
    { state: "Retrying", due: 990 },
    { state: "Paused", since: 760 },
    { state: "Paused", since: 760, due: 8200 },
    { state: "Paused", since: 760, due: 1000 },
    { state: "Success", duration_s: 3.8 },
    { state: "Cached", created: -6200 },
    { state: "Pending" },
  ].map((task) => format.timeOf(task, now));

  assert.deepEqual(times, ["35 s", "2:51", "in 12 s", "in 0 s", "4 min", "2 h left", "overdue", "3.8 s", "2 h ago", ""]);
});

test("counts take a mapped task as its children and children of their own not twice", () => {
  const tasks = /** @type {[string, import("../../flowbook/notebook/static/wire.js").Task][]} */ ([
    ["a", { state: "Success" }],
    ["m", { state: "Running", width: 12, counts: { Success: 7, Failed: 1 } }],
    ["m[3]", { state: "Failed" }],
    ["z", { state: "Pending" }],
  ]);

  const counts = states.countStates(tasks, (key) => key !== "m[3]");

  assert.deepEqual(counts, [
    ["Success", 8],
    ["Failed", 1],
    ["Pending", 5],
  ]);
  assert.deepEqual(progress(counts, states.isFinished), { done: 9, total: 14 });
});

test("an output that was made just now, and stored, counts as a Success", () => {
  const fresh = { state: "Cached", word: "Success" };
  const served = { state: "Cached" };

  const counts = states.countStates(Object.entries({ fresh, served }), () => true);

  assert.deepEqual(counts, [
    ["Success", 1],
    ["Cached", 1],
  ]);
  assert.deepEqual(
    [states.isIn(fresh, "Success"), states.isIn(fresh, "Cached"), states.isIn(served, "Cached"), states.isIn(served, null)],
    [true, false, true, true],
  );
});

test("a task waits for a person, or one of its children does", () => {
  const tasks = /** @type {(import("../../flowbook/notebook/static/wire.js").Task | undefined)[]} */ ([
    { state: "Paused" },
    { state: "Running", counts: { Running: 1, Paused: 2 } },
    { state: "Running", counts: { Running: 1 } },
    undefined,
  ]);

  assert.deepEqual(tasks.map(states.waits), [true, true, false, false]);
});

test("every state of the engine has a glyph and a place in the bar", () => {
  const source = readFileSync(new URL("../../engine/state.py", STATIC), "utf8");
  const names = [...source.matchAll(/^class (\w+)\((\w+)\):/gm)].flatMap(([, name = "", base = ""]) =>
    base === "Exception" || name === "Finished" ? [] : [name],
  );

  const missing = names.filter((name) => !states.GLYPHS[name] || !DISPLAY_ORDER.includes(name));

  assert.ok(names.length > 15);
  assert.deepEqual(missing, []);
});

test("what needs a person comes paused, failed, doubtful; children speak for their mapped task", () => {
  const tasks = /** @type {[string, import("../../flowbook/notebook/static/wire.js").Task][]} */ ([
    ["old", { state: "Cached", stale: true }],
    ["m", { state: "Failed", width: 3 }],
    ["m[1]", { state: "Failed" }],
    ["ok", { state: "Success" }],
    ["ask", { state: "Paused" }],
  ]);

  const found = needs(tasks).map(({ key, kind }) => [key, kind]);

  assert.deepEqual(found, [
    ["ask", "paused"],
    ["m[1]", "failed"],
    ["old", "stale"],
  ]);
});

test("only an index in brackets makes a child", () => {
  assert.deepEqual(["clean[3]", "clean", "a[b]", "x[1][2]", "a[03]"].map(parentOf), ["clean", null, null, "x[1]", null]);
});

test("the type of an error is told apart from its text", () => {
  assert.deepEqual(splitError("ValueError: no: way"), { type: "ValueError", text: "no: way" });
  assert.deepEqual(splitError("it was: bad"), { type: "", text: "it was: bad" });
});

test("the head says what waits and what failed", () => {
  const run = /** @type {import("../../flowbook/notebook/static/wire.js").Run} */ ({ id: "1", state: "Running", stage: "running" });
  const paused = /** @type {const} */ ({ key: "approve", task: { state: "Paused" }, kind: "paused" });
  const failed = /** @type {const} */ ({ key: "x", task: { state: "Failed" }, kind: "failed" });

  assert.equal(sentence(run, [paused, failed]), "1 task waits for you, 1 failed");
  assert.equal(sentence({ ...run, state: "Paused" }, [paused]), "approve waits for you");
  assert.equal(sentence({ ...run, message: "all went well" }, []), "all went well");
});

test("a page names its buttons where other hosts name Python", () => {
  const message = "Its process ended. run.resume() goes on from what is stored.";
  const run = /** @type {import("../../flowbook/notebook/static/wire.js").Run} */ ({ id: "1", state: "Crashed", stage: "over", message });

  assert.equal(sentence(run, [], { failed: 0, paused: 0, host: "page" }), "Its process ended. Resume goes on from what is stored.");
  assert.equal(sentence(run, [], { failed: 0, paused: 0, host: "widget" }), message);
});

test("of a run that was under way when it was heard of last the head says when that was", () => {
  const run = /** @type {any} */ ({ id: "1", state: "Running", stage: "running", message: "The flow runs.", where: "here" });
  const ended = /** @type {const} */ ({ state: "none", ended: true });
  const none = /** @type {const} */ ({ state: "none" });
  const lab = /** @type {const} */ ({ run, status: "saved", connection: ended, host: "lab" });

  const known = [
    lab,
    { ...lab, run: { ...run, where: "elsewhere" } },
    { ...lab, connection: none },
    { ...lab, connection: none, host: "report" },
    { ...lab, status: /** @type {const} */ ("unavailable"), connection: none, host: "widget" },
    { ...lab, run: { ...run, state: "Paused", stage: "waiting" } },
    { ...lab, status: /** @type {const} */ ("live"), connection: none },
    { ...lab, host: "page" },
  ].map(lastKnown);

  assert.deepEqual(known, [
    "when the kernel ended",
    "in a process of its own when the kernel ended",
    "when this was saved",
    "when the report was written",
    "when the kernel ended",
    null,
    null,
    null,
  ]);
});

test("a task that was under way when it was heard of last is said to have been", () => {
  const state = new PanelState(/** @type {any} */ ({ nodes: [{ key: "a" }, { key: "b" }, { key: "c" }], parameters: [] }));
  state.setGraph(state.graph);
  const tasks = { a: { state: "Running", since: 5 }, b: { state: "Success" }, c: { state: "Running", width: 5, counts: { Running: 2, Success: 3 } } };
  state.fold.snapshot(/** @type {any} */ ({ seq: 1, run: null, tasks }));
  const before = state.counts();

  state.isHeardLast = () => true;

  assert.deepEqual(before, [
    ["Success", 4],
    ["Running", 3],
  ]);
  assert.deepEqual(state.counts(), [
    ["Success", 4],
    ["Was running", 3],
  ]);
  assert.deepEqual(state.seen("a"), { state: "Running", since: null, due: null, word: "Was running" });
  assert.deepEqual(state.seen("b"), { state: "Success" });
  assert.deepEqual(state.seen("c").counts, { "Was running": 2, Success: 3 });
});

test("of a run in which nothing failed the head says no more than its state, and why it succeeded where something did", () => {
  const message = "All tasks that decide the run succeeded.";
  const run = /** @type {any} */ ({ id: "1", state: "Success", stage: "over", message });
  const failed = /** @type {const} */ ({ key: "x", task: { state: "Failed" }, kind: "failed" });

  assert.equal(sentence(run, []), "");
  assert.equal(sentence(run, [failed]), `1 failed. ${message}`);
  assert.deepEqual([format.endOf(message, { Success: 3 }), format.endOf(message, { Success: 3, Crashed: 1 })], ["", message]);
  assert.equal(format.endOf("report waits for a person.", {}), "report waits for a person.");
});

test("a node is drawn as high as what it shows", () => {
  const drawn = (/** @type {number} */ h, /** @type {any} */ task, note = "") => drawnHeight({ h }, task, note);

  assert.equal(drawn(64, { state: "Success" }), 44);
  assert.equal(drawn(64, { state: "Cached" }, "served from the cache"), 64);
  assert.equal(drawn(80, { state: "Pending" }), 44);
  assert.equal(drawn(80, { state: "Paused" }), 80);
  assert.equal(drawn(80, { state: "Running", counts: { Running: 2 } }), 80);
  assert.equal(drawn(44, { state: "Failed" }, "ValueError: no"), 44);
});

test("the head offers what can be done, and says why not", () => {
  const run = /** @type {import("../../flowbook/notebook/static/wire.js").Run} */ ({ id: "1", state: "Running", stage: "running" });
  const offered = (/** @type {any} */ view) => buttons(view).map(({ action, why }) => (why ? `${action}: ${why}` : action));

  assert.deepEqual(offered({ run: null, failed: 0, paused: 0 }), ["run"]);
  assert.deepEqual(offered({ run, failed: 1, paused: 1 }), ["run: Already running; Cancel first", "cancel", "retry", "resume"]);
  assert.deepEqual(offered({ run: { ...run, state: "Paused", stage: "waiting", ended: null }, failed: 0, paused: 1 }), ["cancel", "resume"]);
  assert.deepEqual(offered({ run: { ...run, state: "Paused", stage: "waiting", edited: ["a"], stale: ["b"] }, failed: 0, paused: 1 }), [
    "cancel",
    "only-changed",
    "resume",
  ]);
  assert.deepEqual(offered({ run: { ...run, state: "Failed", stage: "over", ended: 5 }, failed: 2, paused: 0 }), ["run", "retry"]);
  for (const state of ["Crashed", "Cancelled"]) {
    const over = { ...run, state, stage: /** @type {const} */ ("over"), ended: 5 };
    assert.deepEqual(
      buttons({ run: over, failed: 0, paused: 0 }).map(({ label }) => label),
      ["Run", "Resume"],
    );
  }
  assert.deepEqual(offered({ run: { ...run, state: "Cancelling", where: "here" }, failed: 0, paused: 0 }), [
    "run: It is still being cancelled",
    "cancel: Already being cancelled",
    "cancel-now",
  ]);
  assert.deepEqual(
    buttons({ run: { ...run, state: "Cancelling", where: "here" }, failed: 0, paused: 0 }).map(({ label }) => label),
    ["Run", "Cancel", "Stop now"],
  );
});

test("an arrow key goes round in a menu, and Home and End to its ends", () => {
  assert.deepEqual(
    ["ArrowDown", "ArrowUp", "Home", "End", "x"].map((key) => moved(3, 4, key)),
    [0, 2, 0, 3, null],
  );
  assert.equal(moved(0, 4, "ArrowUp"), 3);
});

test("a plan says how many tasks come from the cache, run and wait, and how long that takes", () => {
  const task = (/** @type {any} */ more) => ({
    outcome: "run",
    words: "will run",
    why: "",
    cause: "new",
    made: null,
    made_by: null,
    expected_s: null,
    width: null,
    hits: 0,
    waits_after_s: null,
    ...more,
  });
  const tasks = {
    load: task({ outcome: "hit", cause: "", expected_s: 3 }),
    clean: task({ cause: "code" }),
    report: task({ cause: "above" }),
    publish: task({ cause: "above" }),
    approve: task({ outcome: "wait", cause: "", waits_after_s: 5 }),
  };
  const plan = { flow: "delays", number: 15, summary: "", expected_s: 25, least_s: 22, most_s: 31, runs: 9, tasks };

  assert.deepEqual(partsOf(plan), [
    ["hit", "1 from the cache", "saves about 3.0 s"],
    ["run", "3 will run", "1 with changed code, 2 below these"],
    ["wait", "1 will wait for you", "approve, after about 5.0 s"],
  ]);
  assert.deepEqual(
    [plan, { ...plan, runs: 1, least_s: 25, most_s: 25 }, { ...plan, expected_s: null }].map((each) => timeOf(each)),
    ["about 25.0 s (22.0 s to 31.0 s, from 9 runs)", "about 25.0 s (from 1 run)", "none of these tasks ran before"],
  );
});

/** @param {any} more */
const planned = (more) => ({ outcome: "run", words: "", why: "", cause: "new", made: null, made_by: null, expected_s: null, width: null, hits: 0, ...more });

test("a node of a plan says what will become of its task, how long that takes, and why if the graph doesn't show it", () => {
  const told = (/** @type {any} */ more) => {
    const task = taskOf(planned(more), 1000);
    return [task.state, task.told?.word, task.told?.beside, task.note, task.stale];
  };

  assert.deepEqual(told({ expected_s: 2, cause: "code", why: "its code changed, line 3" }), [
    "Pending",
    "Will run",
    "about 2.0 s",
    "its code changed, line 3",
    true,
  ]);
  assert.deepEqual(told({ cause: "above", why: "clean runs" }), ["Pending", "Will run", "", "", false]);
  assert.deepEqual(told({ outcome: "hit", cause: "", made: 880, expected_s: 2, why: "made 2 min ago by run 3" }), [
    "Cached",
    "Cache hit",
    "2 min old",
    "",
    false,
  ]);
  assert.deepEqual(told({ outcome: "hit", made: 880, why: "made 2 min ago, if what runs above gives the same as before" }), [
    ...["Cached", "Cache hit", "2 min old", "if what runs above gives the same as before", false],
  ]);
  assert.deepEqual(told({ outcome: "hit", made: 880, why: "made 2 min ago, by other code" }).slice(3), ["made by other code", true]);
  assert.deepEqual(told({ outcome: "wait" }), ["Paused", "Will wait", "for you", "", false]);
  assert.deepEqual(told({ outcome: "out", expected_s: 2 }), ["Skipped", "Left out", "", "", false]);
  assert.deepEqual(taskOf(planned({ width: 12, hits: 7 }), 0).counts, { Cached: 7, Pending: 5 });
  assert.deepEqual(taskOf(planned({ width: 200, keeps: 199 }), 0).counts, { Success: 199, Pending: 1 });
  assert.deepEqual(told({ width: 200, keeps: 199, expected_s: 2, cause: "asked" }), ["Pending", "Will run", "1 of 200", "", false]);
  assert.equal(parameterOf("[1, 2, 3, 4, 5]").told?.beside, "[1, 2, 3, 4…");
});

test("in a plan of how a run goes on, what stays failed or skipped looks and says so", () => {
  const tasks = Object.fromEntries(["", "failed", "skipped"].map((stays, n) => [`t${n}`, planned({ outcome: "keep", stays })]));
  const plan = { flow: "delays", number: 4, summary: "", expected_s: null, least_s: null, most_s: null, runs: 0, tasks };

  assert.deepEqual(
    Object.values(tasks).map((each) => [taskOf(each, 0).state, taskOf(each, 0).told?.word]),
    [
      ["Success", "Stays"],
      ["Failed", "Stays failed"],
      ["Skipped", "Stays skipped"],
    ],
  );
  assert.deepEqual(partsOf(plan), [["keep", "3 stay as they are", "1 failed"]]);
});

test("a group of a plan counts its tasks by what will become of them", () => {
  const tasks = { a: planned({ expected_s: 2 }), b: planned({ expected_s: 1 }), c: planned({ outcome: "hit" }) };
  const of = (/** @type {("a" | "b" | "c")[]} */ ...keys) => {
    const { state, counts, told } = groupOf(
      keys.map((key) => [key, taskOf(tasks[key], 0)]),
      tasks,
    );
    return [state, counts, told?.word, told?.beside];
  };

  assert.deepEqual(of("a", "b", "c"), ["Pending", { Cached: 1, Pending: 2 }, "2 will run", "about 3.0 s"]);
  assert.deepEqual(of("c"), ["Cached", { Cached: 1 }, "From the cache", ""]);
});

/** @param {any} more */
const compared = (more) => ({
  ...{
    key: "clean",
    states: ["Success", "Success"],
    took_s: [1, 1],
    differs: "",
    hashes: ["a", "a"],
    rows: [null, null],
    line: "",
    code: null,
    children: null,
  },
  ...{ word: "The same", ...more },
});

test("a node of two runs says why its task differs, by how much longer it took, and what became of its rows", () => {
  const told = (/** @type {any} */ more) => {
    const { state, note, told: found } = comparison.taskOf(compared(more), { parameters: [["clean", "'EWR'", "'JFK'"]], aside: [] });
    return [state, found?.word, found?.beside, found?.rows, note];
  };

  assert.deepEqual(told({ differs: "edited", word: "Code", code: [4, "a", "b"], rows: [12, 10] }), [
    "own",
    "Code, line 4",
    "",
    "\u22122 rows",
    "10, was 12 rows",
  ]);
  assert.deepEqual(told({ differs: "input", word: "Input", took_s: [1, 5.1], children: [12, 12] }), ["because", "Input", "+4.1 s", "", "12 of 12 differ"]);
  assert.deepEqual(told({ differs: "parameter", word: "Parameter" }), ["own", "Parameter", "'JFK'", "", "'JFK', was 'EWR'"]);
  assert.deepEqual(told({ rows: [1, 2] }).slice(3), ["+1 row", "2, was 1 row"]);
  assert.deepEqual(told({ differs: "state", word: "State", states: ["Success", "Failed"], rows: [1, null] }), ["own", "State", "", "", "Failed, was Success"]);
  assert.deepEqual(
    ["new", "gone", "edited", ""].map((differs) => comparison.glyphOf(compared({ differs }))),
    ["added", "removed", "own", "same"],
  );
});

test("of two runs the legend and the head speak of one task as of one", () => {
  const [same, own, other] = [compared({}), compared({ differs: "edited" }), compared({ differs: "input" })];
  const legend = (/** @type {any[]} */ ...tasks) => comparison.legendOf(tasks).map(([, n, text]) => `${n} ${text}`);

  assert.deepEqual(legend(same, own, other), ["1 differs by itself", "1 differs because of what it gets", "1 is the same"]);
  assert.deepEqual(legend(same, same), ["2 are the same"]);
  assert.deepEqual([[same, own], [own], [same], [same, same], [own, other]].map(comparison.summaryOf), [
    ...["1 of 2 tasks differs", "1 of 1 task differs", "The task is the same", "All 2 tasks are the same", "2 of 2 tasks differ"],
  ]);
});

test("parameters, and what only gathers the results of tasks, aren't counted where two runs are compared", () => {
  const tasks = ["start", "load", "List"].map((key) => compared({ key }));
  const found = /** @type {any} */ ({ tasks, parameters: [], aside: ["start", "List"] });

  assert.deepEqual(
    comparison.counted(found).map(({ key }) => key),
    ["load"],
  );
  assert.deepEqual(
    tasks.map((task) => comparison.taskOf(task, found).told?.outcome),
    ["given", undefined, "given"],
  );
});

test("a group of two runs counts its tasks by what differs", () => {
  const of = (/** @type {string[]} */ ...differs) => {
    const { state, counts, told } = comparison.groupOf(
      differs.map((each, n) => [`t${n}`, comparison.taskOf(compared({ differs: each }), { parameters: [], aside: [] })]),
    );
    return [state, counts, told?.word];
  };

  assert.deepEqual(of("", "input", "edited"), ["own", { own: 1, because: 1, same: 1 }, "2 of 3 differ"]);
  assert.deepEqual(of("", ""), ["same", { same: 2 }, "The same"]);
});

test("what was edited since is said, marked, and can be run alone once the run is over", () => {
  const run = { edited: ["clean"], stale: ["report", "publish"], id: "1", state: "Success", stage: "over" };
  const offered = (/** @type {any} */ more) => buttons({ run: { ...run, ...more }, failed: 0, paused: 0 }).map(({ label }) => label);

  assert.deepEqual(offered({}), ["Run", "Run 3 that changed"]);
  assert.deepEqual(offered({ stage: "running", state: "Running" }), ["Run", "Cancel"]);
  assert.deepEqual(
    ["here", "elsewhere"].map((where) => offered({ stage: "running", state: "Running", where }).at(-1)),
    ["Keep running without this kernel", "Take back"],
  );
  assert.deepEqual(offered({ edited: [], stale: [] }), ["Run"]);
  assert.deepEqual([editsIn(run), editsIn({ edited: ["a", "b", "c"] }), editsIn(null)], ["clean was edited since", "a and 2 more were edited since", ""]);
  assert.deepEqual(
    [...marksOf(run)],
    [
      ["report", "stale"],
      ["publish", "stale"],
      ["clean", "edited"],
    ],
  );
});

/** @param {string} key @param {number} x @param {number} y @param {string[]} up @param {string[]} down */
const node = (key, x, y, up, down) => ({ key, kind: "task", up, down, x, y, w: 192, h: 44 });
const NODES = new Map(
  [
    node("a", 0, 0, [], ["c"]),
    node("b", 208, 0, [], ["c", "d"]),
    node("c", 0, 72, ["a", "b"], ["e"]),
    node("d", 208, 72, ["b"], []),
    node("e", 0, 144, ["c"], []),
  ].map((n) => [n.key, n]),
);

test("reach finds all above and all below", () => {
  assert.deepEqual(reach(NODES, "e", "up"), new Set(["c", "b", "a"]));
  assert.deepEqual(reach(NODES, "b", "down"), new Set(["d", "c", "e"]));
});

test("arrows go along edges and to the neighbour in the row", () => {
  assert.deepEqual(
    [
      ["b", "ArrowDown"],
      ["c", "ArrowUp"],
      ["a", "ArrowRight"],
      ["d", "ArrowLeft"],
      ["e", "ArrowDown"],
      ["e", "x"],
    ].map(([key = "", arrow = ""]) => step(NODES, key, arrow)),
    ["d", "a", "b", "c", null, null],
  );
});

test("page keys go by rows, as arrows do where no edge leads on", () => {
  const nodes = new Map([...NODES, ["alone", node("alone", 416, 216, [], [])]]);

  assert.deepEqual(
    [
      ["d", "ArrowDown"],
      ["e", "ArrowDown"],
      ["alone", "ArrowUp"],
      ["a", "ArrowUp"],
      ["b", "PageDown"],
      ["alone", "PageUp"],
    ].map(([key = "", arrow = ""]) => step(nodes, key, arrow)),
    ["e", "alone", "e", null, "d", "e"],
  );
});

test("a name loses its middle, never its end", () => {
  assert.deepEqual([middleCut("delays_by_carrier", 11), middleCut("short", 11)], ["delay…rrier", "short"]);
  assert.equal(middleCut("🚀🔥👩‍👩‍👧‍👦 launch 🎉👍🏽e\u0301", 7), "🚀🔥👩‍👩‍👧‍👦…🎉👍🏽e\u0301");
});

const PAGE = { columns: [], index: [], rows: Array(100).fill([]), offset: 0, total: 250, columns_total: 0, sort: null, descending: false };

test("paging stays within the frame", () => {
  const offsets = [request(PAGE, "page-next"), request({ ...PAGE, offset: 200 }, "page-next"), request(PAGE, "page-prev"), request(PAGE, "page-last")].map(
    ({ offset }) => offset,
  );

  assert.deepEqual(offsets, [100, 200, 0, 200]);
  assert.equal(refusal(PAGE, "page-prev"), "These are the first rows");
  assert.equal(refusal({ ...PAGE, offset: 200, rows: Array(50).fill([]) }, "page-next"), "These are the last rows");
  assert.equal(refusal(PAGE, "page-last"), null);
});

test("a column sorts up, then down, then as stored", () => {
  const first = request(PAGE, "sort", "x");
  const second = request({ ...PAGE, ...first }, "sort", "x");
  const third = request({ ...PAGE, ...second }, "sort", "x");

  assert.deepEqual(
    [first, second, third].map(({ sort, descending }) => [sort, descending]),
    [
      ["x", false],
      ["x", true],
      [null, false],
    ],
  );
});

test("the foot of a frame says which rows, how sorted and how many columns are left out", () => {
  const text = footing({ ...PAGE, total: 109_079, columns_total: 23, sort: "arr_delay", descending: true, took_ms: 38.2 });

  assert.equal(text, "Rows 1 to 100 of 109,079, sorted by arr_delay, largest first in 38 ms; columns 0 of 23");
});

test("a parameter that can't be read is told with its value", () => {
  const wrong = [
    complaint({ name: "n", type: "int" }, "1.5"),
    complaint({ name: "x", type: "float" }, "a"),
    complaint({ name: "l", type: "literal" }, "['JFK', None]"),
    complaint({ name: "s", type: "str", required: true }, " "),
    complaint({ name: "n", type: "int" }, "1_000"),
  ];

  assert.deepEqual(wrong, ['n is an int: "1.5" is not a whole number.', 'x is a float: "a" is not a number.', null, "s needs a value.", null]);
});

test("what stands for a secret is no wrong value of its type", () => {
  const wrong = ["int", "float", "literal", "str"].map((type) => complaint({ name: "pwd", type, required: true, secret: true }, "*****"));

  assert.deepEqual(wrong, [null, null, null, null]);
  assert.equal(complaint({ name: "pwd", type: "str", required: true, secret: true }, ""), "pwd needs a value.");
});

test("a parameter's type is told as Python calls it", () => {
  assert.deepEqual(
    [
      { name: "a", type: "literal", python: "list" },
      { name: "b", type: "literal", python: "" },
      { name: "c", type: "int", python: "int" },
      { name: "d", type: "str" },
    ].map(typeOf),
    ["list", "any type", "int", "str"],
  );
});

test("a default is shown as it would be typed", () => {
  assert.deepEqual(
    [
      { name: "a", type: "literal", default: "[1, 'x']" },
      { name: "b", type: "bool", default: true },
      { name: "c", type: "int", default: 0 },
      { name: "d", type: "str", default: null },
    ].map(textOf),
    ["[1, 'x']", "true", "0", ""],
  );
});

test("a value is headed by its kind, and isn't said twice", () => {
  const shown = { shape: null, page: null, body: null };
  const lines = { ...shown, kind: "text", type: "str", text: "'one\\ntwo'", repr: "'one\\ntwo'", body: "one\ntwo" };
  const number = { ...shown, kind: "text", type: "int", text: "15", repr: "15" };
  const list = { ...shown, kind: "tree", type: "list", text: "[1, 2]", repr: "[1, 2]", body: [] };

  assert.deepEqual(headOf(lines), ["str", "2 lines"]);
  assert.deepEqual(headOf({ ...lines, body: "one\n… and 1,200 more characters" }), ["str", ""]);
  assert.deepEqual(headOf(number), ["int", ""]);
  assert.deepEqual(headOf(list), ["list", ""]);
  assert.deepEqual(headOf({ ...list, type: "dict", text: "dict of 300" }), ["dict of 300", ""]);
  assert.deepEqual(headOf({ ...shown, kind: "frame", type: "pandas.DataFrame", text: "DataFrame, 4 × 2" }), ["DataFrame", "4 × 2"]);
  assert.deepEqual([lines, number, list].map(isSaid), [false, true, false]);
});

test("of a value of which only the words are kept it is said what is missing", () => {
  const bare = { type: "matplotlib.Figure", text: "Figure, 640 × 480", page: null, repr: "", body: null };

  assert.equal(whyUnseen({ ...bare, kind: "picture" }), "There was no room to keep the picture here.");
  assert.equal(whyUnseen({ ...bare, kind: "frame" }), "There was no room to keep its rows here.");
  assert.equal(whyUnseen({ ...bare, kind: "picture", body: { mime: "image/png", data: "" } }), "");
  assert.equal(whyUnseen({ ...bare, kind: "text" }), "");
});

test("the tabs of the inspector are those with something to say", () => {
  const error = { type: "E", message: "", stack: [], text: "" };

  assert.deepEqual(
    tabsOf({ key: "a", state: "Failed", error, inputs: [{ name: "x", from: null, preview: null }] }).map(({ label }) => label),
    ["Output", "Inputs 1", "Logs 0", "Traceback"],
  );
});

test("there is one primary button, and only for the step that goes on", () => {
  assert.equal(primaryOf({ key: "a", state: "Paused", actions: ["to-variable", "resume"] }), "resume");
  assert.equal(primaryOf({ key: "a", state: "Paused", actions: ["to-variable", "resume"], above: "top failed" }), null);
  assert.equal(primaryOf({ key: "a", state: "Failed", actions: ["to-variable"] }), null);
  assert.equal(primaryOf({ key: "a", state: "Success", actions: ["to-variable"], output: { kind: "text", type: "int", text: "1" } }), "to-variable");
  assert.equal(primaryOf({ key: "a", state: "Pending", actions: [] }), null);
});

test("the axis gives back the moment it was given", () => {
  const given = axis.axis(0, 1000, 500);

  assert.ok(Math.abs(given.at(given.x(640)) - 640) < 1e-6);
  assert.equal(given.at(9999), 1000);
  assert.equal(given.at(-5), 0);
});

test("ticks stand at local midnight and leave room for their words", () => {
  const midnight = new Date(2026, 10, 16).getTime() / 1000;
  const given = axis.axis(midnight + 3600, midnight + 6.2 * 86_400, 704);

  const found = axis.ticks(given, format.day);

  assert.deepEqual(
    found.map(({ label }) => label),
    ["16 Nov", "17 Nov", "18 Nov", "19 Nov", "20 Nov", "21 Nov", "22 Nov"],
  );
});

test("entries of the last seconds fill the axis", () => {
  const given = axis.axis(1000, 1030, 400);

  const found = axis.ticks(given, format.day);

  assert.ok(given.x(1000) < 24 && given.x(1030) > 340);
  assert.ok(found.length >= 3 && found.every(({ label }) => /^\d\d:\d\d:\d\d$/.test(label)));
});

test("an entry is valid from its making until it expires", () => {
  const entry = { created: 10, expires: 20 };

  assert.deepEqual(
    [9, 10, 19, 20].map((at) => axis.isValidAt(entry, at)),
    [false, true, true, false],
  );
  assert.equal(axis.isValidAt({ created: 10, expires: null }, 1e9), true);
});

test("keys move the slider and stop at its ends", () => {
  const given = axis.axis(0, 1000, 500);

  assert.deepEqual(
    ["ArrowLeft", "PageUp", "Home", "End", "x"].map((key) => axis.moved(given, 995, key)),
    [985, 1000, 0, 1000, null],
  );
});

test("parts are imported from their text and their addresses given back", async () => {
  let revoked = 0;
  const toUrl = (/** @type {string} */ text) => ({
    url: `data:text/javascript,${encodeURIComponent(text)}`,
    revoke: () => {
      revoked += 1;
    },
  });

  const texts = {
    main: 'import * as one from "./one.js";\nimport { n } from "./two.js";\nexport const all = [one.n, n];',
    one: "export const n = 1;",
    two: 'import { n as first } from "./one.js";\nexport const n = first + 1;',
    other: "export const n = 3;",
    "a.css": "a {}",
  };
  const [main, other] = await load(texts, ["main", "other"], toUrl);

  assert.deepEqual([main.all, other.n, revoked], [[1, 2], 3, 4]);
});

test("a part that can't be read gives its address back too", async () => {
  let revoked = 0;
  const toUrl = () => ({
    url: "data:text/javascript,export const",
    revoke: () => {
      revoked += 1;
    },
  });

  await assert.rejects(load({ main: "export const" }, ["main"], toUrl), SyntaxError);
  assert.equal(revoked, 1);
});

test("each part is under 40 kB, imports only its neighbours and writes no markup", () => {
  for (const name of readdirSync(STATIC).filter((file) => file.endsWith(".js"))) {
    const text = readFileSync(new URL(name, STATIC), "utf8");
    const code = text.replace(/\/\*[\s\S]*?\*\//g, "");
    assert.ok(statSync(new URL(name, STATIC)).size < 40_000, `${name} is too long`);
    assert.doesNotMatch(code, /^\s*import\s(?!.*from "\.\/[\w-]+\.js";$)/m, `${name} imports from elsewhere`);
    assert.doesNotMatch(code, /innerHTML|outerHTML|insertAdjacentHTML|document\.write/, `${name} writes markup`);
    assert.doesNotMatch(code, /https?:\/\/(?!www\.w3\.org)/, `${name} reaches out`);
  }
});

test("colours are tokens", () => {
  const css = readFileSync(new URL("flowbook.css", STATIC), "utf8");
  const drawn = readdirSync(STATIC)
    .filter((file) => file.endsWith(".js"))
    .map((file) => readFileSync(new URL(file, STATIC), "utf8"));

  for (const text of [css, ...drawn]) assert.doesNotMatch(text, /#[0-9a-f]{3,8}\b(?=[;"'\s)])|\brgba?\(/i);
});

test("progress says its share, its rate and the time that is left", () => {
  const progress = { done: 287, total: 700, text: "", unit: "files", rate: 12.04 };

  assert.equal(format.shareOf(progress), 0.41);
  assert.equal(format.rateOf(progress), "12 files/s, 0:34 left");
  assert.equal(format.rateOf({ ...progress, total: null, rate: null }), "287 files");
  assert.equal(format.shareOf({ ...progress, total: null }), null);
});

test("a comparison says in a line what differs, and which rows are shown", () => {
  const counts = { same: 5, changed: 4, added: 1, removed: 1 };
  const diff = /** @type {any} */ ({
    kind: "table",
    counts,
    cells: { changed: 7, total: 27, most: 0.0164 },
    rows_before: 10,
    rows_after: 10,
    kinds: ["changed"],
    rows: [{ sign: "~" }],
    offset: 200,
    total: 201,
  });

  assert.equal(summaryOf(diff), "7 of 27 cells, by 1.6 % at most");
  assert.equal(summaryOf({ ...diff, kind: "lines", cells: { changed: 0, total: 4, most: null }, rows_after: 11 }), "10 \u2192 11 lines");
  assert.equal(summaryOf({ ...diff, counts: { ...counts, added: 0, removed: 0 }, cells: { changed: 0, total: 4, most: null } }), "nothing differs");
  assert.equal(footingOf(diff), "Rows 201 to 201 of 201 that differ. In a changed cell the old value is struck through, the new one is bold.");
  assert.equal(footingOf({ ...diff, rows: [], total: 0 }), "Rows of these kinds: none");
});

test("parameters and gathered lists count as no tasks", () => {
  const node = (/** @type {string} */ key) => ({ key, kind: "task", up: [], down: [], x: 0, y: 0, w: 1, h: 1 });
  const graph = { version: 1, flow: "f", svg: "", width: 1, height: 1, parameters: [], nodes: ["month", "load", "List", "total"].map(node) };
  const state = new PanelState({ ...graph, aside: ["month", "List"] });
  state.setGraph({ ...graph, aside: ["month", "List"] });

  assert.deepEqual(state.counts(), [["Pending", 2]]);
});

test("what a button that is gone did stays said, but not where to debug what is over", () => {
  const slots = slotsOfGone("parse[3]");

  assert.ok(slots.includes("retry:parse[3]") && slots.includes("run:parse[3]"));
  assert.ok(!slots.includes("debug:parse[3]"));
});
