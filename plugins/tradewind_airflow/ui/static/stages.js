// The list of a run's stages: rows are made once and then only changed, so that the focus stays where it is.

import { byId, hiddenText, make, setText } from "./dom.js";
import { duration } from "./format.js";
import { outcomeOf } from "./outcomes.js";
import { askToSkip } from "./skip.js";

const rows = new Map();
let words = new Map();

/** Show `run`'s stages; returns what changed since the last time, as lines to read out. */
export function showStages(run, skipped) {
  const before = words;
  words = new Map(run.stages.map((stage) => [stage.task_id, outcomeOf(stage, run).word]));
  const nodes = run.stages.map((stage) => rowOf(stage).show(stage, run, skipped));
  const body = byId("stages");
  if (nodes.length !== body.rows.length || nodes.some((node, at) => body.rows[at] !== node))
    body.replaceChildren(...nodes);
  return run.stages
    .filter(({ task_id: id }) => before.size && before.get(id) !== words.get(id))
    .map(({ stage, task_id: id }) => `${stage}: ${words.get(id)}`);
}

function rowOf({ task_id: id }) {
  if (!rows.has(id)) rows.set(id, makeRow());
  return rows.get(id);
}

function makeRow() {
  const [name, badge, text, took] = [
    make("th", { scope: "row" }),
    make("span"),
    make("span"),
    make("td", { class: "number" }),
  ];
  const button = make("button", { type: "button" });
  const action = make("span", { class: "action" });
  const became = make("div", { class: "became" }, make("span", {}, badge, hiddenText(":"), " ", text), action);
  const node = make("tr", {}, name, make("td", {}, became), took);

  function show(stage, run, skipped) {
    const outcome = outcomeOf(stage, run);
    setText(name, stage.task_id === stage.stage ? stage.stage : `${stage.stage} (${stage.task_id})`);
    setText(badge, outcome.word);
    badge.className = `badge ${outcome.tone}`;
    setText(text, outcome.text);
    setText(took, stage.seconds === null ? "" : duration(stage.seconds));
    button.onclick = () => askToSkip(run, stage, skipped);
    button.disabled = !run.may_edit;
    if (run.may_edit) button.removeAttribute("aria-describedby");
    else button.setAttribute("aria-describedby", "rights");
    offer(stage);
    return node;
  }

  /** A button that goes while it has the focus hands it to the heading, not to nowhere. */
  function offer(stage) {
    if (stage.skippable === action.contains(button)) return;
    const focused = document.activeElement === button;
    action.replaceChildren(...(stage.skippable ? [button] : []));
    if (!button.firstChild) button.append("Skip", hiddenText(` ${stage.stage}`));
    if (focused) byId("stages-heading").focus();
  }

  return { show };
}
