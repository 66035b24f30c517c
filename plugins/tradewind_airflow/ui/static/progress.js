// The Progress tab of a task: how far a training is, while it runs and after.

import { dataUrl, readMapIndex, readQuery } from "./address.js";
import { announce, byId, hiddenText, make, setText, termList } from "./dom.js";
import { getJson } from "./fetching.js";
import { count, figure, isNumber } from "./format.js";
import { lossPlot } from "./loss_plot.js";
import { clearNotice, showFailure, showNothing, showStale } from "./notices.js";
import { makePlot } from "./plot.js";
import { keepAsking } from "./polling.js";
import { figures, hasEnded, metricPairs, share, stateWords } from "./progress_words.js";
import { makeTable } from "./table.js";

const PAUSE = 3_000;
const query = readQuery();
const mapIndex = readMapIndex(query.get("map_index"));
const ids = {
  dag_id: query.get("dag_id"),
  run_id: query.get("run_id"),
  task_id: query.get("task_id"),
  map_index: mapIndex,
};
let shown = null,
  curve = null;

const plot = makePlot("Loss by step");
const table = makeTable({
  caption: "Loss by step",
  noun: "steps",
  columns: [
    { name: "Step", numeric: true, rowHeader: true, cell: (row) => count(row.step), sortBy: (row) => row.step },
    { name: "Loss", numeric: true, cell: (row) => figure(row.loss), sortBy: (row) => row.loss },
    {
      name: "Learning rate",
      numeric: true,
      cell: (row) => figure(row.learning_rate),
      sortBy: (row) => row.learning_rate,
    },
  ],
});
byId("curve").append(plot.element);
byId("curve-table").append(table.element);
byId("curve-details").addEventListener("toggle", showTable);
byId("task").append(make("span", { class: "name" }, `${ids.task_id ?? ""}${mapIndex < 0 ? "" : `[${mapIndex}]`}`));

const ask = keepAsking(load, (failure, milliseconds) => {
  if (shown) return showStale(failure, milliseconds, () => ask());
  showFailure(failure, () => ask());
});

async function load() {
  const found = await getJson(dataUrl("progress", ids));
  const ended = hasEnded(found.state);
  byId("content").hidden = !found.training;
  if (found.training) {
    clearNotice();
    show(found, ended);
  } else {
    showNothing(
      "This task trains nothing",
      "Steps and a loss curve stand here for the tasks that train: adapt and finetune. What this one does is in its log.",
    );
  }
  return ended || !found.training ? null : PAUSE;
}

function show(found, ended) {
  const { state, progress, metrics } = found;
  setText(byId("words"), stateWords(state, found.silent_seconds));
  byId("meter").replaceChildren(...(progress ? [meterOf(progress, state)] : []));
  byId("figures").replaceChildren(...(progress ? [termList(figures(progress, ended))] : []));
  curve = found.curve.filter((row) => isNumber(row.step) && isNumber(row.loss));
  byId("curve-section").hidden = curve.length === 0;
  if (curve.length) plot.show(lossPlot(ids.task_id, curve, progress));
  showTable();
  byId("metrics-section").hidden = !metrics;
  byId("metrics").replaceChildren(...(metrics ? [termList(metricPairs(metrics))] : []));
  tell(found);
  shown = found;
}

/** Only where somebody looks: the table may be long. */
function showTable() {
  if (byId("curve-details").open && curve) table.show(curve.toReversed());
}

function meterOf(progress, state) {
  const done = share(progress);
  const meter = make("progress", {
    max: 100,
    value: done,
    "aria-label": "Steps done",
    class: state === "failed" ? "failed" : null,
  });
  return make(
    "p",
    { class: "meter" },
    meter,
    make("span", { "aria-hidden": "true" }, `${done} %`),
    hiddenText(`${done} percent`),
  );
}

/** A screen reader hears of the state, and of every tenth part; each step would drown all else. */
function tell({ state, progress }) {
  if (!shown) return;
  if (shown.state !== state) return announce(stateWords(state));
  const tenth = (of) => (of ? Math.floor(share(of) / 10) : 0);
  if (tenth(progress) > tenth(shown.progress))
    announce(`${tenth(progress) * 10} percent done, loss ${figure(progress.loss)}.`);
}
