// The table of runs on the Models page.

import { pageUrl } from "./address.js";
import { hiddenText, make } from "./dom.js";
import { dateText, score, time } from "./format.js";
import { gainText, runName, scoreOf } from "./models_plot.js";
import { makeTable } from "./table.js";

const TONES = { better: "good", worse: "bad" };

/** `group()` and `find(slug)` look up what is shown now; `picks` keeps which runs are ticked. */
export function makeRunsTable({ dagId, group, find, picks }) {
  return makeTable({
    caption: "Runs",
    noun: "runs",
    className: "runs",
    sorted: { column: 2, down: true },
    columns: [
      { name: hiddenText("Compare"), cell: (run) => pickOf(run, picks) },
      { name: "Run", rowHeader: true, sortBy: runName, cell: (run) => nameOf(run, dagId()) },
      { name: "Finished", className: "tight", sortBy: (run) => run.finished_at, cell: (run) => time(run.finished_at) },
      { name: "Recipe", sortBy: (run) => run.recipe, cell: (run) => run.recipe },
      { name: "Verdict", sortBy: (run) => run.verdict, cell: (run) => verdictOf(run, find) },
      {
        name: "Tuned (over base)",
        numeric: true,
        sortBy: (run) => scoreOf(run, group())?.tuned,
        cell: (run) => scoreCell(scoreOf(run, group())),
      },
      { name: "Version", className: "tight", sortBy: (run) => run.version, cell: (run) => versionOf(run) },
    ],
  });
}

function pickOf(run, picks) {
  const tick = () => picks.set(run, box.checked);
  const box = make("input", { type: "checkbox", "aria-label": `Compare ${runName(run)}`, onchange: tick });
  picks.follow(run, box);
  return box;
}

/** Runs that Airflow no longer knows have no report to open. */
function nameOf(run, dagId) {
  if (!run.run_id) return make("span", { class: "name", title: "Airflow no longer knows this run" }, run.run);
  const to = pageUrl("report", { dag_id: dagId, run_id: run.run_id, from: "models" });
  return make("a", { class: "name", href: to }, run.run_id);
}

function verdictOf(run, find) {
  const tone = TONES[run.verdict] ?? "even";
  const same = run.nothing_new_since && find(run.nothing_new_since);
  const since = same ? `the run of ${dateText(same.finished_at)}` : run.nothing_new_since;
  return [
    make("span", { class: `badge ${tone}`, title: run.verdict_reason }, run.verdict),
    run.nothing_new_since
      ? make("span", { class: "aside", title: same ? runName(same) : null }, `nothing new since ${since}`)
      : null,
  ];
}

function scoreCell(found) {
  if (!found) return score(null);
  const gain = gainText(found);
  return [make("span", {}, score(found.tuned)), gain ? make("span", { class: "aside" }, gain) : null];
}

function versionOf(run) {
  if (!run.version) return "";
  return [run.version, run.is_champion ? make("span", { class: "badge champion" }, "★ in use") : null];
}
