/** The time axis of the cache browser: scale, ticks and moments. Pure: no DOM, no clock. */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const STEPS = [
  1,
  2,
  5,
  10,
  15,
  30,
  MINUTE,
  5 * MINUTE,
  15 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  14 * DAY,
  30 * DAY,
  91 * DAY,
  365 * DAY,
];
const EDGE_PX = 8;
const TICK_PX = 84;
/** The part of the axis after now, where entries are still valid; at least room for the word "now". */
const AHEAD = 0.1;
const AHEAD_PX = 40;
/** The part of the axis before the first entry, so that the start of its bar is visible. */
const BEFORE = 0.03;
const SPAN_LEAST_S = 10;

/** @typedef {{start: number, first: number, now: number, end: number, width: number, x: (at: number) => number, at: (x: number) => number}} Axis */

/**
 * The axis from a little before the first entry to a little after now: seconds wide or years.
 *
 * @param {number} first
 * @param {number} now
 * @param {number} width in px
 * @returns {Axis}
 */
export function axis(first, now, width) {
  const start = now - Math.max(now - first, SPAN_LEAST_S) * (1 + BEFORE);
  const room = width - 2 * EDGE_PX;
  const ahead = Math.min(0.5, Math.max(AHEAD, AHEAD_PX / room));
  const end = now + ((now - start) * ahead) / (1 - ahead);
  return {
    start,
    first: Math.min(first, now),
    now,
    end,
    width,
    x: (at) => EDGE_PX + (Math.min(end, Math.max(start, at)) - start) * (room / (end - start)),
    at: (x) => Math.min(now, Math.max(Math.min(first, now), start + ((x - EDGE_PX) * (end - start)) / room)),
  };
}

/**
 * The positions and labels of the ticks; days begin at local midnight.
 *
 * @param {Axis} given
 * @param {(at: number) => string} day
 * @returns {{at: number, label: string}[]}
 */
export function ticks({ start, now, end, width }, day) {
  const most = Math.max(1, Math.floor(width / TICK_PX));
  const step = STEPS.find((s) => (end - start) / s <= most) ?? Math.ceil((end - start) / most / DAY) * DAY;
  const found = [];
  for (let at = aligned(start, step); at < now; at = following(at, step)) {
    if (at < start) continue;
    found.push({ at, label: step >= DAY || isMidnight(at) ? day(at) : clock(at, step) });
  }
  return found;
}

/** Whether an entry served at `at`. @param {{created: number, expires: number | null}} entry @param {number} at */
export const isValidAt = ({ created, expires }, at) => created <= at && (expires === null || expires > at);

/**
 * Where a key moves the slider; null for another key.
 *
 * @param {Axis} given
 * @param {number} at
 * @param {string} key
 */
export function moved({ first, now }, at, key) {
  const small = (now - first) / 100;
  /** @type {Record<string, number>} */
  const to = {
    ArrowLeft: at - small,
    ArrowDown: at - small,
    ArrowRight: at + small,
    ArrowUp: at + small,
    PageDown: at - 10 * small,
    PageUp: at + 10 * small,
    Home: first,
    End: now,
  };
  const next = to[key];
  return next === undefined ? null : Math.min(now, Math.max(first, next));
}

/** @param {number} at @param {number} step */
function aligned(at, step) {
  const midnight = new Date(at * 1000).setHours(0, 0, 0, 0) / 1000;
  return step >= DAY ? midnight : midnight + Math.floor((at - midnight) / step) * step;
}

/** Days are counted by the calendar: some have 23 or 25 hours. @param {number} at @param {number} step */
function following(at, step) {
  if (step < DAY) return at + step;
  const then = new Date(at * 1000);
  return then.setDate(then.getDate() + Math.round(step / DAY)) / 1000;
}

/** @param {number} at */
const isMidnight = (at) => new Date(at * 1000).toTimeString().startsWith("00:00:00");

/** @param {number} at @param {number} step */
const clock = (at, step) => new Date(at * 1000).toTimeString().slice(0, step < MINUTE ? 8 : 5);
