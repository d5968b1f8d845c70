/** What all pages of the server have: theme, navigation, the person's name, the tab's title and icon. */

import * as dom from "./dom.js";
import * as states from "./states.js";

/** @typedef {"runs" | "cache" | "deployments" | ""} Place */

const NAME = "flowbook-name";
/** @type {[Place, string, string][]} */
const LINKS = [
  ["runs", "Runs", ""],
  ["cache", "Cache", "cache"],
  ["deployments", "Deployments", "deployments"],
];

/** Address of the server's pages: this module lies two folders below it. */
export const base = new URL("../../", import.meta.url);

/** Follow the theme of the person's system. */
export function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    document.body.dataset.jpThemeLight = dark.matches ? "false" : "true";
  };
  dark.addEventListener("change", follow);
  follow();
}

/** The name under which this person decides, as the server or they themselves say. */
export const person = () => known() || (localStorage.getItem(NAME) ?? "");

const known = () => document.querySelector('meta[name="flowbook-person"]')?.getAttribute("content") ?? "";

/**
 * Show a page: navigation, and below it a root for each view. Returns these.
 *
 * @param {Place} place
 * @param {number} [count] how many roots
 */
export function shell(place, count = 1) {
  followTheme();
  const page = /** @type {HTMLElement} */ (document.getElementById("page"));
  const roots = Array.from({ length: count }, () => dom.h("div", { class: "fb" }));
  page.replaceChildren(navigation(place), ...roots);
  return roots;
}

/** @param {Place} place */
function navigation(place) {
  const links = LINKS.map(([name, text, path]) => dom.h("a", { href: new URL(path, base).href, "aria-current": name === place ? "page" : null }, text));
  return dom.h("header", { class: "fb nav-bar" }, dom.h("nav", { class: "nav", "aria-label": "flowbook" }, dom.h("b", {}, "flowbook"), ...links, whoDecides()));
}

/** Who decides: fixed where the server knows it, else a field. */
function whoDecides() {
  const name = known();
  if (name) return dom.h("span", { class: "dim who" }, name);
  const field = dom.h("input", { id: "who", value: person(), placeholder: "for your decisions", autocomplete: "name", maxlength: 100 });
  field.addEventListener("change", () => localStorage.setItem(NAME, field.value.trim()));
  return dom.h("label", { class: "row tight who" }, dom.h("span", {}, "Your name"), field);
}

/** Say in the browser's tab what there is. @param {string} title @param {string | null} state */
export function tell(title, state) {
  const text = title ? `${title} · flowbook` : "flowbook";
  if (document.title !== text) document.title = text;
  const icon = document.querySelector('link[rel="icon"]');
  if (!icon || icon.getAttribute("data-state") === state || !state) return;
  icon.setAttribute("data-state", state);
  icon.setAttribute("href", iconOf(state));
}

/** A tile in the state's colour, with its glyph. @param {string} state */
function iconOf(state) {
  const probe = dom.h("i", { "data-state": state, hidden: true });
  const root = document.querySelector(".fb");
  root?.append(probe);
  const style = getComputedStyle(probe);
  const [tile, on] = [style.getPropertyValue("--tile").trim(), style.getPropertyValue("--on").trim()];
  probe.remove();
  const shapes = states.glyphOf(state).map(
    ({ tag, attrs }) =>
      `<${tag} ${Object.entries(attrs)
        .map(([name, value]) => `${name}="${value}"`)
        .join(" ")}/>`,
  );
  const drawn = `<g color="${on}" fill="none" stroke="${on}" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${shapes.join("")}</g>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 16 16"><rect x="-2" y="-2" width="16" height="16" rx="3" fill="${tile}"/>${drawn}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
