import assert from "node:assert/strict";
import { test } from "node:test";
import { Commands, Fold, Link } from "../../flowbook/notebook/static/wire.js";

/** @typedef {import("../../flowbook/notebook/static/wire.js").Snapshot} Snapshot */

/** @param {number} seq @param {Record<string, string>} states @param {string} [id] @returns {Snapshot} */
const snapshot = (seq, states, id = "r1") => ({
  version: 1,
  seq,
  run: { id, state: "Running", stage: "running" },
  tasks: Object.fromEntries(Object.entries(states).map(([key, state]) => [key, { state }])),
});

/** @param {number} seq @param {Record<string, string>} states */
const patch = (seq, states) => ({ seq, tasks: snapshot(seq, states).tasks });

/** @param {Fold} fold */
const statesOf = (fold) => Object.fromEntries([...fold.tasks].map(([key, { state }]) => [key, state]));

/** A clock that only moves when told. */
class FakeClock {
  at = 0;
  /** @type {{at: number, call: () => void}[]} */
  #due = [];

  now = () => this.at;

  /** @param {number} ms @param {() => void} call */
  later = (ms, call) => {
    const entry = { at: this.at + ms, call };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  };

  /** @param {number} ms */
  forward(ms) {
    const end = this.at + ms;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#due = this.#due.filter((other) => other !== next);
      this.at = next.at;
      next.call();
    }
    this.at = end;
  }

  /** @param {number} end */
  #next(end) {
    return this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }
}

/** @param {{isGoing?: boolean}} [given] */
function linked({ isGoing = false } = {}) {
  const clock = new FakeClock();
  /** @type {any[]} */
  const sent = [];
  /** @type {string[]} */
  const statuses = [];
  const link = new Link({
    view: "v",
    clock,
    send: (message) => sent.push(message),
    seq: () => 7,
    onStatus: () => statuses.push(link.status),
    onLate: () => statuses.push(link.shown),
    isGoing: () => isGoing,
  });
  const ack = () => link.heard({ type: "ack", id: sent.findLast(({ type }) => type === "hello").id, ok: true });
  return { clock, sent, statuses, link, ack };
}

test("patches in order change only their tasks", () => {
  const fold = new Fold();
  fold.snapshot(snapshot(3, { a: "Success", b: "Pending" }));

  const changed = fold.patch(patch(4, { b: "Running" }));

  assert.deepEqual(changed, new Set(["b"]));
  assert.deepEqual(statesOf(fold), { a: "Success", b: "Running" });
});

test("a patch seen before changes nothing", () => {
  const fold = new Fold();
  fold.snapshot(snapshot(3, { a: "Success" }));

  const changed = fold.patch(patch(3, { a: "Failed" }));

  assert.equal(changed, "old");
  assert.deepEqual(statesOf(fold), { a: "Success" });
});

test("a gap is told and nothing is guessed over it", () => {
  const fold = new Fold();
  fold.snapshot(snapshot(3, { a: "Running", b: "Pending" }));

  const changed = fold.patch(patch(5, { b: "Running" }));

  assert.equal(changed, "gap");
  assert.deepEqual(statesOf(fold), { a: "Running", b: "Pending" });
});

test("patches that came before the snapshot of a gap are applied after it", () => {
  const fold = new Fold();
  fold.snapshot(snapshot(3, { a: "Running" }));
  fold.patch(patch(5, { a: "Retrying" }));
  fold.patch(patch(6, { a: "Failed" }));

  const result = fold.snapshot(snapshot(5, { a: "Retrying" }));

  assert.equal(result, "all");
  assert.equal(fold.seq, 6);
  assert.deepEqual(statesOf(fold), { a: "Failed" });
});

test("an older snapshot of the same run is passed over, one of another run is taken", () => {
  const fold = new Fold();
  fold.snapshot(snapshot(9, { a: "Success" }));

  const old = fold.snapshot(snapshot(4, { a: "Running" }));
  const other = fold.snapshot(snapshot(1, { a: "Pending" }, "r2"));

  assert.deepEqual([old, other], ["old", "all"]);
  assert.deepEqual(statesOf(fold), { a: "Pending" });
});

test("a second click while the first waits opens nothing", () => {
  const commands = new Commands("v");

  const ids = [commands.open("resume:a"), commands.open("resume:a"), commands.open("resume:b")];

  assert.deepEqual(ids, ["v-1", null, "v-2"]);
});

test("an ack closes its command, keeps its words, and the next click is free", () => {
  const commands = new Commands("v");
  const id = commands.open("resume:a") ?? "";

  const slot = commands.close({ id, ok: false, text: "It was cancelled." });

  assert.equal(slot, "resume:a");
  assert.equal(commands.isWaiting("resume:a"), false);
  assert.deepEqual(commands.said("resume:a"), { ok: false, text: "It was cancelled." });
  assert.equal(commands.open("resume:a"), "v-2");
  assert.equal(commands.said("resume:a"), undefined);
});

test("the newest of several answers is told", () => {
  const commands = new Commands("v");
  const asked = ["run:", "cancel:", "retry:a"].map((slot) => commands.open(slot) ?? "");
  for (const id of [asked[1] ?? "", asked[0] ?? "", asked[2] ?? ""]) commands.close({ id, ok: true, text: id });

  assert.equal(commands.newest(["run:", "cancel:"])?.text, asked[0]);
  commands.open("run:");
  assert.equal(commands.newest(["run:", "cancel:"])?.text, asked[1]);
  assert.equal(commands.newest(["hand-over:"]), undefined);
});

test("an ack to another view's command closes nothing here", () => {
  const commands = new Commands("v");
  commands.open("resume:a");

  const slot = commands.close({ id: "w-1", ok: true });

  assert.equal(slot, null);
  assert.equal(commands.isWaiting("resume:a"), true);
});

test("hello is repeated every 700 ms under one id until it is acknowledged", () => {
  const { clock, sent, link, ack } = linked();

  link.hello();
  clock.forward(1500);
  ack();
  clock.forward(5000);

  assert.deepEqual(
    sent.map(({ type, id, view, seq }) => [type, id, view, seq]),
    Array(3).fill(["hello", "v-hello-1", "v", 7]),
  );
  assert.equal(link.status, "live");
});

test("after 20 s without an answer the view gives up hurrying, and still hears a late one", () => {
  const { clock, sent, statuses, link, ack } = linked();

  link.hello();
  clock.forward(21_000);
  const hurried = sent.length;
  clock.forward(10_000);

  assert.equal(link.hasGivenUp, true);
  assert.equal(link.status, "waiting");
  assert.equal(sent.length - hurried, 1);
  ack();
  assert.deepEqual(statuses, ["waiting", "live"]);
  assert.equal(link.hasGivenUp, false);
});

test("a live run that falls silent is asked, and without an answer is no longer called live", () => {
  const { clock, statuses, link, ack } = linked({ isGoing: true });
  link.hello();
  ack();

  clock.forward(40_000);

  assert.deepEqual(statuses, ["live", "waiting"]);
});

test("a command that waits for a second is said to wait until the last one is answered, and others can be given", () => {
  const { clock, sent, statuses, link, ack } = linked();
  link.hello();
  ack();

  const first = link.command("resume", {}, "resume:a");
  clock.forward(600);
  const second = link.command("inspect", {}, "inspect:a");
  const early = [link.isLate, link.shown];
  clock.forward(500);
  const late = [link.isLate, link.shown, link.status];
  link.heard({ type: "ack", id: first ?? "", ok: true });
  const between = link.shown;
  link.heard({ type: "ack", id: second ?? "", ok: true });
  clock.forward(5000);

  assert.deepEqual([early, late, between], [[false, "live"], [true, "waiting", "live"], "waiting"]);
  assert.deepEqual([link.isLate, link.shown], [false, "live"]);
  assert.deepEqual(statuses, ["live", "waiting"]);
  assert.equal(sent.length, 3);
});

test("a command that waits when the kernel is gone is late no more", () => {
  const { clock, link, ack } = linked();
  link.hello();
  ack();
  link.command("resume", {}, "resume:a");
  clock.forward(1500);

  link.lost("It is gone.");

  assert.deepEqual([link.isLate, link.shown], [false, "unavailable"]);
});

test("a run that has ended is not asked after", () => {
  const { clock, sent, link, ack } = linked({ isGoing: false });
  link.hello();
  ack();

  clock.forward(60_000);

  assert.equal(sent.length, 1);
});

test("when the kernel goes, whoever waits is told and nothing more is sent", () => {
  const { sent, link, ack } = linked();
  link.hello();
  ack();
  link.command("resume", { key: "a" }, "resume:a");

  link.lost("The kernel went away.");
  const id = link.command("resume", { key: "a" }, "resume:a");

  assert.equal(id, null);
  assert.equal(link.status, "unavailable");
  assert.deepEqual(link.commands.said("resume:a"), { ok: false, text: "The kernel went away." });
  assert.deepEqual(
    sent.map(({ type }) => type),
    ["hello", "resume"],
  );
});

test("a comm that throws means that the kernel is gone", () => {
  const { link, ack } = linked();
  link.hello();
  ack();
  link.given.send = () => {
    throw new Error("Cannot send");
  };

  const id = link.command("resume", { key: "a" }, "resume:a");

  assert.equal(id, null);
  assert.equal(link.status, "unavailable");
  assert.deepEqual(link.commands.said("resume:a"), { ok: false, text: "Nobody is there to hear it, so this was not sent." });
});

test("a kernel that comes back is said hello to again", () => {
  const { link, ack } = linked();
  link.hello();
  ack();
  link.lost("gone");

  link.hello();
  ack();

  assert.equal(link.status, "live");
});

test("a live link that closes says one last thing, and a dead one doesn't", () => {
  const [live, dead] = [linked(), linked()];
  live.link.hello();
  live.ack();

  live.link.close({ type: "inspect", key: null });
  dead.link.close({ type: "inspect", key: null });

  assert.deepEqual(live.sent.at(-1), { id: "v-last", view: "v", type: "inspect", key: null });
  assert.deepEqual(dead.sent, []);
});

test("a closed link says nothing more", () => {
  const { clock, sent, link } = linked();
  link.hello();

  link.close();
  clock.forward(60_000);

  assert.equal(sent.length, 1);
});

test("the kernel's clock is told apart from ours", () => {
  const { clock, link } = linked();
  clock.at = 1_000_000;

  link.heard({ type: "patch", now: 1012.5 });

  assert.equal(link.skew_s, 12.5);
});
