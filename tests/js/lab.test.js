import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { unpack } from "../../flowbook/notebook/static/kept.js";
import { Links } from "../../flowbook/notebook/static/lab_connection.js";
import { Notices, noticeOf } from "../../flowbook/notebook/static/lab_notices.js";
import { grouped, news } from "../../flowbook/notebook/static/lab_overview.js";
import { buttonsOf } from "../../flowbook/notebook/static/lab_sidebar.js";

/** @typedef {import("../../flowbook/notebook/static/lab_overview.js").Row} Row */

/** @param {Partial<Row>} fields @returns {Row} */
const row = (fields) => ({
  ...{
    id: "r",
    flow: "delays",
    number: 1,
    state: "Success",
    message: "",
    since: null,
    started: 10,
    ended: null,
    due: null,
    took_s: null,
    counts: {},
    origin: "",
  },
  ...fields,
});

/** A signal of Lumino's. */
class Signal {
  /** @type {Set<(sender: any, message: any) => void>} */
  slots = new Set();
  connect = (/** @type {any} */ slot) => this.slots.add(slot);
  disconnect = (/** @type {any} */ slot) => this.slots.delete(slot);
  emit = (/** @type {any} */ message) => {
    for (const slot of [...this.slots]) slot(null, message);
  };
}

/** A kernel connection that notes what it is sent. */
class FakeKernel {
  id = "k";
  clientId = "c";
  username = "u";
  handleComms = true;
  isDisposed = false;
  connectionStatus = "connected";
  info = Promise.resolve({ supported_features: ["kernel subshells"] });
  statusChanged = new Signal();
  connectionStatusChanged = new Signal();
  iopubMessage = new Signal();
  disposed = new Signal();
  /** @type {any[]} */
  sent = [];
  /** What was sent on the control channel. @type {string[]} */
  asked = [];
  /** @type {any} */
  comm = null;

  createComm() {
    this.comm = { commId: `comm-${this.sent.length}`, dispose() {} };
    return this.comm;
  }

  /** @param {any} message */
  sendShellMessage(message) {
    this.sent.push(message);
  }

  /** @param {any} message */
  sendControlMessage(message) {
    this.asked.push(message.header.msg_type);
    /** @type {{onReply: (reply: any) => void}} */
    const future = { onReply: () => {} };
    queueMicrotask(() => future.onReply({ content: message.header.msg_type === "list_subshell_request" ? { subshell_id: [] } : { subshell_id: "sub" } }));
    return future;
  }

  /** @param {[string, any][]} told */
  tell(...told) {
    this.comm.onMsg({ content: { data: { told } } });
  }

  get types() {
    return this.sent.map(({ header, content }) => [header.msg_type, content.data?.type ?? "", header.subshell_id]);
  }
}

const messages = {
  createMessage: (/** @type {any} */ { msgType, channel, content }) => ({ header: { msg_type: msgType }, channel, content }),
};

class FakeStorage {
  /** @type {Map<string, string>} */
  kept = new Map();
  getItem = (/** @type {string} */ name) => this.kept.get(name) ?? null;
  setItem = (/** @type {string} */ name, /** @type {string} */ value) => this.kept.set(name, value);
}

Object.assign(globalThis, { window: new EventTarget(), localStorage: new FakeStorage() });

/** A panel that notes how it is connected. @param {string} name */
const panel = (name) => {
  /** @type {any[]} */
  const seen = [];
  return {
    panel: name,
    seen,
    watched: () => ({ panel: name, run: "r", stamp: "s", graph: true }),
    hear: (/** @type {any} */ message) => seen.push(message.type),
    connect: (/** @type {any} */ connection) => seen.push(connection.state),
  };
};

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A link whose comm is open, with one panel. */
async function opened() {
  const kernel = new FakeKernel();
  const links = new Links(messages);
  const link = links.to(kernel);
  const end = new AbortController();
  const first = panel("p");
  link.watch(first, end.signal);
  await settled();
  return { kernel, links, link, first, end };
}

test("a subshell is asked for while flowbook is loaded, and the comm opens as soon as it is", async () => {
  const kernel = new FakeKernel();
  const link = new Links(messages).to(kernel);
  const parent_header = { msg_id: "load" };

  kernel.iopubMessage.emit({ header: { msg_type: "execute_input" }, content: { code: "%load_ext flowbook" }, parent_header });
  await settled();
  const meanwhile = [[...kernel.asked], kernel.types];
  kernel.iopubMessage.emit({ header: { msg_type: "status" }, content: { execution_state: "idle" }, parent_header });
  await settled();
  link.end();

  assert.deepEqual(meanwhile, [["list_subshell_request", "create_subshell_request"], []]);
  assert.deepEqual(kernel.asked, ["list_subshell_request", "create_subshell_request"]);
  assert.deepEqual(kernel.types[0], ["comm_open", "watch", "sub"]);
});

test("a kernel without subshells answers between cells, and its panels know", async () => {
  const kernel = new FakeKernel();
  kernel.info = Promise.resolve({ supported_features: [] });
  const link = new Links(messages).to(kernel);
  const texts = /** @type {string[]} */ ([]);
  link.watch({ ...panel("p"), connect: ({ state, text }) => texts.push(`${state}: ${text}`) }, new AbortController().signal);
  await settled();

  kernel.tell(["", { type: "open" }], ["p", { type: "watched" }]);
  link.end();

  assert.deepEqual([kernel.asked, kernel.types[0]], [[], ["comm_open", "watch", undefined]]);
  assert.match(texts.find((text) => text.startsWith("open: ")) ?? "", /answers when the running cell has ended/);
});

test("a link opens one comm on a subshell for all its panels, and says which it wants", async () => {
  const { kernel, links, link, first, end } = await opened();
  kernel.tell(["", { type: "open" }], ["p", { type: "watched" }]);
  const second = panel("q");
  link.watch(second, end.signal);
  kernel.tell(["q", { type: "watched" }], ["q", { type: "patch" }]);

  assert.deepEqual(kernel.types, [
    ["comm_open", "watch", "sub"],
    ["comm_msg", "watch", "sub"],
  ]);
  assert.deepEqual(kernel.sent[0].content.data.panels, [{ panel: "p", run: "r", stamp: "s", graph: true }]);
  assert.equal(links.to(kernel), link);
  assert.deepEqual(first.seen, ["opening", "opening", "open"]);
  assert.deepEqual(second.seen, ["opening", "open", "patch"]);
  link.end();
});

test("a panel that came while the comm was opened is asked for once it is open", async () => {
  const { kernel, link, end } = await opened();
  link.watch(panel("late"), end.signal);

  kernel.tell(["", { type: "open" }]);

  assert.deepEqual(
    kernel.sent.map(({ content }) => content.data.panels?.map((/** @type {any} */ each) => each.panel)),
    [["p"], ["late"]],
  );
  link.end();
});

test("a panel that goes is unwatched, unless another view shows it", async () => {
  const { kernel, link, end } = await opened();
  kernel.tell(["", { type: "open" }]);
  const copy = new AbortController();
  link.watch(panel("p"), copy.signal);
  const before = kernel.sent.length;

  copy.abort();
  const between = kernel.sent.length;
  end.abort();

  assert.equal(between, before);
  assert.deepEqual(kernel.sent.at(-1).content.data, { type: "unwatch", panels: ["p"] });
  link.end();
});

test("a kernel that doesn't know flowbook is asked again only after a cell that mentions it", async () => {
  const { kernel, link, first } = await opened();
  const cell = (/** @type {string} */ code, /** @type {string} */ id) => {
    kernel.iopubMessage.emit({ header: { msg_type: "execute_input" }, content: { code }, parent_header: { msg_id: id } });
    kernel.iopubMessage.emit({ header: { msg_type: "status" }, content: { execution_state: "idle" }, parent_header: { msg_id: id } });
  };

  kernel.comm.onClose();
  const said = first.seen.at(-1);
  cell("1 + 1", "a");
  await settled();
  const before = kernel.sent.length;
  cell("%load_ext flowbook", "b");
  await settled();

  assert.equal(said, "none");
  assert.equal(link.state, "opening");
  assert.deepEqual([before, kernel.types.at(-1)], [1, ["comm_open", "watch", "sub"]]);
  link.end();
});

test("a page that the kernel has taken for gone opens another comm at once", async () => {
  const { kernel, link, first } = await opened();
  kernel.tell(["", { type: "open" }], ["p", { type: "watched" }]);

  kernel.comm.onClose();
  await settled();
  kernel.tell(["", { type: "open" }], ["p", { type: "watched" }]);

  assert.deepEqual(
    kernel.types.map(([type]) => type),
    ["comm_open", "comm_open"],
  );
  assert.equal(first.seen.at(-1), "open");
  link.end();
});

test("a restart, another version and a forgotten run are one sentence each", async () => {
  const { kernel, link } = await opened();
  /** @type {any[]} */
  const told = [];
  link.watch({ ...panel("p"), connect: (connection) => told.push(connection) }, new AbortController().signal);

  kernel.tell(["p", { type: "forgotten", text: "There is no run 'r'." }]);
  kernel.tell(["", { type: "version", wire: 2 }]);
  kernel.statusChanged.emit("restarting");

  assert.deepEqual(told.slice(1), [
    { state: "none", text: "There is no run 'r'.", remedy: null },
    { state: "none", text: "Page and kernel have different versions of flowbook. Restart the kernel, and reload the page.", remedy: null },
    { state: "none", text: "The kernel was restarted. %load_ext flowbook makes this panel live again.", remedy: "make-live", ended: true },
  ]);
  link.end();
});

test("a link that ends closes its comm and leaves no listener", async () => {
  const { kernel, links, link } = await opened();
  kernel.tell(["", { type: "open" }]);

  kernel.disposed.emit(undefined);

  assert.equal(kernel.types.at(-1)?.[0], "comm_close");
  const signals = [kernel.statusChanged, kernel.connectionStatusChanged, kernel.iopubMessage, kernel.disposed];
  assert.deepEqual(
    signals.map(({ slots }) => slots.size),
    [0, 0, 0, 0],
  );
  assert.notEqual(links.to(kernel), link);
  links.to(kernel).end();
});

test("what was kept is unpacked, and inputs that are outputs of others get their previews", async () => {
  const kept = {
    details: {
      a: { output: { text: "3" } },
      b: {
        inputs: [
          { name: "x", from: "a", preview: null },
          { name: "k", from: null, preview: null },
        ],
      },
    },
  };
  const packed = deflateSync(JSON.stringify(kept)).toString("base64");

  const { details } = await unpack({ wire: 1, panel: "p", run: "r", flow: "f", stamp: "", packed });

  assert.deepEqual(
    details.b.inputs.map((/** @type {any} */ { preview }) => preview),
    [{ text: "3" }, null],
  );
});

test("runs are grouped by what they ask of a person", () => {
  const runs = [
    row({ id: "a", state: "Paused" }),
    row({ id: "b", state: "Running" }),
    row({ id: "c", state: "Failed", ended: 100_000 }),
    row({ id: "d", state: "Failed", ended: 1 }),
    row({ id: "e", state: "Scheduled", due: 9 }),
    row({ id: "f", state: "Scheduled", due: 5 }),
    row({ id: "g" }),
  ];

  const found = Object.entries(grouped(runs, 100_001)).map(([name, rows]) => [name, rows.map(({ id }) => id).join("")]);

  assert.deepEqual(found, [
    ["waiting", "a"],
    ["going", "b"],
    ["failed", "c"],
    ["scheduled", "fe"],
  ]);
});

test("what failed before midnight is still told after it, and also what nobody saw the end of", () => {
  const midnight = new Date(2026, 11, 1).getTime() / 1000;
  const runs = [
    row({ id: "a", state: "Failed", ended: midnight - 600 }),
    row({ id: "b", state: "Crashed", since: midnight - 600 }),
    row({ id: "c", state: "Failed", ended: midnight - 86_000 }),
    row({ id: "d", state: "Crashed", since: midnight - 86_000 }),
    row({ id: "e", since: midnight - 600 }),
  ];

  const { failed } = grouped(runs, midnight + 600);

  assert.deepEqual(
    failed.map(({ id }) => id),
    ["a", "b"],
  );
});

test("news are runs that came to something since the last look", () => {
  const before = new Map([
    ["a", "Running"],
    ["b", "Paused"],
  ]);
  const runs = [
    row({ id: "a", state: "Failed" }),
    row({ id: "b", state: "Paused" }),
    row({ id: "old", ended: 40 }),
    row({ id: "new", ended: 60 }),
    row({ id: "x", state: "Running" }),
  ];

  assert.deepEqual(
    news(before, runs, 50).map(({ id }) => id),
    ["a", "new"],
  );
});

test("a run is told once, a short success never", () => {
  /** @type {string[]} */
  const told = [];
  const notification = { emit: (/** @type {string} */ text, /** @type {string} */ kind) => told.push(`${kind}: ${text}`) };
  const notices = new Notices({ notification, after_s: () => 60, isOn: () => true, show: () => {} });
  Object.assign(globalThis, { document: { hidden: false } });

  for (const run of [row({ state: "Paused", message: "approve waits." }), row({ state: "Paused", message: "approve waits." }), row({ took_s: 5 })])
    notices.tell(run);

  assert.deepEqual(told, ["warning: delays, run 1 waits for you. approve waits."]);
  assert.deepEqual(noticeOf(row({ took_s: 75.4 }), 60), { text: "delays, run 1 succeeded after 75 s.", kind: "success" });
  assert.deepEqual(noticeOf(row({ state: "Crashed" }), 60), { text: "delays, run 1: Crashed.", kind: "error" });
});

test("a run that is being cancelled can be stopped at once, and one that goes on can be cancelled", () => {
  const offered = (/** @type {"going" | "waiting"} */ group, /** @type {string} */ state) => buttonsOf(group, row({ state }), true).map(([action]) => action);

  assert.deepEqual(offered("going", "Running"), ["show", "cancel"]);
  assert.deepEqual(offered("going", "Cancelling"), ["show", "cancel-now"]);
  assert.deepEqual(offered("waiting", "Paused"), ["resume", "skip", "reject", "show"]);
});
