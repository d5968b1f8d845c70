/**
 * Asks the kernel one kind of question: one at a time, not too often, and in the end the newest.
 *
 * No DOM; the clock is an argument.
 */

/** @typedef {import("./wire.js").Link} Link */
/** @typedef {import("./wire.js").Clock} Clock */
/** @typedef {{type: string, link: Pick<Link, "command" | "canAsk">, clock: Clock, every_ms: number, onAnswer: (answer: any) => void}} Given */

export class Asker {
  /** Id of the question that waits for its acknowledgement. @type {string | null} */
  #id = null;
  /** The question to ask next. @type {Record<string, unknown> | null} */
  #wanted = null;
  #last = Number.NEGATIVE_INFINITY;
  /** @type {(() => void) | null} */
  #stop = null;

  /** @param {Given} given `every_ms` is the least time between two questions */
  constructor(given) {
    this.given = given;
  }

  /** Ask now, or once the question before is answered. @param {Record<string, unknown>} fields */
  ask(fields) {
    this.#wanted = fields;
    this.#step();
  }

  /** Whether a question waits for its answer, or for its turn. */
  get isBusy() {
    return this.#id !== null || this.#wanted !== null;
  }

  /** Take an answer to the question of this view. @param {{type: string, id?: string}} message */
  hear(message) {
    if (message.type !== this.given.type || message.id !== this.#id) return false;
    this.given.onAnswer(message);
    return true;
  }

  /** Take an answer that nobody asked for: one that was kept. @param {any} answer */
  take(answer) {
    this.given.onAnswer(answer);
  }

  /** The question with this id was acknowledged, or refused. @param {string} id */
  acked(id) {
    if (id !== this.#id) return;
    this.#id = null;
    this.#step();
  }

  /** No answer will come to what was asked. */
  reset() {
    this.#id = null;
    this.#stop?.();
    this.#stop = null;
    this.#step();
  }

  /** Ask nothing more. */
  forget() {
    this.#wanted = null;
    this.#stop?.();
    this.#stop = null;
  }

  #step() {
    const { link, clock, every_ms, type } = this.given;
    if (this.#wanted === null || this.#id !== null || this.#stop !== null || !link.canAsk(type)) return;
    const wait = every_ms - (clock.now() - this.#last);
    if (wait > 0) {
      this.#stop = clock.later(wait, () => {
        this.#stop = null;
        this.#step();
      });
      return;
    }
    const fields = this.#wanted;
    this.#id = link.command(type, fields, `${type}:`);
    if (this.#id === null) return;
    this.#wanted = null;
    this.#last = clock.now();
  }
}
