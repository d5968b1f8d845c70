import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, reportModel } from "../../flowbook/notebook/static/host_report.js";
import { childrenPage, framePage } from "../../flowbook/notebook/static/report_answers.js";
import { Link } from "../../flowbook/notebook/static/wire.js";

const column = (/** @type {string} */ name, /** @type {boolean} */ numeric) => ({ name, dtype: numeric ? "int64" : "str", numeric });
const PAGE = {
  columns: [column("carrier", false), column("flights", true)],
  index: ["0", "1", "2", "3"],
  rows: [
    ["AA", "1,326"],
    ["B6", null],
    ["EV", "94"],
    ["UA", "−3"],
  ],
  offset: 0,
  total: 4,
  columns_total: 2,
  sort: null,
  descending: false,
};
const child = (/** @type {number} */ index, /** @type {string} */ state, /** @type {number | null} */ duration_s, message = "") => ({
  ...{ key: `parse[${index}]`, index, label: `file ${index}`, state, word: "", since: null, duration_s, message, rows: null },
});
const CHILDREN = {
  key: "parse",
  width: 4,
  counts: { Success: 3, Failed: 1 },
  squares: /** @type {[string, number][]} */ ([["Success", 3]]),
  total: 4,
  offset: 0,
  rows: [child(0, "Success", 2), child(1, "Failed", 1, "ValueError: August"), child(2, "Success", 5), child(3, "Success", null)],
  durations: null,
};
const wish = { state: "", query: "", order: "trouble", offset: 0, limit: 2 };

/** @param {Partial<import("../../flowbook/notebook/static/kept.js").Unpacked>} [fields] @returns {import("../../flowbook/notebook/static/kept.js").Unpacked} */
const run = (fields) => ({ graph: {}, snapshot: { now: 5 }, details: {}, answers: {}, note: "", ...fields });

test("rows are sorted as numbers or texts, missing ones last, and say how many fit", () => {
  const sorted = (/** @type {string | null} */ sort, /** @type {boolean} */ descending) =>
    framePage(PAGE, { offset: 0, limit: 100, sort, descending }).rows.map(([name]) => name);

  assert.deepEqual(sorted("flights", false), ["UA", "EV", "AA", "B6"]);
  assert.deepEqual(sorted("flights", true), ["AA", "EV", "UA", "B6"]);
  assert.deepEqual(sorted("carrier", true), ["UA", "EV", "B6", "AA"]);
  assert.deepEqual(sorted("gone", true), ["AA", "B6", "EV", "UA"]);
});

test("rows are found by a text in any cell, and a report says where it hasn't all of them", () => {
  const found = framePage({ ...PAGE, total: 900 }, { offset: 0, limit: 100, sort: null, descending: false, query: " ev " });

  assert.deepEqual([found.rows, found.index, found.fitting, found.total, found.isPart], [[["EV", "94"]], ["2"], 1, 900, true]);
});

test("rows are compared with a value, as a kernel does", () => {
  const found = (/** @type {string} */ query) => framePage(PAGE, { offset: 0, limit: 100, sort: null, descending: false, query }).rows.map(([name]) => name);

  assert.deepEqual(found("carrier == 'EV'"), ["EV"]);
  assert.deepEqual(found("carrier = ev"), []);
  assert.deepEqual(found("carrier != EV"), ["AA", "B6", "UA"]);
  assert.deepEqual(found("flights >= 94"), ["AA", "EV"]);
  assert.deepEqual(found("flights < 94"), ["UA"]);
  assert.deepEqual(found("flights > many"), []);
  assert.deepEqual(found("gate = 7"), []);
});

test("children are filtered, sorted and paged as by a kernel", () => {
  const keys = (/** @type {Partial<typeof wish>} */ change) => childrenPage(CHILDREN, { ...wish, ...change }).rows.map(({ index }) => index);

  assert.deepEqual(keys({}), [1, 2]);
  assert.deepEqual(keys({ offset: 2 }), [0, 3]);
  assert.deepEqual(keys({ order: "fastest", limit: 4 }), [1, 0, 2, 3]);
  assert.deepEqual(keys({ query: "AUGUST" }), [1]);
  assert.deepEqual(keys({ state: "Failed" }), [1]);
  assert.deepEqual(keys({ query: "nothing" }), []);
  assert.equal(childrenPage({ ...CHILDREN, width: 900 }, wish).kept, CHILDREN.rows.length);
});

test("what was told once is told no second time", () => {
  const logs = { run: "r", since: -1, next: 9, lines: [{ text: "one" }], left_out: 2 };

  assert.deepEqual(answer(run({ answers: { logs } }), { type: "logs", since: -1 }), logs);
  assert.deepEqual(answer(run({ answers: { logs } }), { type: "logs", since: 9 }), { ...logs, since: 9, lines: [], left_out: 0 });
});

test("a report answers what is inside, refuses the rest, and offers no kernel", async () => {
  const model = reportModel({ run: run({ answers: { children: { parse: CHILDREN } } }) });
  const heard = /** @type {any[]} */ ([]);
  model.on("message", (message) => heard.push(message), new AbortController().signal);

  model.send({ type: "children", id: "c1", key: "parse", ...wish });
  model.send({ type: "children", id: "c2", key: "gone", ...wish });
  const before = heard.length;
  await Promise.resolve();

  assert.equal(before, 0);
  assert.deepEqual(
    heard.map(({ type, id, ok, text }) => [type, id, ok, text]),
    [
      ["children", "c1", undefined, undefined],
      ["ack", "c1", true, ""],
      ["ack", "c2", false, "This isn't in the report."],
    ],
  );
  assert.equal(model.get("connection").state, "none");
  assert.equal(model.host, "report");
});

test("a link sends the questions that its host answers, and no command", () => {
  const sent = /** @type {any[]} */ ([]);
  const clock = { now: () => 0, later: () => () => {} };
  const link = new Link({ view: "v", clock, send: (message) => sent.push(message), seq: () => -1, onStatus: () => {}, onLate: () => {}, isGoing: () => true });

  link.follow("none", "gone", ["logs"]);
  const ids = [link.command("logs", { since: -1 }, "logs:"), link.command("resume", { key: "a" }, "resume:a")];

  assert.deepEqual([ids, link.status, link.canAsk("logs"), link.canAsk("render")], [["v-1", null], "saved", true, false]);
  assert.deepEqual(sent, [{ type: "logs", id: "v-1", view: "v", since: -1 }]);
});
