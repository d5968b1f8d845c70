/** Announces changes to screen readers: of the run's state, and of the tasks that wait for a person. */

import * as dom from "./dom.js";
import { progress } from "./head.js";
import { isFinished } from "./states.js";

/** @typedef {import("./needs.js").Need} Need */

const MOST_URGENT = 4;

export class Announcer {
  #about = "";

  /** @param {HTMLElement} el a live region */
  constructor(el) {
    this.el = el;
  }

  /** @param {string} text */
  say(text) {
    dom.say(this.el, text);
  }

  /** @param {{flow: string, state: string, needs: Need[], counts: [string, number][]}} now */
  update({ flow, state, needs, counts }) {
    const urgent = needs.filter(({ kind }) => kind === "paused" || kind === "failed").slice(0, MOST_URGENT);
    const words = urgent.map(({ key, kind }) => (kind === "paused" ? `${key} waits for you` : `${key} failed`));
    const about = [state, ...words].join("; ");
    if (about === this.#about) return;
    this.#about = about;
    const { done, total } = progress(counts, isFinished);
    this.say(`${flow} is ${state}: ${done} of ${total} finished${words.length ? `, ${words.join(", ")}` : ""}.`);
  }
}
