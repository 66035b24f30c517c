// The Models page: which pipeline, which questions; the plot, the runs, two compared.

import { dataUrl, queryOf, readQuery } from "./address.js";
import { announce, byId, make, setText } from "./dom.js";
import { getJson } from "./fetching.js";
import { count } from "./format.js";
import { groupKey, groupName, modelsPlot, runName } from "./models_plot.js";
import { makeRunsTable } from "./models_table.js";
import { clearNotice, showFailure, showLoading, showNothing } from "./notices.js";
import { makePicks } from "./picks.js";
import { makePlot } from "./plot.js";

const query = readQuery();
const [pipeline, group] = [byId("pipeline"), byId("group")];
let data = null;

const plot = makePlot("Scores over time");
const picks = makePicks(() => data.dag_id);
const table = makeRunsTable({
  dagId: () => data.dag_id,
  group: chosenGroup,
  find: (slug) => data.runs.find((run) => run.run === slug),
  picks,
});
byId("plot").append(plot.element);
byId("runs").append(table.element);
pipeline.addEventListener("change", () => guarded(load));
group.addEventListener("change", show);
byId("refresh").addEventListener("click", () => guarded(load));
guarded(start);

function chosenGroup() {
  return data.groups.find((one) => groupKey(one) === group.value);
}

async function guarded(work) {
  if (byId("content").hidden) showLoading("Loading the runs …");
  try {
    await work();
  } catch (failure) {
    if (failure.status === undefined) throw failure;
    byId("content").hidden = true;
    showFailure(failure, () => guarded(work));
  }
}

async function start() {
  const { pipelines } = await getJson(dataUrl("pipelines"));
  if (!pipelines.length)
    return showNothing("No pipeline yet", "No pipeline of Tradewind that you may read has run so far.");
  const busiest = pipelines.reduce((one, other) => (other.runs > one.runs ? other : one));
  const asked = pipelines.find(({ dag_id: id }) => id === query.get("dag_id"));
  pipeline.replaceChildren(
    ...pipelines.map(({ dag_id: id, runs }) =>
      make("option", { value: id }, `${id} (${count(runs)} ${runs === 1 ? "run" : "runs"})`),
    ),
  );
  pipeline.value = (asked ?? busiest).dag_id;
  byId("choices").hidden = false;
  await load();
}

async function load() {
  const asked = pipeline.value;
  const found = await getJson(dataUrl("models", { dag_id: asked }));
  if (asked !== pipeline.value) return; // the reader has gone on to another
  if (asked !== data?.dag_id) byId("comparison").hidden = true;
  data = found;
  const before = group.value || JSON.stringify(["kind", "language", "metric"].map((name) => query.get(name)));
  group.replaceChildren(...data.groups.map((one) => make("option", { value: groupKey(one) }, groupName(one))));
  const keys = data.groups.map(groupKey);
  group.value = keys.includes(before) ? before : (keys[0] ?? "");
  group.disabled = keys.length === 0;
  picks.renew(data.runs);
  show();
}

function show() {
  const none = !data.runs.length || !data.groups.length;
  byId("content").hidden = none;
  history.replaceState(null, "", `?${queryOf({ dag_id: data.dag_id, ...pick(chosenGroup()) })}`);
  if (none) {
    return showNothing(
      "No scores yet",
      `No run of ${data.dag_id} has come as far as its scores. They stand here once its stage "evaluate" has run.`,
    );
  }
  clearNotice();
  tellChampion();
  table.show(data.runs);
  plot.show(modelsPlot(data, chosenGroup()));
  announce(`${count(data.runs.length)} runs of ${data.dag_id}, ${groupName(chosenGroup())}.`);
}

const pick = ({ kind, language, metric } = {}) => ({ kind, language, metric });

function tellChampion() {
  const run = data.runs.find((one) => one.is_champion);
  const made = run ? `, made by ${runName(run)}` : "";
  setText(byId("champion"), data.champion ? `In use: ${data.champion}${made}` : "No model is in use yet.");
}
