// What the Models page draws: a group's scores of every run, in the order the runs finished.

import { dateText, languageName, score, signed } from "./format.js";

const MODELS = [
  ["tuned", "tuned: what the run made"],
  ["champion", "champion: the model in use then"],
  ["base", "base: before training"],
  ["floor", "floor: answers to other questions"],
];

export const groupKey = ({ kind, language, metric }) => JSON.stringify([kind, language, metric]);

export const groupName = ({ kind, language, metric_name: metric }) => `${kind}, ${languageName(language)}, ${metric}`;

export const scoreOf = (run, group) =>
  run.scores.find(
    ({ kind, language, metric }) => kind === group.kind && language === group.language && metric === group.metric,
  );

export const runName = (run) => run.run_id ?? run.run;

/** Of tuned over base, as text. */
export function gainText(found) {
  if (!Number.isFinite(found?.difference)) return null;
  const ends = Number.isFinite(found.low) ? ` (${signed(found.low)} to ${signed(found.high)})` : "";
  return `${signed(found.difference)}${ends}`;
}

export function modelsPlot({ dag_id: dagId, runs }, group) {
  const found = runs.map((run) => scoreOf(run, group));
  const lines = MODELS.map(([key, name]) => ({ key, name, values: found.map((item) => item?.[key] ?? null) }));
  const above = (end) => found.map((item) => (Number.isFinite(item?.[end]) ? item.base + item[end] : null));
  const last = runs.length - 1;
  return {
    of: dagId,
    title: `Scores of ${dagId} over time: ${groupName(group)}`,
    description: describe(runs, found, last),
    xName: "runs, oldest first",
    yName: group.metric_name,
    unit: "Run",
    xs: runs.map((_, index) => index),
    xTicks: (wide) => dateTicks(runs, wide),
    lines: lines.filter((line) => line.values.some(Number.isFinite)),
    spans: { key: "tuned", name: "interval of tuned over base", low: above("low"), high: above("high") },
    names: versions(runs, found),
    read: (index) => reading(runs[index], found[index]),
    start: last,
  };
}

function describe(runs, found, last) {
  const champion = runs.find((run) => run.is_champion);
  return [
    `${runs.length} runs, from ${dateText(runs[0].finished_at)} to ${dateText(runs[last].finished_at)}.`,
    `The newest scores ${score(found[last]?.tuned)} after training and ${score(found[last]?.base)} before.`,
    champion ? `In use is ${champion.version}, of ${runName(champion)}.` : "No model is in use.",
    "The table of runs on this page holds the same figures.",
  ].join(" ");
}

/** The champion's name first, then the newest versions. */
function versions(runs, found) {
  return runs
    .map((run, index) => ({
      index,
      value: found[index]?.tuned,
      text: run.is_champion ? `★ ${run.version}` : run.version,
      strong: run.is_champion,
    }))
    .filter(({ text }) => text)
    .sort((one, other) => Number(other.strong) - Number(one.strong) || other.index - one.index);
}

function dateTicks(runs, wide) {
  const wanted = Math.min(runs.length, Math.max(1, Math.floor(wide / 120)));
  const at = Array.from({ length: wanted }, (_, tick) =>
    wanted === 1 ? runs.length - 1 : Math.round((tick * (runs.length - 1)) / (wanted - 1)),
  );
  return at.map((index) => ({ value: index, text: dateText(runs[index].finished_at).split(",")[0] }));
}

function reading(run, found) {
  const marks = [run.version, run.is_champion ? "in use" : null].filter(Boolean).join(", ");
  const facts = [
    ["Finished", dateText(run.finished_at)],
    ["Tuned", score(found?.tuned)],
    ["Over base", gainText(found)],
    ["Champion", found?.champion === null ? null : score(found?.champion)],
    ["Base", score(found?.base)],
    ["Floor", found?.floor === null ? null : score(found?.floor)],
    ["Questions", found?.n],
    ["Verdict", run.verdict],
    ["Version", marks],
  ];
  const spoken = facts.filter(([, text]) => text !== null && text !== undefined && text !== "");
  return {
    heading: runName(run),
    facts,
    text: [runName(run), ...spoken.map(([term, text]) => `${term} ${text}`)].join(", "),
  };
}
