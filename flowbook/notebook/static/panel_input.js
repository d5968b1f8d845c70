/** Turns mouse and keyboard input on a panel into calls of the panel's actions. */

import { keepPresses } from "./press.js";

/**
 * @typedef {object} Meant
 * @property {(action: string, key: string | null, control: Element | null) => void} act
 * @property {(query: string) => void} search
 * @property {(query: string) => void} find
 * @property {() => void} note a note was typed
 * @property {(by: string) => void} group
 * @property {() => void} leave Escape, with nothing typed
 * @property {(key: string, opener: Element) => void} menu the menu of a task
 */

/** What has a menu: nodes, squares of children, rows of tables. */
const WITH_MENU = 'g.node[data-task], [role="gridcell"][data-task], tbody tr[data-task]';

/** Listen until the signal ends. @param {HTMLElement} root @param {Meant} meant @param {AbortSignal} signal */
export function listenToPerson(root, meant, signal) {
  const click = (/** @type {Event} */ event) => {
    const control = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    if (control && root.contains(control)) meant.act(control.getAttribute("data-action") ?? "", control.getAttribute("data-task"), control);
  };
  const input = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    if (field.dataset.action === "search") meant.search(field.value);
    if (field.dataset.action === "note") meant.note();
  };
  const change = (/** @type {Event} */ event) => {
    const field = event.target;
    if (field instanceof HTMLSelectElement && field.dataset.action === "group-by") meant.group(field.value);
  };
  const menu = (/** @type {MouseEvent} */ event) => {
    // With Shift, people ask for the browser's own.
    const opener = event.target instanceof Element && !event.shiftKey ? event.target.closest(WITH_MENU) : null;
    if (!opener) return;
    event.preventDefault();
    event.stopPropagation();
    meant.menu(opener.getAttribute("data-task") ?? "", opener);
  };
  keepPresses(root, signal);
  root.addEventListener("contextmenu", menu, { signal });
  root.addEventListener("change", change, { signal });
  root.addEventListener("click", click, { signal });
  root.addEventListener("input", input, { signal });
  root.addEventListener("keydown", (event) => onKey(event, meant), { signal });
}

/** @param {KeyboardEvent} event @param {Meant} meant */
function onKey(event, meant) {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof Element)) return;
  const field = event.target instanceof HTMLInputElement && event.target.dataset.action === "search" ? event.target : null;
  if (turnTab(event)) return;
  const control = event.target.closest('g.node, g[role="button"], [role="gridcell"]');
  const key = control?.getAttribute("data-task") ?? null;
  if (event.target instanceof HTMLSelectElement) return;
  const opener = event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey) ? event.target.closest(WITH_MENU) : null;
  if (opener) meant.menu(opener.getAttribute("data-task") ?? "", opener);
  else if (event.key === "Escape" && !field && event.target.matches("textarea, input")) /** @type {HTMLElement} */ (event.target).blur();
  else if (event.key === "Escape") onEscape(field, meant);
  else if (field && event.key === "Enter") meant.find(field.value);
  else if (control && (event.key === "Enter" || event.key === " ")) meant.act(control.getAttribute("data-action") ?? "", key, control);
  else if (control && key && event.key.toLowerCase() === "r") meant.act("resume", key, null);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** @param {HTMLInputElement | null} field @param {Meant} meant */
function onEscape(field, meant) {
  if (!field?.value) return meant.leave();
  field.value = "";
  meant.search("");
}

/** Arrows go from tab to tab of the panel. @param {KeyboardEvent} event */
function turnTab(event) {
  const tab = event.target instanceof Element ? event.target.closest('.tablist > [role="tab"]') : null;
  if (!tab || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return false;
  const all = [...(tab.parentElement?.children ?? [])].filter((each) => each instanceof HTMLElement && !each.hidden);
  const next = all.at((all.indexOf(tab) + (event.key === "ArrowRight" ? 1 : -1)) % all.length);
  if (next instanceof HTMLElement) {
    next.focus({ preventScroll: true });
    next.click();
  }
  event.preventDefault();
  event.stopPropagation();
  return true;
}
