// What the Progress page draws: the loss at each step that was logged.

import { roundTicks } from "./axes.js";
import { count, figure, isNumber } from "./format.js";

/** What the plot draws of a training. */
export function lossPlot(task, rows, progress) {
  const last = rows.length - 1;
  const lowest = rows.reduce((one, other) => (other.loss < one.loss ? other : one));
  return {
    of: task,
    title: `Loss by step of ${task}`,
    description:
      `${rows.length} values from step ${rows[0].step} to ${rows[last].step}: it began at ${figure(rows[0].loss)}, ` +
      `is at ${figure(rows[last].loss)} now and was lowest at step ${lowest.step} with ${figure(lowest.loss)}.`,
    xName: progress ? `step of ${count(progress.max_steps)}` : "step",
    yName: "loss",
    unit: "Step",
    xs: rows.map((row) => row.step),
    xTicks: (wide) => stepTicks(rows[0].step, rows[last].step, wide),
    lines: [{ key: "tuned", name: "training loss", values: rows.map((row) => row.loss) }],
    spans: null,
    read: (index) => reading(rows[index]),
    start: last,
  };
}

function stepTicks(first, last, wide) {
  if (first === last) return [{ value: first, text: String(first) }];
  return roundTicks(first, last, wide / 90).filter((tick) => Number.isInteger(tick.value));
}

function reading(row) {
  const facts = [
    ["Loss", figure(row.loss)],
    ["Learning rate", isNumber(row.learning_rate) ? figure(row.learning_rate) : null],
  ];
  const heading = `Step ${count(row.step)}`;
  return { heading, facts, text: `${heading}, loss ${figure(row.loss)}` };
}
