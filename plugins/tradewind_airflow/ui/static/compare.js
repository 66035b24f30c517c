// Two runs chosen in the table, and how they compare.

import { dataUrl } from "./address.js";
import { announce, byId, make } from "./dom.js";
import { getJson } from "./fetching.js";
import { dateText } from "./format.js";
import { runName } from "./models_plot.js";
import { makeTable } from "./table.js";

/**
 * The ticked runs, at most two: a third replaces the one ticked first.
 * `changed(run)` is told of every run whose tick is gone by itself.
 */
export function makePicks(dagId, changed) {
  let chosen = [];

  const bar = byId("picked");
  const button = make("button", { type: "button", class: "primary", onclick: () => showComparison(dagId(), inOrder()) }, "Compare");
  const words = make("span", { role: "status" });
  bar.append(words, button, make("button", { type: "button", onclick: clear }, "Untick both"));

  const inOrder = () => chosen.toSorted((one, other) => (one.finished_at < other.finished_at ? -1 : 1));

  function show() {
    bar.hidden = chosen.length === 0;
    button.disabled = chosen.length < 2;
    words.textContent =
      chosen.length < 2 ? "Tick a second run to compare it with." : `Compare ${inOrder().map((run) => dateText(run.finished_at)).join(" with ")}`;
  }

  function clear() {
    chosen = [];
    changed();
    show();
    byId("runs-heading").focus();
  }

  return {
    has: (run) => chosen.includes(run),
    set(run, ticked) {
      chosen = ticked ? [...chosen, run].slice(-2) : chosen.filter((other) => other !== run);
      changed();
      show();
    },
    /** The same runs in newly fetched data. */
    renew(runs) {
      chosen = chosen.map((run) => runs.find((other) => other.run === run.run)).filter(Boolean);
      show();
    },
  };
}

async function showComparison(dagId, [first, second]) {
  const section = byId("comparison");
  const heading = make("h2", { tabindex: "-1" }, "Comparison");
  section.hidden = false;
  section.replaceChildren(heading, make("p", { class: "notice loading" }, "Comparing the two runs' answers …"));
  heading.focus();
  let shown;
  try {
    shown = comparison(await getJson(dataUrl("compare", { dag_id: dagId, first: first.run, second: second.run })), first, second);
  } catch (failure) {
    shown = [make("div", { class: "notice failure", role: "alert" }, make("h3", {}, failure.heading), make("p", {}, failure.detail || failure.advice))];
  }
  section.replaceChildren(heading, ...shown, make("p", { class: "actions" }, make("button", { type: "button", onclick: close }, "Close the comparison")));
  announce("The comparison is shown.");

  function close() {
    section.hidden = true;
    section.replaceChildren();
    byId("runs-heading").focus();
  }
}

function comparison(found, first, second) {
  const table = makeTable({
    caption: `${runName(second)} compared with ${runName(first)}`,
    columns: found.columns.map((name, at) => ({
      name: String(name),
      rowHeader: at === 0,
      numeric: at > 0 && found.rows.every((row) => typeof row[at] === "number" || /^[+\-−]?\d|^[-–—]?$/.test(row[at] ?? "")),
      cell: (row) => String(row[at] ?? ""),
    })),
  });
  table.show(found.rows);
  return [
    make("p", {}, "The model ", make("em", {}, found.model), " of ", make("strong", {}, runName(second)), " (second), compared with that of ", make("strong", {}, runName(first)), " (first)."),
    make("p", {}, make("strong", {}, found.verdict), found.verdict_reason ? `: ${found.verdict_reason}` : ""),
    table.element,
    found.notes?.length ? make("ul", {}, found.notes.map((note) => make("li", {}, note))) : null,
  ].filter(Boolean);
}
