/** Numbers, durations and moments as text. Pure: `now` is an argument. */

import { FAILED, RUNNING } from "./state_kinds.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A finished duration: `< 1 ms`, `12 ms`, `0.4 s`, `34.8 s`, `2:51`, `1:02:03`, `3 d 4 h`. @param {number} seconds */
export function duration(seconds) {
  const s = Math.max(0, seconds);
  if (s < 0.0005) return "< 1 ms";
  if (s < 0.095) return `${Math.round(s * 1000)} ms`;
  if (s < 59.95) return `${s.toFixed(1)} s`;
  return clock(Math.round(s));
}

/** Elapsed time as a clock: `0:41`, `2:51`, `1:02:03`. @param {number} seconds */
export function clock(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s >= DAY) return `${Math.floor(s / DAY)} d ${Math.floor((s % DAY) / HOUR)} h`;
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const minutes = Math.floor((s % HOUR) / MINUTE);
  return s >= HOUR ? `${Math.floor(s / HOUR)}:${pad(minutes)}:${pad(s % MINUTE)}` : `${minutes}:${pad(s % MINUTE)}`;
}

/** A span in one unit, for sentences: `35 s`, `4 min`, `2 h`, `3 d`. @param {number} seconds */
export function span(seconds) {
  const s = Math.max(0, seconds);
  if (s < MINUTE) return `${Math.floor(s)} s`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)} min`;
  if (s < 2 * DAY) return `${Math.floor(s / HOUR)} h`;
  return `${Math.floor(s / DAY)} d`;
}

/** A moment near `now`: `09:42`, `yesterday 18:02`, `20 Nov 09:12`. @param {number} at @param {number} now */
export function moment(at, now) {
  const then = new Date(at * 1000);
  const today = new Date(now * 1000);
  const yesterday = new Date(now * 1000);
  yesterday.setDate(today.getDate() - 1);
  const time = `${String(then.getHours()).padStart(2, "0")}:${String(then.getMinutes()).padStart(2, "0")}`;
  if (then.toDateString() === today.toDateString()) return time;
  if (then.toDateString() === yesterday.toDateString()) return `yesterday ${time}`;
  return `${day(at)}${then.getFullYear() === today.getFullYear() ? "" : ` ${then.getFullYear()}`} ${time}`;
}

/** A whole date and time: `21 Nov 2026, 14:24`. @param {number} at @param {boolean} [withSeconds] */
export function date(at, withSeconds = false) {
  const then = new Date(at * 1000);
  return `${day(at)} ${then.getFullYear()}, ${then.toTimeString().slice(0, withSeconds ? 8 : 5)}`;
}

/** @param {number} at */
export function day(at) {
  const then = new Date(at * 1000);
  return `${then.getDate()} ${MONTHS[then.getMonth()]}`;
}

/** A size as in the cache browser: `41.2 MB`, `1.2 kB`. @param {number} bytes */
export function size(bytes) {
  if (bytes < 100) return `${bytes} B`;
  for (const [unit, factor] of /** @type {[string, number][]} */ ([
    ["kB", 1e3],
    ["MB", 1e6],
    ["GB", 1e9],
  ])) {
    if (bytes < factor * 999.95) return `${(bytes / factor).toFixed(1)} ${unit}`;
  }
  return `${(bytes / 1e12).toFixed(1)} TB`;
}

/** @param {number} n */
export const thousands = (n) => n.toLocaleString("en-US");

/** What the engine says of a run in which the tasks that decide succeeded. */
const ALL_WELL = "All tasks that decide the run succeeded.";

/** What there is to say of how a run ended: nothing where all went as it should, why it succeeded where a task failed. @param {string} message @param {Record<string, number> | number} failed how many failed, or how many tasks are in each state */
export function endOf(message, failed) {
  const n = typeof failed === "number" ? failed : FAILED.reduce((sum, state) => sum + (failed[state] ?? 0), 0);
  return message === ALL_WELL && !n ? "" : message;
}

/** A message to somebody who looks at a page: buttons in place of Python. @param {string} message */
export const onPage = (message) => message.replaceAll("run.resume()", "Resume").replaceAll("run.retry()", "Retry");

/** What an attempt cost: `0.7 s of processor time, the process grew by 80.0 MB`. @param {import("./changes.js").Cost} cost */
export function cost([cpu_ms, bytes, isOwn]) {
  const memory = bytes === null ? "" : isOwn ? `, at most ${size(bytes)} of memory` : bytes ? `, the process grew by ${size(bytes)}` : "";
  return `${duration(cpu_ms / 1000)} of processor time${memory}`;
}

/** `1 task`, `2 tasks`. @param {number} n @param {string} noun */
export const plural = (n, noun) => `${thousands(n)} ${noun}${n === 1 ? "" : "s"}`;

/**
 * The text at the right of a task: how long it took, has run or has waited, the time until its next attempt, or what is left
 * until it is answered without a person.
 *
 * @param {import("./wire.js").Task} task
 * @param {number} now
 */
export function timeOf(task, now) {
  if (task.told) return task.told.beside;
  if (RUNNING.includes(task.state)) return task.since ? live(now - task.since) : "";
  if (task.state === "Paused" && task.due) return task.due > now ? `${span(task.due - now)} left` : "overdue";
  if (task.state === "Paused") return task.since ? span(now - task.since) : "";
  if (task.state === "Retrying" || task.state === "Scheduled") return task.due ? `in ${span(Math.max(0, task.due - now) + 0.999)}` : "";
  if (task.state === "Cached" && task.created) return `${span(now - task.created)} ago`;
  return typeof task.duration_s === "number" ? duration(task.duration_s) : "";
}

/** The note of an output that the cache served, where the kernel says no more. */
const FROM_CACHE = "served from the cache";

/** Whether the third line says when the output was made, so that nothing stands at the right. @param {import("./wire.js").Task} task */
export const isMadeNote = (task) => task.note === FROM_CACHE && Boolean(task.created);

/** The third line of a node; empty if it would say nothing. @param {import("./wire.js").Task} task @param {number} now */
export function noteOf(task, now) {
  if (task.progress) return rateOf(task.progress);
  if (!isMadeNote(task)) return task.note ?? "";
  return `made ${span(now - (task.created ?? now))} ago${task.maker ? ` by run ${task.maker}` : ""}`;
}

/** How much of a task is done, from 0 to 1; null if its total is unknown. @param {import("./wire.js").Progress} progress */
export const shareOf = ({ done, total }) => (total === null || total <= 0 ? null : Math.min(1, Math.max(0, done / total)));

/** `12 files/s, 0:35 left`, or what is known of it. @param {import("./wire.js").Progress} progress */
export function rateOf({ done, total, rate, unit, text }) {
  const count = total === null ? `${amount(done)} ${unit}` : "";
  const speed = rate ? `${amount(rate)} ${unit}/s` : "";
  const left = rate && total !== null ? `${clock(Math.max(0, (total - done) / rate))} left` : "";
  return [text, count, speed, left].filter(Boolean).join(", ");
}

/** A number of units with at most three digits that matter. @param {number} value */
const amount = (value) => (value >= 100 ? thousands(Math.round(value)) : String(Number(value.toPrecision(3))));

/** @param {number} seconds */
const live = (seconds) => (seconds < MINUTE ? `${Math.max(0, Math.floor(seconds))} s` : clock(seconds));
