/**
 * A page's way to the server: one stream of numbered messages, and posts. A stream that is cut goes on where it stopped.
 *
 * Posts are repeated until they arrive; each message has an id, so the server carries it out once.
 */

/** @typedef {import("./host.js").Connection} Connection */
/**
 * @typedef {object} Given
 * @property {string} what what the page shows: "runs", "cache" or "run:ID"
 * @property {URL} base address of the server's pages, with a slash at its end
 * @property {() => string} by who clicks
 * @property {(message: any) => void} onMessage
 * @property {(connection: Connection) => void} onConnection
 * @property {(isFresh: boolean) => void} [onOpened] called before the first message of each stream
 * @property {AbortSignal} signal
 * @property {() => Record<string, string>} [headers] what each request shows besides
 * @property {typeof fetch} [fetcher]
 */

const FIRST_MS = 250;
const MOST_MS = 5000;
/** A cut that is shorter than this isn't shown. */
const GRACE_MS = 3000;
const GIVE_UP_MS = 20_000;
/** The server says every 15 s that it is there. */
const SILENT_MS = 40_000;
const LOOK_MS = 5000;
const AT_ONCE = 50;

const CUT = "The connection to the server is lost. Trying again.";
const GONE = "The server doesn't answer. Trying again.";
const LOGIN = "The server wants a login. Log in again, or open the address with the token that “flowbook server start” printed.";

/** The problem that an answer tells of, in words. @param {Response} answer */
export async function problemOf(answer) {
  try {
    const found = await answer.json();
    return String(found.detail ?? found.text ?? answer.statusText);
  } catch {
    return `The server answered ${answer.status} ${answer.statusText}.`;
  }
}

/** What a post shows: its type, and where a server such as Jupyter asks for it, what its cookie says. */
export function postHeaders() {
  const [, token = ""] = document.cookie.match(/(?:^|;\s*)_xsrf=([^;]*)/) ?? [];
  return { "Content-Type": "application/json", ...(token ? { "X-XSRFToken": decodeURIComponent(token) } : {}) };
}

export class PageStream {
  #name = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16)).join("");
  #after = 0;
  #wait = FIRST_MS;
  #heard = 0;
  /** Since when there has been no stream; null while there is one. @type {number | null} */
  #cutAt = Date.now();
  /** @type {Connection["state"]} */
  #state = "opening";
  /** @type {AbortController | null} */
  #turn = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Messages that haven't arrived. @type {{message: object, since: number}[]} */
  #queue = [];
  #isPosting = false;

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
  }

  /** Open the stream; it is opened again until the signal ends. */
  begin() {
    const { signal } = this.given;
    const again = () => this.#again();
    const look = setInterval(() => this.#look(), LOOK_MS);
    for (const name of ["online", "pageshow", "focus"]) window.addEventListener(name, again, { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#again(), { signal });
    signal.addEventListener("abort", () => {
      clearInterval(look);
      clearTimeout(this.#timer);
      this.#turn?.abort();
    });
    this.#open();
  }

  /** Send what a view says; it is sent again until it has arrived. @param {object} message */
  say(message) {
    if (this.#state === "none" || this.#state === "lost") throw new Error(GONE);
    this.#queue.push({ message, since: Date.now() });
    this.#post();
  }

  // The stream

  async #open() {
    const { what, base, headers, signal } = this.given;
    const ask = this.given.fetcher ?? fetch.bind(globalThis);
    clearTimeout(this.#timer);
    this.#turn?.abort();
    const turn = new AbortController();
    this.#turn = turn;
    const address = new URL("live/stream", base);
    address.search = new URLSearchParams({ what, connection: this.#name, after: String(this.#after) }).toString();
    try {
      this.#heard = Date.now();
      const answer = await ask(address, { headers: headers?.() ?? {}, signal: turn.signal, credentials: "same-origin", cache: "no-store" });
      if (!answer.ok || !answer.body) return await this.#refused(answer);
      if (!answer.headers.get("content-type")?.startsWith("text/event-stream")) return this.#askForLogin();
      await this.#read(answer.body.getReader());
    } catch {
      // The network, or another turn; either way the stream is over.
    }
    if (turn === this.#turn && !signal.aborted) this.#cut();
  }

  /** @param {Response} answer */
  async #refused(answer) {
    if (answer.status >= 500) return this.#cut();
    const text = answer.status === 401 || answer.status === 403 ? LOGIN : await problemOf(answer);
    this.#tell({ state: "none", text });
    if (answer.status !== 404) this.#later(MOST_MS);
  }

  /** Another page was given instead: that of a login. */
  #askForLogin() {
    this.#tell({ state: "none", text: LOGIN });
    this.#later(MOST_MS);
  }

  /** @param {ReadableStreamDefaultReader<Uint8Array>} reader */
  async #read(reader) {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heard = Date.now();
      text += decoder.decode(value, { stream: true });
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) this.#take(event);
    }
  }

  /** @param {string} event */
  #take(event) {
    let [number, data] = ["", ""];
    for (const line of event.split("\n")) {
      if (line.startsWith("id: ")) number = line.slice(4);
      else if (line.startsWith("data: ")) data += line.slice(6);
    }
    if (!data) return;
    const message = JSON.parse(data);
    if (message.type === "opened") return this.#opened(message.fresh === true);
    if (number) this.#after = Number(number);
    this.given.onMessage(message);
  }

  /** @param {boolean} isFresh whether the server knows nothing of what was told before */
  #opened(isFresh) {
    this.#wait = FIRST_MS;
    this.#cutAt = null;
    // Answers to what waits won't come.
    if (isFresh && this.#state === "open") this.#tell({ state: "opening" });
    this.given.onOpened?.(isFresh);
    this.#tell({ state: "open" });
    this.#post();
  }

  #cut() {
    this.#cutAt ??= Date.now();
    this.#look();
    this.#later(this.#wait);
    this.#wait = Math.min(MOST_MS, this.#wait * 2);
  }

  /** @param {number} ms */
  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), ms);
  }

  /** Whoever looks at the page again, after a sleep or from another tab, wants the present. */
  #again() {
    if (this.#cutAt !== null || Date.now() - this.#heard > SILENT_MS / 2) this.#open();
  }

  /** Say how long the stream has been cut; take one that is silent for cut. */
  #look() {
    const now = Date.now();
    if (this.#cutAt === null) {
      if (now - this.#heard > SILENT_MS) this.#open();
      return;
    }
    const cut_ms = now - this.#cutAt;
    if (cut_ms > GIVE_UP_MS) this.#giveUp();
    else if (cut_ms > GRACE_MS && this.#state === "open") this.#tell({ state: "opening", text: CUT });
  }

  #giveUp() {
    this.#queue = [];
    if (this.#state !== "none") this.#tell({ state: "lost", text: GONE });
  }

  /** @param {Connection} connection */
  #tell(connection) {
    if (connection.state === this.#state && !connection.text) return;
    this.#state = connection.state;
    this.given.onConnection(connection);
  }

  // Posts

  async #post() {
    if (this.#isPosting || !this.#queue.length || this.#cutAt !== null) return;
    this.#isPosting = true;
    const sent = this.#queue.slice(0, AT_ONCE);
    const is_taken = await this.#send(sent.map(({ message }) => message));
    this.#isPosting = false;
    if (!is_taken) return void setTimeout(() => this.#post(), FIRST_MS * 4);
    this.#queue = this.#queue.filter((each) => !sent.includes(each));
    this.#post();
  }

  /** @param {object[]} messages @returns {Promise<boolean>} */
  async #send(messages) {
    const { base, by, headers } = this.given;
    const ask = this.given.fetcher ?? fetch.bind(globalThis);
    try {
      const answer = await ask(new URL("live/say", base), {
        method: "POST",
        headers: { ...postHeaders(), ...headers?.() },
        credentials: "same-origin",
        body: JSON.stringify({ connection: this.#name, by: by(), messages }),
      });
      // The connection is gone: another stream makes a new one.
      if (answer.status === 410) this.#open();
      return answer.ok || (answer.status >= 400 && answer.status < 500 && answer.status !== 410);
    } catch {
      return false;
    }
  }
}
