/** A traceback: the person's own line first, the lines of libraries folded. */

import * as dom from "./dom.js";
import { plural, thousands } from "./format.js";

/** @typedef {{where: string, mine: boolean, lines: [number, string, boolean][], values?: [string, string][], times?: number}} StackFrame */
/** @typedef {{type: string, message: string, stack: StackFrame[], text: string}} TaskError */

/** @param {TaskError} error @param {boolean} isUnfolded whether the lines of libraries are shown too */
export function traceback(error, isUnfolded) {
  // The kernel sends the innermost frame first.
  const first = error.stack.find((frame) => frame.mine) ?? error.stack[0];
  const rest = error.stack.filter((frame) => frame !== first);
  const folded = rest.filter((frame) => !frame.mine);
  const open = isUnfolded ? rest : rest.filter((frame) => frame.mine);
  return [
    dom.h("p", { class: "name error" }, error.message ? `${error.type}: ${error.message}` : error.type),
    ...(first ? codeOf(first, first.mine ? "Your line" : "Where it failed", true) : []),
    ...open.flatMap((frame) => codeOf(frame, "Called from", false)),
    folded.length && !isUnfolded ? unfolder(folded.length) : null,
    first ? null : dom.h("pre", { class: "code text", tabindex: 0 }, error.text),
  ];
}

/** @param {number} count */
const unfolder = (count) =>
  dom.h(
    "p",
    { class: "dim fold" },
    `${plural(count, "frame")} of libraries ${count === 1 ? "is" : "are"} folded. `,
    dom.button("all-frames", "Show them", { class: "plain" }),
  );

/** @param {StackFrame} frame @param {string} title @param {boolean} isFirst */
function codeOf(frame, title, isFirst) {
  const copy = isFirst ? dom.button("copy", "Copy all", { title: "Copies the whole traceback" }) : null;
  const head = dom.h("div", { class: "row where" }, dom.h("b", {}, title), dom.h("span", { class: "mono grow" }, frame.where), copy);
  const again = (frame.times ?? 1) > 2 ? dom.h("p", { class: "dim fold" }, `The error passed here ${thousands(frame.times ?? 1)} times: a recursion.`) : null;
  const lines = frame.lines.map(([n, text, isAt]) =>
    dom.h("div", { class: isAt ? "at" : null }, dom.h("span", { class: "ln" }, isAt ? `▸ ${n}` : String(n)), text || " "),
  );
  return [head, lines.length ? dom.h("div", { class: "code", tabindex: 0 }, ...lines) : null, namesOf(frame), again];
}

/** What the names on the lines stood for. @param {StackFrame} frame */
function namesOf({ values = [] }) {
  if (!values.length) return null;
  const pairs = values.flatMap(([name, text]) => [dom.h("dt", {}, name), dom.h("dd", {}, text)]);
  return dom.h("dl", { class: "names mono", "aria-label": "Values of names" }, ...pairs);
}

/** Copy `text`, and say so on the button. @param {Element | null} button @param {string} text */
export async function copyText(button, text) {
  if (!button) return;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The browser refused to copy";
  }
}
