/**
 * Hides the static picture of a flow while its panel is alive, and shows it again afterwards.
 *
 * The picture is an output of its own in the same cell, so that a notebook without a kernel shows it. Several views may hide
 * the same picture: it is shown again when the last of them ends.
 */

const AREAS = ".jp-OutputArea, .output_area, .output, .output_container, .cell-output, .output-inner-container";
const ENTRIES = ".jp-OutputArea-child, .output_subarea, .jp-OutputArea-output";
const PICTURES = '[data-flowbook="picture"], img[alt^="flowbook:"], svg[aria-label^="flowbook:"]';
const HIDDEN = "data-flowbook-hidden-by";

/**
 * Whether `picture` shows `flow`: by its `data-flow`, or by an alt text `flowbook: NAME, …`.
 *
 * @param {{getAttribute: (name: string) => string | null}} picture
 * @param {string} flow
 */
export function isOf(picture, flow) {
  const named = picture.getAttribute("data-flow");
  if (named !== null) return named === flow;
  const text = picture.getAttribute("alt") ?? picture.getAttribute("aria-label") ?? "";
  const rest = text.replace(/^flowbook:\s*/, "");
  return rest === flow || rest.startsWith(`${flow},`) || rest.startsWith(`${flow}:`);
}

/**
 * Hide the pictures of `flow` in the output around `el` until the signal ends.
 *
 * @param {{el: Element, flow: string, view: string, signal: AbortSignal}} given
 */
export function hidePictures({ el, flow, view, signal }) {
  if (signal.aborted) return () => {};
  /** @type {Set<HTMLElement>} */
  const hidden = new Set();
  const area = outermost(el);
  const hide = () => {
    for (const picture of area?.querySelectorAll(PICTURES) ?? []) {
      if (el.contains(picture) || !isOf(picture, flow)) continue;
      const target = /** @type {HTMLElement} */ (entryOf(picture, el));
      if (!hidden.has(target)) mark(target, view, true);
      hidden.add(target);
    }
  };
  hide();
  // The kernel updates the picture at each pause, and the notebook then replaces the element.
  const observer = new MutationObserver((records) => {
    if (records.some((record) => !el.contains(record.target))) hide();
  });
  if (area) observer.observe(area, { childList: true, subtree: true });
  const show = () => {
    observer.disconnect();
    for (const target of hidden) mark(target, view, false);
    hidden.clear();
  };
  signal.addEventListener("abort", show, { once: true });
  return show;
}

/** Whether a picture of `flow` stands in the output around `el` and is not hidden. @param {Element} el @param {string} flow */
export function isShownNear(el, flow) {
  const pictures = [...(outermost(el)?.querySelectorAll(PICTURES) ?? [])];
  return pictures.some((picture) => !el.contains(picture) && isOf(picture, flow) && picture.closest(`[${HIDDEN}]`) === null);
}

/** The whole output of the cell: the outermost area that holds one cell only. @param {Element} el */
function outermost(el) {
  let area = el.parentElement?.closest(AREAS) ?? null;
  for (let next = area; next; next = next.parentElement?.closest(AREAS) ?? null) area = next;
  return area ?? el.parentElement;
}

/** What to hide: the entry of the output that holds the picture, if it holds not the widget too. @param {Element} picture @param {Element} el */
function entryOf(picture, el) {
  const entry = picture.closest(ENTRIES);
  return entry && !entry.contains(el) ? entry : picture;
}

/** @param {HTMLElement} target @param {string} view @param {boolean} isHidden */
function mark(target, view, isHidden) {
  const views = new Set((target.getAttribute(HIDDEN) ?? "").split(" ").filter(Boolean));
  if (isHidden) views.add(view);
  else views.delete(view);
  if (views.size) target.setAttribute(HIDDEN, [...views].join(" "));
  else target.removeAttribute(HIDDEN);
  target.hidden = views.size > 0;
  // A notebook's own style for outputs may win over [hidden].
  target.style.display = views.size > 0 ? "none" : "";
}
