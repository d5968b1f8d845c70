/** Facts about states, by the names of their classes. Written by scripts/state_kinds_js.py from flowbook/engine/state_kinds.py: change them there. */

/** The order of bars, legends and counts. @type {readonly string[]} */
export const DISPLAY_ORDER = [
  "Success",
  "Mapped",
  "Cached",
  "Running",
  "Cancelling",
  "Looped",
  "Retrying",
  "Paused",
  "Failed",
  "TimedOut",
  "ValidationFailed",
  "Crashed",
  "TriggerFailed",
  "Skipped",
  "Cancelled",
  "Resume",
  "Submitted",
  "Queued",
  "Scheduled",
  "Pending",
];

/** Failed by its own doing. @type {readonly string[]} */
export const FAILED = ["Failed", "TimedOut", "ValidationFailed", "Crashed"];

/** Over. @type {readonly string[]} */
export const FINISHED = [
  "Success",
  "Mapped",
  "Cached",
  "Failed",
  "TimedOut",
  "ValidationFailed",
  "Crashed",
  "TriggerFailed",
  "Skipped",
  "Cancelled",
  "Finished",
];

/** Its code is running. @type {readonly string[]} */
export const RUNNING = ["Running", "Cancelling", "Looped"];

/** Waits for its next attempt or for a person. @type {readonly string[]} */
export const WAITING = ["Retrying", "Paused"];

/** A view counts the time that passes. @type {readonly string[]} */
export const COUNTS_TIME = ["Running", "Cancelling", "Looped", "Retrying"];
