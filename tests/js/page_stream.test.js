/** The stream of a page: it goes on where it was cut, says so truthfully, and loses no click. */

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.window ??= /** @type {any} */ (new EventTarget());
globalThis.document ??= /** @type {any} */ (Object.assign(new EventTarget(), { hidden: false, cookie: "_xsrf=2%7Cabc" }));
const { PageStream, postHeaders } = await import("../../flowbook/notebook/static/page_stream.js");

/** A server that a test drives: streams that it feeds and cuts, posts that it takes or refuses. */
class FakeServer {
  /** @type {{after: number, push: (text: string) => void, cut: () => void}[]} */
  streams = [];
  /** @type {any[]} */
  posts = [];
  status = 200;
  /** @type {(() => void)[]} */
  #waiting = [];

  fetcher = async (/** @type {URL} */ address, /** @type {any} */ options) => {
    if (options?.method === "POST") {
      this.posts.push(JSON.parse(options.body));
      this.#tell();
      if (this.status === 0) throw new TypeError("network");
      return new Response("{}", { status: this.status });
    }
    if (this.status !== 200) return new Response(JSON.stringify({ detail: "There is no run of that id." }), { status: this.status });
    const encoder = new TextEncoder();
    /** @type {ReadableStreamDefaultController<Uint8Array>} */
    let control;
    const body = new ReadableStream({
      start: (given) => {
        control = given;
      },
    });
    options.signal.addEventListener("abort", () => control.error(new Error("aborted")), { once: true });
    this.streams.push({
      after: Number(new URL(address).searchParams.get("after")),
      push: (text) => control.enqueue(encoder.encode(text)),
      cut: () => control.close(),
    });
    this.#tell();
    return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
  };

  #tell() {
    for (const call of this.#waiting.splice(0)) call();
  }

  /** Resolve once `is` holds. @param {() => boolean} is */
  async until(is) {
    while (!is()) await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
  }
}

/** @param {FakeServer} server */
function opened(server) {
  const end = new AbortController();
  /** @type {any[]} */
  const [heard, connections] = [[], []];
  /** @type {(() => void)[]} */
  const waiting = [];
  const tell = () => {
    for (const call of waiting.splice(0)) call();
  };
  const stream = new PageStream({
    what: "runs",
    base: new URL("http://127.0.0.1/x/"),
    by: () => "ana",
    onMessage: (message) => heard.push(message) && tell(),
    onConnection: (connection) => connections.push(connection.state) && tell(),
    signal: end.signal,
    fetcher: /** @type {any} */ (server.fetcher),
  });
  stream.begin();
  const until = async (/** @type {() => boolean} */ is) => {
    while (!is()) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  };
  return { stream, heard, connections, end, until };
}

const event = (/** @type {number} */ number) => `id: ${number}\ndata: {"type":"n","n":${number}}\n\n`;

test("a stream that is cut is opened again from the last number, and a cut message comes whole", async () => {
  const server = new FakeServer();
  const page = opened(server);
  await server.until(() => server.streams.length === 1);
  server.streams[0]?.push('data: {"type":"opened","fresh":true}\n\n');
  server.streams[0]?.push(event(1) + event(2).slice(0, 9));
  server.streams[0]?.push(event(2).slice(9));
  await page.until(() => page.heard.length === 2);
  server.streams[0]?.push(event(3).slice(0, 12));
  server.streams[0]?.cut();
  await server.until(() => server.streams.length === 2);
  server.streams[1]?.push('data: {"type":"opened","fresh":false}\n\n: alive\n\n');
  server.streams[1]?.push(event(3));
  await page.until(() => page.heard.length === 3);
  page.end.abort();

  assert.deepEqual(
    server.streams.map(({ after }) => after),
    [0, 2],
  );
  assert.deepEqual(
    page.heard.map((/** @type {any} */ { n }) => n),
    [1, 2, 3],
  );
  assert.deepEqual(page.connections, ["open"], "a short cut isn't shown");
});

test("a post that doesn't arrive is sent again with the same id", async () => {
  const server = new FakeServer();
  const page = opened(server);
  await server.until(() => server.streams.length === 1);
  server.streams[0]?.push('data: {"type":"opened","fresh":true}\n\n');
  await page.until(() => page.connections.length === 1);
  server.status = 0;
  page.stream.say({ type: "resume", id: "c1" });
  await server.until(() => server.posts.length === 1);
  server.status = 200;
  await server.until(() => server.posts.length === 2);
  page.end.abort();

  assert.deepEqual(server.posts[1].messages, [{ type: "resume", id: "c1" }]);
  assert.deepEqual(server.posts[0].messages, server.posts[1].messages);
  assert.equal(server.posts[1].by, "ana");
});

test("a run that isn't there is said, and not asked for again", async () => {
  const server = new FakeServer();
  server.status = 404;
  const page = opened(server);
  await page.until(() => page.connections.length === 1);
  page.end.abort();

  assert.deepEqual(page.connections, ["none"]);
  assert.throws(() => page.stream.say({ type: "resume", id: "c1" }));
});

test("a post shows the cookie that Jupyter asks for", () => {
  assert.equal(/** @type {any} */ (postHeaders())["X-XSRFToken"], "2|abc");
});
