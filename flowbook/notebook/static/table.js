/** The graph's content as a table, for whoever reads better than they look. */

/** @typedef {import("./wire.js").Task} Task */
/** @typedef {{dom: typeof import("./dom.js"), states: typeof import("./states.js"), format: typeof import("./format.js")}} Tools */
/** @typedef {{key: string, task: Task, up: string[]}} Row */

const HEADS = ["Task", "State", "Time", "Note", "After"];

/**
 * Make the table in `el`.
 *
 * @param {{el: HTMLElement, flow: string, tools: Tools, now: () => number}} given
 */
function render({ el, flow, tools, now }) {
  const { dom, states, format } = tools;
  const body = dom.h("tbody");
  const heads = HEADS.map((name, i) => dom.h("th", { scope: "col", class: i === 2 ? "num" : null }, name));
  const table = dom.h("table", { "aria-label": `Tasks of ${flow}` }, dom.h("thead", {}, dom.h("tr", {}, ...heads)), body);
  el.replaceChildren(table);

  /** @param {Row} row */
  const create = ({ key, up }) =>
    dom.h(
      "tr",
      { "data-task": key },
      dom.h("th", { scope: "row" }, dom.button("inspect", key, { "data-task": key, class: "plain" })),
      dom.h("td", {}),
      dom.h("td", { class: "num" }),
      dom.h("td", {}),
      dom.h("td", { class: "dim" }, up.join(", ")),
    );

  /** @param {Element} tr @param {Row} row */
  const update = (tr, { key, task }) => {
    const [, state, time, note] = [...tr.children];
    if (!state || !time || !note) return;
    if (tr.getAttribute("data-state") !== task.state) {
      const resume = task.state === "Paused" ? dom.button("resume", "Resume", { "data-task": key, class: "primary", "aria-label": `Resume ${key}` }) : null;
      state.replaceChildren(
        dom.h("span", { class: "row" }, dom.icon(states.glyphOf(task.state)), dom.h("span", { class: "word" }, task.state), ...(resume ? [resume] : [])),
      );
    }
    dom.set(tr, { "data-state": task.state });
    dom.say(time, format.timeOf(task, now()));
    const text = notes(task).join("; ");
    dom.say(note, text);
    dom.set(note, { title: text });
  };

  /** @param {Task} task */
  const notes = (task) => {
    const counts = task.counts ? states.inOrder(states.spread(task)).map(([name, n]) => `${format.thousands(n)} ${name}`) : [];
    const isTried = task.max_attempts && task.max_attempts > 1 && (task.attempt ?? 1) > 1;
    return [counts.join(", "), format.noteOf(task), task.message, isTried ? `attempt ${task.attempt} of ${task.max_attempts}` : ""].filter(Boolean);
  };

  return {
    /** @param {Row[]} rows */
    update: (rows) => dom.keyed(body, rows, (row) => row.key, create, update),
  };
}

export default { render };
