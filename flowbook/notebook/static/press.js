/** Keeps the press of a mouse button on a control that is drawn anew before the button is released: a browser makes no click of it. */

/** What can be pressed. */
const CONTROLS = "[data-action], [data-entry], a[href], button, input, summary";
/** What a control says besides what it is for. */
const SAID = new Set(["title", "state", "key"]);

/**
 * Click, until the signal ends, what took the place of a pressed control.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} [signal]
 */
export function keepPresses(root, signal) {
  /** @type {{target: Element, control: Element} | null} */
  let pressed = null;
  const press = (/** @type {MouseEvent} */ event) => {
    const control = controlOf(event.target);
    pressed = control && event.button === 0 && event.target instanceof Element ? { target: event.target, control } : null;
  };
  const release = (/** @type {MouseEvent} */ event) => {
    const before = pressed;
    pressed = null;
    const control = controlOf(event.target);
    // As long as what was pressed is there, the browser sees to it.
    if (!before || before.target.isConnected || event.button !== 0 || !control || !isSame(control, before.control)) return;
    const { ctrlKey, shiftKey, altKey, metaKey, clientX, clientY } = event;
    const about = { bubbles: true, cancelable: true, composed: true, detail: 1, ctrlKey, shiftKey, altKey, metaKey, clientX, clientY };
    control.dispatchEvent(new MouseEvent("click", about));
  };
  // While an event is on its way down, nothing has answered it.
  root.addEventListener("mousedown", press, { capture: true, signal });
  root.addEventListener("mouseup", release, { capture: true, signal });
}

/** @param {EventTarget | null} target */
const controlOf = (target) => (target instanceof Element ? target.closest(CONTROLS) : null);

/** Whether two controls are for the same. @param {Element} one @param {Element} other */
const isSame = (one, other) => one === other || (one.tagName === other.tagName && purposeOf(one) === purposeOf(other));

/** What a control is for: its data, or what it leads to, or else its text. @param {Element} control */
function purposeOf(control) {
  const data = Object.entries(/** @type {HTMLElement} */ (control).dataset).filter(([name]) => !SAID.has(name));
  const name = control.getAttribute("aria-label") ?? "";
  return JSON.stringify([data, control.getAttribute("href"), control.getAttribute("name"), name, data.length ? "" : control.textContent]);
}
