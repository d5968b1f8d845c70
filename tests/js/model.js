/** A model as the host gives it to a view, without a kernel. */

/** Keeps traits and messages; a test says what the kernel answers. */
export class FakeModel {
  /** @type {any[]} */
  sent = [];
  comm_live = true;
  /** @type {(message: any) => void} */
  onSend = () => {};
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  #heard = new Map();

  /** @param {Record<string, unknown>} traits */
  constructor(traits) {
    this.traits = { ...traits };
  }

  /** @param {string} name @returns {any} */
  get(name) {
    return this.traits[name];
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    this.traits[name] = value;
    this.trigger(`change:${name}`);
  }

  save_changes() {}

  /** @param {string} name @param {(...args: any[]) => void} call */
  on(name, call) {
    if (!this.#heard.has(name)) this.#heard.set(name, new Set());
    this.#heard.get(name)?.add(call);
  }

  /** @param {string} name @param {(...args: any[]) => void} call */
  off(name, call) {
    this.#heard.get(name)?.delete(call);
  }

  /** @param {any} message */
  send(message) {
    this.sent.push(message);
    this.onSend(message);
  }

  /** As the kernel's message. @param {any} message */
  tell(message) {
    this.trigger("msg:custom", message, []);
  }

  /** @param {string} name @param {...unknown} args */
  trigger(name, ...args) {
    for (const call of [...(this.#heard.get(name) ?? [])]) call(...args);
  }

  get listeners() {
    return [...this.#heard.values()].reduce((sum, calls) => sum + calls.size, 0);
  }
}
