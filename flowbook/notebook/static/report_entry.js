/** The one script of a report: unpacks what the file holds, imports the views from it, and shows the run. */

import { unpack } from "./kept.js";
import { load, sheetOf } from "./loader.js";

const packed = document.getElementById("flowbook-run")?.textContent ?? "";
const root = /** @type {HTMLElement} */ (document.getElementById("flowbook-report"));
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  document.body.dataset.jpThemeLight = dark.matches ? "false" : "true";
};
dark.addEventListener("change", follow);
follow();
try {
  const run = await unpack({ packed });
  const { parts = {} } = run;
  const [view, host] = await load(parts, ["main", "host_report"]);
  document.head.append(Object.assign(document.createElement("style"), { textContent: sheetOf(parts) }));
  root.replaceChildren();
  view.default.render({ model: host.reportModel({ run }), root, signal: new AbortController().signal });
} catch (error) {
  root.textContent = `This report can't be shown by this browser. ${error instanceof Error ? error.message : String(error)}`;
}
