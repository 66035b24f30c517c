// The Report tab of a run: what became of its stages, and the report below.

import { dataUrl, pageUrl, readQuery } from "./address.js";
import { announce, byId, make, setText, termList } from "./dom.js";
import { getJson } from "./fetching.js";
import { clearNotice, showFailure, showNothing, showStale } from "./notices.js";
import { hasEnded, noReport, outcomeOf, runTone } from "./outcomes.js";
import { keepAsking } from "./polling.js";
import { showStages } from "./stages.js";

const PAUSE = 4_000;
const query = readQuery();
const ids = { dag_id: query.get("dag_id"), run_id: query.get("run_id") };
let shown = null,
  framed = null;

if (query.get("from") === "models") {
  byId("back").hidden = false;
  byId("back").append(make("a", { href: pageUrl("models", { dag_id: ids.dag_id }) }, `← Models of ${ids.dag_id}`));
}
const ask = keepAsking(load, (failure, milliseconds) => {
  if (shown) return showStale(failure, milliseconds, () => ask());
  showFailure(failure, () => ask());
});

async function load() {
  const run = await getJson(dataUrl("run", ids));
  const ended = hasEnded(run);
  if (run.run === null && (ended || !run.stages.length)) {
    showNothing(
      "No run of Tradewind",
      "It left no folder: either it trains no model, or it ended before its first stage.",
    );
  } else {
    clearNotice();
    showRun(run);
  }
  return ended ? null : PAUSE;
}

function showRun(run) {
  const changes = showStages(run, () => ask());
  if (shown && shown.state !== run.state) changes.push(`The run: ${run.state}`);
  if (changes.length) announce(changes.join(". "));
  showHead(run);
  showReport(run);
  byId("content").hidden = false;
  shown = run;
}

function showHead(run) {
  const [name, state] = [
    make("span", { class: "name" }, run.run_id),
    make("span", { class: `badge ${runTone(run.state)}` }, run.state),
  ];
  if (shown?.state !== run.state) byId("run").replaceChildren(name, " ", state);
  if (!shown || shown.recipe !== run.recipe) byId("settings").replaceChildren(settingsOf(run));
  const closed = !run.may_edit && run.stages.some((stage) => stage.skippable);
  byId("rights").hidden = !closed;
  setText(byId("rights"), closed ? "You may read this run, but not change its tasks: the Skip buttons are off." : "");
}

/** Known once the run's first task has resolved them. */
function settingsOf(run) {
  return termList([
    ["Recipe", run.recipe],
    ["Documents", run.data],
    ["Seed", run.seed === null ? null : String(run.seed)],
    ["Asked to skip", run.skip.join(", ")],
    ["Cached results", run.force ? "ignored (force)" : null],
  ]);
}

function showReport(run) {
  if (!run.has_report) {
    setText(byId("report-note"), noReport(run));
    byId("report").replaceChildren();
    framed = null;
    return;
  }
  const stage = run.stages.find((one) => one.stage === "report");
  setText(byId("report-note"), whose(run, stage));
  const version = JSON.stringify([run.report_of, stage && [outcomeOf(stage, run).word, stage.seconds]]);
  if (framed === version) return;
  framed = version;
  // A new frame rather than a new address: the back button then leaves the page, not the report before.
  const frame = { src: dataUrl("report", ids), sandbox: "", title: `Report of run ${run.run_id}`, class: "report" };
  byId("report").replaceChildren(make("iframe", frame));
}

/** The report of an earlier try stands there until the new one is made. */
function whose(run, stage) {
  if (stage && !["success", "skipped"].includes(stage.state))
    return "This is the report of an earlier try: the stage “report” has not made a new one.";
  if (!run.report_of || run.report_of === run.run) return "";
  return stage?.outcome === "skipped"
    ? `The stage “report” was skipped: this is the report of run ${run.report_of}.`
    : `Nothing new since run ${run.report_of}: this is its report.`;
}
