// The runs that are ticked in the table, to be compared.

import { showComparison } from "./compare.js";
import { byId, make } from "./dom.js";
import { dateText } from "./format.js";

/** The ticked runs, at most two: a third replaces the one ticked first. */
export function makePicks(dagId) {
  const boxes = new Map(); // of each run, the newest box that was drawn for it
  let chosen = [];

  const bar = byId("picked");
  const button = make(
    "button",
    { type: "button", class: "primary", onclick: () => showComparison(dagId(), inOrder()) },
    "Compare",
  );
  const words = make("span", { role: "status" });
  bar.append(words, button, make("button", { type: "button", onclick: clear }, "Untick both"));

  const inOrder = () => chosen.toSorted((one, other) => (one.finished_at < other.finished_at ? -1 : 1));

  function show() {
    for (const [run, box] of boxes) box.checked = chosen.includes(run);
    bar.hidden = chosen.length === 0;
    button.disabled = chosen.length < 2;
    words.textContent =
      chosen.length < 2
        ? "Tick a second run to compare it with."
        : `Compare ${inOrder()
            .map((run) => dateText(run.finished_at))
            .join(" with ")}`;
  }

  function clear() {
    chosen = [];
    show();
    byId("runs-heading").focus();
  }

  return {
    follow(run, box) {
      boxes.set(run, box);
      box.checked = chosen.includes(run);
    },
    set(run, ticked) {
      chosen = ticked ? [...chosen, run].slice(-2) : chosen.filter((other) => other !== run);
      show();
    },
    /** The same runs in newly fetched data. */
    renew(runs) {
      boxes.clear();
      chosen = chosen.map((run) => runs.find((other) => other.run === run.run)).filter(Boolean);
      show();
    },
  };
}
