/** Keeps the press of a mouse button on a control that is drawn anew before the button is released: a browser makes no click of it. */

/** What can be pressed. */
const CONTROLS = "[data-action], [data-entry], a[href], button, input, summary";
/** What a control's data say besides what it is for. */
const SAID = new Set(["title", "state", "word", "outcome", "differs", "progress"]);

/**
 * Click, until the signal ends, what took the place of a pressed control.
 *
 * @param {HTMLElement} root
 * @param {AbortSignal} [signal]
 */
export function keepPresses(root, signal) {
  /** @type {{target: Element, control: Element} | null} */
  let pressed = null;
  /** What is to be clicked unless the browser does. @type {Element | null} */
  let due = null;
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
    due = control;
    // Where a part of the control was pressed, and only that was drawn anew, some browsers click the control: right after this event.
    setTimeout(() => due === control && control.dispatchEvent(new MouseEvent("click", about)));
  };
  const click = (/** @type {MouseEvent} */ event) => {
    if (controlOf(event.target) === due) due = null;
  };
  // While an event is on its way down, nothing has answered it.
  root.addEventListener("mousedown", press, { capture: true, signal });
  root.addEventListener("mouseup", release, { capture: true, signal });
  root.addEventListener("click", click, { capture: true, signal });
}

/** @param {EventTarget | null} target */
const controlOf = (target) => (target instanceof Element ? target.closest(CONTROLS) : null);

/** Whether two controls are for the same. @param {Element} one @param {Element} other */
const isSame = (one, other) => one === other || (one.tagName === other.tagName && purposeOf(one) === purposeOf(other));

/** What a control is for: where it leads to, its data, and its name, but not where that tells the state of a task. @param {Element} control */
function purposeOf(control) {
  const { dataset } = /** @type {HTMLElement} */ (control);
  const data = Object.entries(dataset).filter(([name]) => !SAID.has(name));
  const names = dataset.task === undefined ? ["name", "aria-label"].map((name) => control.getAttribute(name)) : [];
  return JSON.stringify([control.getAttribute("href"), data, names, data.length ? "" : control.textContent]);
}
