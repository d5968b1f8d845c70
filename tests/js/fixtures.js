/** What a kernel would send, for the harness and for tests: a flow over flights in several moments. */

/** @typedef {import("../../flowbook/notebook/static/wire.js").Snapshot} Snapshot */
/** @typedef {import("../../flowbook/notebook/static/wire.js").Task} Task */
/** @typedef {import("../../flowbook/notebook/static/inspector.js").Details} Details */

/** @param {number} now @param {Partial<import("../../flowbook/notebook/static/wire.js").Run>} change */
const run = (now, change) => ({
  id: "r14",
  number: "14",
  state: "Running",
  message: "",
  stage: /** @type {const} */ ("running"),
  started: now - 41,
  ended: null,
  parameters: { origin: "JFK", months: "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]", min_flights: "100", dry_run: "false" },
  executor: "threads, 2 workers",
  notice: "",
  ...change,
});

/** @param {number} duration_s @returns {Task} */
const done = (duration_s) => ({ state: "Success", duration_s });

/** @param {number} now @returns {Snapshot} */
export const running = (now) => ({
  version: 1,
  seq: 17,
  run: run(now, {}),
  tasks: {
    load_flights: done(3.8),
    load_weather: done(0.9),
    drop_cancelled: done(0.4),
    notify_on_failure: { state: "TriggerFailed", message: "any_failed, and nothing above it failed", note: "nothing above it failed" },
    join_weather: done(1.9),
    delays_by_carrier: { state: "Running", since: now - 34.8, width: 12, counts: { Success: 7, Running: 2, Failed: 1 } },
    "delays_by_carrier[7]": { state: "Failed", message: "ValueError: 80 of 9,870 flights have no weather", duration_s: 2.3, attempt: 1, max_attempts: 3 },
    summarise: { state: "Cached", created: now - 7300, stale: true },
    approve: { state: "Paused", since: now - 35, message: "waits for a person" },
    fetch_rates: { state: "Retrying", due: now + 12, attempt: 1, max_attempts: 4 },
    publish: { state: "Pending" },
  },
});

/** @param {number} now @returns {Snapshot} */
export const paused = (now) => ({
  version: 1,
  seq: 40,
  run: run(now, { state: "Paused", started: now - 314 }),
  tasks: {
    ...running(now).tasks,
    delays_by_carrier: { state: "Success", duration_s: 49.1, width: 12, counts: { Success: 12 } },
    "delays_by_carrier[7]": done(2.3),
    summarise: done(1.2),
    approve: { state: "Paused", since: now - 240, message: "waits for a person" },
    fetch_rates: { state: "Success", duration_s: 0.6, note: "on attempt 2 of 4" },
  },
});

/** @param {number} now @returns {Snapshot} */
export const failed = (now) => ({
  version: 1,
  seq: 60,
  run: run(now, { state: "Failed", stage: "over", started: now - 90, ended: now - 20, message: "1 task failed" }),
  tasks: {
    ...running(now).tasks,
    delays_by_carrier: { state: "Failed", duration_s: 49.1, width: 12, counts: { Success: 11, Failed: 1 } },
    summarise: done(1.2),
    approve: done(0.1),
    fetch_rates: done(0.6),
    publish: { state: "TriggerFailed", note: "delays_by_carrier failed" },
  },
});

/** @param {number} now @returns {Snapshot} */
export const finished = (now) => ({
  version: 1,
  seq: 80,
  run: run(now, { state: "Success", stage: "over", started: now - 90, ended: now - 20, notice: "Run 11 still waits for you; %flow resume lists it." }),
  tasks: {
    ...failed(now).tasks,
    delays_by_carrier: { state: "Success", duration_s: 49.1, width: 12, counts: { Success: 12 } },
    "delays_by_carrier[7]": done(2.3),
    publish: done(1.7),
  },
});

/** @param {number} now @param {any} frames @returns {Record<string, Details>} */
export const details = (now, frames) => ({
  approve: {
    key: "approve",
    state: "Paused",
    title: "since 09:42; by its trigger, manual_only",
    inputs: [
      { name: "report", from: "summarise", preview: frames.report },
      { name: "threshold", from: null, preview: null, text: "15" },
    ],
    output: null,
    error: null,
    logs: [],
    history: [
      { run: "13", state: "Success", at: now - 60_000, duration_s: 120 },
      { run: "11", state: "Failed", at: now - 260_000, duration_s: 31 },
    ],
    up: ["summarise"],
    down: ["publish"],
    actions: ["resume", "skip", "reject", "to-variable"],
  },
  "delays_by_carrier[7]": {
    key: "delays_by_carrier[7]",
    state: "Failed",
    title: "run 14, after 2.3 s, attempt 1 of 3, thread 1",
    why: [
      ["Why it ran", "month 8 was not in the cache."],
      ["Why it isn't retried", "retry_on is TimeoutError only."],
    ],
    inputs: [{ name: "month", from: "join_weather", preview: frames.joined }],
    output: null,
    error: {
      type: "ValueError",
      message: "80 of 9,870 flights have no weather",
      stack: [
        {
          where: "In [4], line 9, in delays_by_carrier",
          mine: true,
          lines: [
            [5, "@task", false],
            [6, "def delays_by_carrier(month):", false],
            [7, '    missing = month["temp"].isna().sum()', false],
            [8, "    if missing > 0.005 * len(month):", false],
            [9, '        raise ValueError(f"{missing} of {len(month):,} flights have no weather")', true],
            [10, '    return month.groupby("carrier")["arr_delay"].agg(["size", "mean", "median"])', false],
          ],
        },
        { where: "threading.py, line 975, in run", mine: false, lines: [[975, "        self._target(*self._args, **self._kwargs)", true]] },
      ],
      text: "Traceback (most recent call last):\n…",
    },
    logs: [
      { at: now - 60, level: "INFO", text: "9,870 flights of August" },
      { at: now - 59, level: "WARNING", text: "80 have no weather" },
    ],
    history: [{ run: "13", state: "Success", at: now - 60_000, duration_s: 2.2 }],
    up: ["join_weather"],
    down: ["publish"],
    actions: ["to-variable"],
  },
  join_weather: {
    key: "join_weather",
    state: "Success",
    title: "run 14, 1.9 s, kept until 29 Nov",
    why: [],
    inputs: [
      { name: "flights", from: "drop_cancelled", preview: frames.joined },
      { name: "weather", from: "load_weather", preview: null, text: "DataFrame, 26,115 × 15" },
    ],
    output: frames.joined,
    error: null,
    logs: [],
    history: [],
    up: ["drop_cancelled", "load_weather"],
    down: ["delays_by_carrier", "summarise"],
    actions: ["to-variable"],
  },
});

const DAY = 86_400;

/** @param {number} now @param {any} frames @returns {import("../../flowbook/notebook/static/cache.js").Snapshot} */
export const cache = (now, frames) => {
  const at = now - 0.8 * DAY;
  /** @type {[string, string, string, number, number, number, number | null][]} */
  const rows = [
    ["c81f", "join_weather", "origin JFK", 41.2e6, 6, 0, 7],
    ["9b02", "join_weather", "origin JFK", 40.9e6, 11, 2.02, 0],
    ["77aa", "join_weather", "origin EWR", 46.3e6, 2, 2.67, -7],
    ["e310", "summarise", "origin JFK", 1200, 9, 0.08, -0.5],
    ["5d4c", "summarise", "origin JFK", 1200, 14, 2.02, 1],
    ["0a17", "load_flights", "", 52.8e6, 31, 5.03, null],
    ["0a18", "load_weather", "", 3.1e6, 31, 5.03, 1.9],
    ["f2d9", "fetch_rates", "EUR, USD", 400, 5, 0.65, 0.4],
  ];
  const entries = rows.map(([id, task, parameters, size_bytes, uses, age, left]) => {
    const created = now - age * DAY;
    const expires = left === null ? null : now - left * DAY;
    const size = size_bytes < 1e6 ? `${(size_bytes / 1e3).toFixed(1)} kB` : `${(size_bytes / 1e6).toFixed(1)} MB`;
    return {
      id,
      flow: "delays",
      task,
      parameters,
      size_bytes,
      size,
      uses,
      created,
      expires,
      valid: created <= at && (expires === null || expires > at),
      type: "pandas.DataFrame",
      run: "11",
    };
  });
  return {
    version: 1,
    at,
    now,
    first: now - 5.8 * DAY,
    entries,
    filters: { flows: ["delays"], tasks: ["fetch_rates", "join_weather", "load_flights", "load_weather", "summarise"], types: ["pandas.DataFrame"] },
    selected: "9b02",
    page: frames.cache,
  };
};
