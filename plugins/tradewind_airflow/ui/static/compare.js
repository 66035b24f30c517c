// Two runs' answers to the same questions, compared.

import { dataUrl } from "./address.js";
import { announce, byId, make } from "./dom.js";
import { getJson } from "./fetching.js";
import { runName } from "./models_plot.js";
import { makeTable } from "./table.js";

/** Ask for it, and show it in its place above the table of runs. */
export async function showComparison(dagId, [first, second]) {
  const section = byId("comparison");
  const heading = make("h2", { tabindex: "-1" }, "Comparison");
  section.hidden = false;
  section.replaceChildren(heading, make("p", { class: "notice loading" }, "Comparing the two runs' answers …"));
  heading.focus();
  let shown;
  try {
    shown = comparison(
      await getJson(dataUrl("compare", { dag_id: dagId, first: first.run, second: second.run })),
      first,
      second,
    );
  } catch (failure) {
    if (failure.status === undefined) throw failure;
    shown = [
      make(
        "div",
        { class: "notice failure", role: "alert" },
        make("h3", {}, failure.status === 409 ? "These runs cannot be compared" : failure.heading),
        make("p", {}, failure.detail || failure.advice),
      ),
    ];
  }
  if (!heading.isConnected) return; // closed meanwhile, or asked again
  const end = make(
    "p",
    { class: "actions" },
    make("button", { type: "button", onclick: close }, "Close the comparison"),
  );
  heading.nextSibling.replaceWith(...shown, end); // the heading stays, and with it the focus
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
      numeric:
        at > 0 && found.rows.every((row) => typeof row[at] === "number" || /^[+\-−]?\d|^[-–—]?$/.test(row[at] ?? "")),
      cell: (row) => String(row[at] ?? ""),
    })),
  });
  table.show(found.rows);
  return [
    make(
      "p",
      {},
      "The model ",
      make("em", {}, found.model),
      " of ",
      make("strong", {}, runName(second)),
      " (second), compared with that of ",
      make("strong", {}, runName(first)),
      " (first).",
    ),
    make("p", {}, make("strong", {}, found.verdict), found.verdict_reason ? `: ${found.verdict_reason}` : ""),
    table.element,
    found.notes?.length
      ? make(
          "ul",
          {},
          found.notes.map((note) => make("li", {}, note)),
        )
      : null,
  ].filter(Boolean);
}
