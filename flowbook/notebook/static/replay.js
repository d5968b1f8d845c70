/** The replay of a run: a slider over its changes, and what the counts were at that moment. */

import * as dom from "./dom.js";
import * as format from "./format.js";
import * as states from "./states.js";

/** @typedef {import("./changes.js").Changes} Changes */

const PLAY_MS = 100;
/** A whole run is played in this many steps. */
const STEPS = 150;
const MOST_MARKS = 60;

/** The moment of the change after or before `moment`; null if there is none. @param {number[]} moments in order @param {number} moment @param {1 | -1} way */
export function neighbour(moments, moment, way) {
  if (way > 0) return moments.find((at) => at > moment) ?? null;
  return moments.findLast((at) => at < moment) ?? null;
}

/** `change 13 of 29: parse[3] is Running`. @param {Changes} changes @param {number} moment */
export function aboutMoment({ list }, moment) {
  const n = list.reduce((count, { at }) => count + (at <= moment ? 1 : 0), 0);
  const last = list[n - 1];
  const what = last ? `: ${last.key ? `${last.key} is` : "the run is"} ${last.word}` : "";
  return `change ${format.thousands(n)} of ${format.thousands(list.length)}${what}`;
}

export class Replay {
  #slider = dom.h("input", { type: "range", min: 0, step: 1, "data-action": "replay", "aria-label": "Moment of the run" });
  #said = dom.h("span", { class: "grow" });
  #marks = dom.h("div", { class: "marks", "aria-hidden": "true" });
  #counts = dom.h("div", { class: "counts" });
  #play = dom.button("replay-play", dom.icon(states.GLYPHS.Running ?? []), { class: "icon", "aria-label": "Play", "aria-pressed": "false" });
  #back = dom.button("replay-now", "Back to now");
  /** @type {Changes | null} */
  #changes = null;
  #end = 0;
  #marked = "";
  /** @type {number | null} */
  #moment = null;
  /** @type {(() => void) | null} */
  #stop = null;

  /** @param {{el: HTMLElement, signal: AbortSignal, clock: import("./wire.js").Clock, onMoment: (moment: number | null) => void}} given */
  constructor(given) {
    this.given = given;
    const { el, signal } = given;
    const step = (/** @type {string} */ action, /** @type {string} */ sign, /** @type {string} */ label) =>
      dom.button(action, dom.icon(states.SIGNS[sign] ?? []), { class: "icon", title: label, "aria-label": label });
    const group = dom.h(
      "span",
      { class: "group" },
      step("replay-before", "previous", "Previous change"),
      this.#play,
      step("replay-after", "next", "Next change"),
    );
    el.replaceChildren(dom.h("div", { class: "row" }, dom.h("h4", {}, "Replay"), group, this.#said, this.#back), this.#slider, this.#marks, this.#counts);
    this.#slider.addEventListener("input", () => this.#move(Number(this.#slider.value)), { signal });
    el.addEventListener("click", (event) => this.#click(event), { signal });
  }

  /** @param {{changes: Changes, end: number, moment: number | null, counts: [string, number][]}} shown `end` is now, or the end of the run */
  update({ changes, end, moment, counts }) {
    this.#changes = changes;
    this.#moment = moment;
    this.#end = Math.max(1, Math.round(end));
    const at = moment ?? this.#end;
    dom.set(this.#slider, { max: this.#end, "aria-valuetext": `${format.clock(at / 1000)} of ${format.clock(this.#end / 1000)}` });
    if (Number(this.#slider.value) !== at) this.#slider.value = String(at);
    const text = `${clockOf(at, this.#end)} of ${clockOf(this.#end, this.#end)}, ${aboutMoment(changes, at)}`;
    dom.say(this.#said, moment === null ? `now, ${format.plural(changes.list.length, "change")}` : text);
    const why = moment === null ? "This is now" : null;
    dom.set(this.#back, { "aria-disabled": why ? "true" : null, title: why, "data-title": "" });
    this.#mark(changes);
    this.#counts.hidden = moment === null;
    const parts = counts.map(([state, n]) =>
      dom.h("span", { class: "count", "data-state": state }, dom.icon(states.glyphOf(state)), dom.h("b", {}, format.thousands(n)), state),
    );
    this.#counts.replaceChildren(dom.h("span", { class: "dim" }, `At ${clockOf(at, this.#end)}:`), ...parts);
  }

  /** Stop playing. */
  stop() {
    this.#stop?.();
    this.#stop = null;
    dom.set(this.#play, { "aria-pressed": "false", title: "Play" });
  }

  /** Where something failed, waited or was tried again. @param {Changes} changes */
  #mark(changes) {
    const told = changes.list.filter((change) => change.key && isTold(change, changes)).slice(-MOST_MARKS);
    const about = JSON.stringify([told.length, this.#end, changes.run]);
    if (about === this.#marked) return;
    this.#marked = about;
    const marks = told.map(({ at, state, key, word }) => {
      const mark = dom.h("span", { "data-state": state, title: `${key}: ${word}` }, dom.icon(states.glyphOf(word)));
      mark.style.left = `${(100 * at) / this.#end}%`;
      return mark;
    });
    this.#marks.replaceChildren(...marks);
  }

  /** @param {number | null} moment */
  #move(moment) {
    this.stop();
    this.given.onMoment(moment !== null && moment >= this.#end ? null : moment);
  }

  /** @param {Event} event */
  #click(event) {
    const control = event.target instanceof Element ? event.target.closest("button[data-action]") : null;
    const action = control?.getAttribute("data-action");
    if (!action || control?.getAttribute("aria-disabled") === "true") return;
    if (action === "replay-now") this.#move(null);
    else if (action === "replay-before") this.#step(-1);
    else if (action === "replay-after") this.#step(1);
    else if (action === "replay-play") this.#toggle();
  }

  /** @param {1 | -1} way */
  #step(way) {
    const at = neighbour(this.#changes?.moments() ?? [], this.#moment ?? this.#end, way);
    if (at !== null) this.#move(at);
  }

  #toggle() {
    if (this.#stop) return this.stop();
    this.play();
  }

  /** Go on from the moment that is shown, or from the start. */
  play() {
    dom.set(this.#play, { "aria-pressed": "true", title: "Pause" });
    if (this.#moment === null) this.given.onMoment(0);
    this.#next();
  }

  #next() {
    this.#stop = this.given.clock.later(PLAY_MS, () => {
      const next = (this.#moment ?? 0) + this.#end / STEPS;
      this.given.onMoment(next >= this.#end ? null : Math.round(next));
      if (next >= this.#end) this.stop();
      else this.#next();
    });
  }
}

/** Whether a change is marked: a failure, unless another attempt follows at once, and what waited. @param {import("./changes.js").Change} change @param {Changes} changes */
function isTold(change, changes) {
  if (!states.isFailed(change.state)) return change.state === "Paused" || change.state === "Retrying";
  const all = changes.byKey.get(change.key) ?? [];
  return all[all.indexOf(change) + 1]?.state !== "Retrying";
}

/** Short runs are told in tenths of a second. @param {number} ms @param {number} end */
const clockOf = (ms, end) => (end < 20_000 ? `${(ms / 1000).toFixed(end < 1000 ? 3 : 1)} s` : format.clock(ms / 1000));
