// What became of a stage or a run, in words and a tone; the word says all, the tone only colours it.

const STATES = {
  running: ["running", "running", ""],
  restarting: ["running", "stopping", "it was cleared while it ran, and starts anew"],
  queued: ["waiting", "waiting", "for a free slot"],
  scheduled: ["waiting", "waiting", "for a free slot"],
  deferred: ["waiting", "waiting", ""],
  awaiting_input: ["waiting", "waiting", "for somebody to approve it"],
  up_for_reschedule: ["waiting", "waiting", ""],
  up_for_retry: ["bad", "failed", "it is tried once more by itself"],
  failed: ["bad", "failed", "its log in Airflow says why"],
  upstream_failed: ["none", "not run", "a task before it failed"],
  removed: ["none", "not run", "the DAG no longer has it"],
  skipped: ["skipped", "skipped", ""],
  success: ["good", "made", ""],
};
const FINISHED = new Set(["success", "skipped", "failed", "upstream_failed", "removed"]);
const RUN_STATES = { queued: "waiting", running: "running", success: "good", failed: "bad" };

export const hasEnded = (run) => run.state === "success" || run.state === "failed";

export const runTone = (state) => RUN_STATES[state] ?? "none";

/** `{tone, word, text}` of a stage; what its folder holds counts once its task has finished. */
export function outcomeOf(stage, run) {
  if (stage.outcome && (FINISHED.has(stage.state) || hasEnded(run)) && !/failed/.test(stage.state ?? ""))
    return published(stage);
  const fallback = hasEnded(run) ? ["none", "not run", ""] : ["waiting", "waiting", "for the stages before it"];
  const [tone, word, text] = STATES[stage.state] ?? fallback;
  return { tone, word, text: stage.reason ?? text };
}

function published({ outcome, source_run: source, reason }) {
  if (outcome === "made") return { tone: "good", word: "made", text: reason ?? "" };
  if (outcome === "cached") {
    const text = source ? `nothing that decides it has changed since run ${source}, whose result stands here` : reason;
    return { tone: "cached", word: "cached", text: text ?? "" };
  }
  const text = source ? `the result of run ${source} stands in` : reason;
  return { tone: "skipped", word: "skipped", text: text ?? "" };
}

/** Why there is no report, and whether one is still to come. */
export function noReport(run) {
  const failed = run.stages.find((stage) => stage.state === "failed");
  if (!hasEnded(run))
    return "There is no report yet. It comes once the stage “report” has run; this page then shows it by itself.";
  if (failed) return `There is no report: the run failed at ${failed.stage}.`;
  if (run.state === "failed") return "There is no report: the run failed.";
  return "There is no report: the run ended without one.";
}
