// What the Progress tab says of a task, in words.

import { duration, figure, bytes, count, dateText, isNumber } from "./format.js";

const QUIET = 180; // seconds without a step after which the reader should know
const STATES = {
  null: "It has not started.",
  scheduled: "It waits for a free slot.",
  queued: "It waits for a free slot or GPU.",
  deferred: "It waits.",
  running: "It is running.",
  restarting: "It was cleared while it ran, and starts anew.",
  up_for_retry: "It failed and is tried once more by itself.",
  failed: "It failed; the log tab says why.",
  upstream_failed: "It did not run: a task before it failed.",
  skipped: "It was skipped.",
  success: "It is done.",
  removed: "The DAG no longer has it.",
};
const ENDED = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);

export const hasEnded = (state) => ENDED.has(state);

/** `silent`: how many seconds ago it last wrote, by the server's clock. */
export function stateWords(state, silent = 0) {
  const words = STATES[state] ?? "It is under way.";
  return state === "running" && silent > QUIET ? `${words} Its last word came ${duration(silent)} ago.` : words;
}

/** Of 100. */
export const share = ({ step, max_steps: all }) => (all > 0 ? Math.min(100, Math.round((100 * step) / all)) : 0);

export function figures(progress, ended) {
  const used = bytes(progress.gpu_memory_bytes);
  const total = isNumber(progress.gpu_memory_total) ? ` of ${bytes(progress.gpu_memory_total)}` : "";
  return [
    ["Step", `${count(progress.step)} of ${count(progress.max_steps)}`],
    ["Epoch", figure(progress.epoch)],
    ["Loss", isNumber(progress.loss) ? figure(progress.loss) : null],
    ["Tokens/s", isNumber(progress.tokens_per_second) ? count(Math.round(progress.tokens_per_second)) : null],
    ["Time left", !ended && isNumber(progress.seconds_left) ? `about ${duration(progress.seconds_left)}` : null],
    ["GPU memory, at most", isNumber(progress.gpu_memory_bytes) ? used + total : "no GPU"],
    ["Started", dateText(progress.started_at)],
    ["Last word", dateText(progress.updated_at)],
  ];
}

/** A stage's metrics as pairs; nested ones by their path. */
export function metricPairs(metrics, before = "") {
  return Object.entries(metrics).flatMap(([key, value]) => {
    const name = (before + key).replaceAll("_", " ").replace("seconds", "time");
    if (value === null || value === "") return [];
    if (Array.isArray(value)) return value.length ? [[name, value.map((one) => textOf(one, key)).join(", ")]] : [];
    return typeof value === "object" ? metricPairs(value, `${name}: `) : [[name, textOf(value, key)]];
  });
}

function textOf(value, key) {
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value !== "number") return String(value);
  if (/seconds/.test(key)) return duration(value);
  return /bytes/.test(key) ? bytes(value) : figure(value);
}
