/** A menu beside what opened it: of a task, or of the flow. Each line says what it would run; the kernel tells. */

import * as dom from "./dom.js";

/** @typedef {{what: string, text: string, why: string}} Entry */
/** @typedef {{root: HTMLElement, signal: AbortSignal, ask: (key: string) => void}} Given */

/** What each choice is called. @type {Record<string, string>} */
export const LABELS = {
  "only-this": "Only this",
  "run-from": "From here",
  "up-to": "Up to here",
  "only-changed": "Only what changed",
  all: "Run",
  "without-cache": "Without the cache",
};
/** The choices of a task, and of the flow. */
const OF_TASK = ["only-this", "run-from", "up-to", "only-changed"];
const OF_FLOW = ["all", "only-changed", "without-cache"];
const GAP = 4;

/** Which line an arrow key goes to. @param {number} at @param {number} count @param {string} key @returns {number | null} */
export function moved(at, count, key) {
  if (key === "ArrowDown") return (at + 1) % count;
  if (key === "ArrowUp") return (at + count - 1) % count;
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}

/** Keys that alone say nothing. */
const MODIFIERS = new Set(["Shift", "Control", "Alt", "Meta"]);

/** A click elsewhere, Escape or a key for something else closes it; that a program moves the focus, as JupyterLab does to the next cell, doesn't. */
export class Menu {
  #el = dom.h("div", { class: "menu", role: "menu", hidden: true });
  #key = "";
  /** The line that had the focus last. */
  #at = 0;
  /** What has the focus again when it closes. @type {Element | null} */
  #opener = null;

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    const { root, signal } = given;
    // The menu hears a key before the page that took the focus does.
    window.addEventListener("keydown", (event) => this.#onKey(event), { signal, capture: true });
    document.addEventListener("pointerdown", (event) => this.#isOutside(event.target) && this.close(false), { signal, capture: true });
    window.addEventListener("blur", () => document.activeElement instanceof HTMLIFrameElement && this.close(false), { signal });
    root.append(this.#el);
  }

  /** Open the menu of a task, or of the flow ("") beside `opener`. @param {string} key @param {Element} opener */
  open(key, opener) {
    this.#key = key;
    this.#opener = opener;
    const entries = (key ? OF_TASK : OF_FLOW).map((what) => ({ what, text: "…", why: "" }));
    dom.set(this.#el, { "aria-label": key ? `Run a part: ${key}` : "Run", "data-task": key || null });
    this.#el.hidden = false;
    this.#show(entries);
    this.#place(opener);
    this.#goTo(0);
    this.given.ask(key);
  }

  /** @param {{key: string, entries: Entry[]}} answer */
  take({ key, entries }) {
    if (key !== this.#key || this.#el.hidden) return;
    this.#show(entries);
    // Its lines are longer now.
    if (this.#opener) this.#place(this.#opener);
  }

  /** @param {boolean} isReturning whether what opened it gets the focus back */
  close(isReturning) {
    if (this.#el.hidden) return;
    this.#el.hidden = true;
    if (isReturning) /** @type {HTMLElement | null} */ (this.#opener)?.focus({ preventScroll: true });
  }

  /** @param {Entry[]} entries */
  #show(entries) {
    const task = this.#key || null;
    dom.keyed(
      this.#el,
      entries,
      ({ what }) => what,
      ({ what }) => dom.button(what, [LABELS[what] ?? what, dom.h("span")], { role: "menuitem", tabindex: -1, "data-choice": what }),
      (item, { text, why }) => {
        dom.set(item, { "data-task": task, "aria-disabled": why ? "true" : null, title: why || null, "aria-description": why || null });
        dom.say(/** @type {Element} */ (item.lastElementChild), text);
      },
    );
  }

  /** Right of a node, or left of it; below a button, or where there is no room beside. @param {Element} opener */
  #place(opener) {
    const [from, room] = [opener.getBoundingClientRect(), this.given.root.getBoundingClientRect()];
    const { offsetWidth: wide, offsetHeight: high, style } = this.#el;
    const right = from.right - room.left + GAP;
    const beside = right + wide <= room.width ? right : from.left - room.left - wide - GAP;
    const isBelow = beside < 0 || opener.localName === "button";
    const left = isBelow ? Math.min(from.left - room.left, right - GAP - wide) : beside;
    const top = isBelow ? from.bottom - room.top + GAP : from.top - room.top;
    style.left = `${Math.max(GAP, Math.min(left, room.width - wide - GAP))}px`;
    style.top = `${Math.max(GAP, Math.min(top, room.height - high - GAP))}px`;
  }

  /** @param {EventTarget | null} target */
  #isOutside(target) {
    return !this.#el.hidden && !(target instanceof Node && this.#el.contains(target));
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (this.#el.hidden || MODIFIERS.has(event.key)) return;
    const isElsewhere = this.#isOutside(document.activeElement);
    const isForAnother = event.ctrlKey || event.metaKey || event.altKey;
    if (!isElsewhere) this.#at = [...this.#el.children].indexOf(/** @type {Element} */ (document.activeElement));
    const next = isForAnother ? null : moved(this.#at, this.#el.children.length, event.key);
    if (next !== null) this.#goTo(next);
    else if (event.key === "Escape" || event.key === "Tab") this.close(true);
    else if (isElsewhere && !isForAnother && (event.key === "Enter" || event.key === " ")) this.#goTo(this.#at)?.click();
    else if (isElsewhere || isForAnother) return this.close(false);
    else return event.stopPropagation();
    event.stopPropagation();
    event.preventDefault();
  }

  /** @param {number} at */
  #goTo(at) {
    this.#at = at;
    const item = /** @type {HTMLElement | undefined} */ (this.#el.children[at]);
    item?.focus({ preventScroll: true });
    return item;
  }
}
