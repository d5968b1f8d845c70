/** An input of a task that waits, beside what was approved last: which rows, cells and columns differ. The server compares. */

import { footingOf } from "./diff.js";
import { diffTable } from "./diff_table.js";
import * as dom from "./dom.js";
import * as format from "./format.js";

/** @typedef {import("./diff.js").Diff} Diff */
/** @typedef {{offset: number, key?: string[]}} Asked */
/** @typedef {{el: HTMLElement, ask: (asked: Asked) => Promise<Diff | string>}} Given `ask` returns why there is no answer, as a text */

const LIMIT = 100;
/** Kind, sign, word, colour. @type {[keyof Diff["counts"], string, string, string][]} */
const KINDS = [
  ["added", "+", "added", "success"],
  ["removed", "\u2212", "removed", "failed"],
  ["changed", "~", "changed", "running"],
  ["same", "=", "the same", "waiting"],
];

export class InputDiff {
  /** @type {Diff | null} */
  #diff = null;
  /** @type {Asked} */
  #asked = { offset: 0 };
  #isAsking = false;
  #said = dom.h("p", { class: "pad dim", role: "status" }, "Comparing\u2026");

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
    dom.set(given.el, { "data-flowbook": "diff" });
    given.el.replaceChildren(this.#said);
    this.#ask({ offset: 0 });
  }

  /** @param {Asked} asked */
  async #ask(asked) {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const found = await this.given.ask({ ...this.#asked, ...asked });
    this.#isAsking = false;
    if (typeof found !== "string") {
      this.#asked = { ...this.#asked, ...asked };
      this.#diff = found;
    }
    this.#draw(typeof found === "string" ? found : found.told);
  }

  /** @param {string} said */
  #draw(said) {
    dom.say(this.#said, said);
    const diff = this.#diff;
    this.given.el.replaceChildren(
      ...(diff ? [dom.h("div", { class: "pad row kinds" }, this.#keys(diff), ...countsOf(diff)), diffTable(diff), this.#foot(diff)] : []),
      said ? this.#said : "",
    );
  }

  /** What rows are matched by. @param {Diff} diff */
  #keys({ kind, key, keys }) {
    if (kind !== "table" || keys.length < 2) return null;
    const chosen = JSON.stringify(key);
    const options = keys.map((each) =>
      dom.h("option", { value: JSON.stringify(each), selected: JSON.stringify(each) === chosen }, each.join(", ") || "the index"),
    );
    const field = dom.h("select", { "data-action": "key" }, ...options);
    field.addEventListener("change", () => this.#ask({ key: JSON.parse(field.value), offset: 0 }));
    return dom.h("label", { class: "nowrap" }, "Rows matched by ", field);
  }

  /** @param {Diff} diff */
  #foot(diff) {
    const { offset, rows, total } = diff;
    const turn = (/** @type {string} */ action, /** @type {string} */ text, /** @type {number} */ to, /** @type {boolean} */ isEnd) => {
      const button = dom.button(action, text, { "aria-disabled": isEnd ? "true" : null, title: isEnd ? "There are no more" : null });
      if (!isEnd) button.addEventListener("click", () => this.#ask({ offset: to }));
      return button;
    };
    const turns = [
      turn("diff-prev", "Before", Math.max(0, offset - LIMIT), offset <= 0),
      turn("diff-next", "After", offset + LIMIT, offset + rows.length >= total),
    ];
    return dom.h(
      "div",
      { class: "foot" },
      dom.h("span", { class: "grow" }, footingOf(diff)),
      total > rows.length ? dom.h("span", { class: "group" }, ...turns) : null,
    );
  }
}

/** @param {Diff} diff */
function countsOf({ counts, cells }) {
  const most = cells.most === null ? "" : `, by ${Number((100 * cells.most).toPrecision(2))} % at most`;
  return KINDS.map(([name, sign, word, colour]) =>
    dom.h(
      "span",
      { class: "nowrap" },
      dom.h("b", { class: "mono", style: `color:var(--fb-${colour}-ink)`, "aria-hidden": "true" }, sign),
      " ",
      dom.h("b", {}, format.thousands(counts[name])),
      ` ${word}${name === "changed" && counts.changed ? most : ""}`,
    ),
  );
}
