// A line plot: one path for each line, however many points it has, and a slider that reads them off.

import { make, makeSvg, setText, termList } from "./dom.js";
import { HEIGHT, cursorOf, legendOf, partsOf } from "./drawing.js";

/**
 * A figure for `show(data)`:
 * `of`: what it is about; another one starts at `start` again
 * `title`, `description`: for those who do not see it; `xName`, `yName`, `unit` (what the slider chooses: "run")
 * `xs`: positions; `xTicks(pixels wide)`: `[{value, text}]`
 * `lines`: `[{key, name, values}]`, a value is null where there is none; `key` is the style sheet's name for it
 * `spans`: `{key, name, low, high}` or null: an upright bar at each position
 * `names`: `[{index, value, text, strong}]`: points with a name, the most important first
 * `read(index)`: `{heading, facts: [[term, text]], text}`
 * `start`: the position read off first
 */
export function makePlot(label) {
  let data = null,
    index = 0,
    followed = true,
    parts = null;
  const svg = makeSvg("svg", { role: "img", class: "plot", height: HEIGHT });
  const legend = make("ul", { class: "legend" });
  const slider = make("input", {
    type: "range",
    min: 0,
    step: 1,
    class: "reader",
    oninput: () => choose(Number(slider.value)),
  });
  const heading = make("h3");
  const facts = make("div");
  const readout = make("div", { class: "readout" }, heading, facts);
  const canvas = make("div", {}, svg);
  const element = make("figure", { "aria-label": label }, legend, canvas, slider, readout);

  new ResizeObserver(() => data && draw()).observe(canvas);
  for (const kind of ["pointermove", "pointerdown"]) svg.addEventListener(kind, (event) => choose(nearest(event)));

  /** The newest stays chosen until the reader chooses another. */
  function choose(at) {
    followed = at === data.start;
    index = at;
    read();
  }

  function nearest(event) {
    const at = event.clientX - svg.getBoundingClientRect().left;
    let [low, high] = [0, data.xs.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (parts.x(data.xs[middle]) < at) low = middle;
      else high = middle;
    }
    return at - parts.x(data.xs[low]) < parts.x(data.xs[high]) - at ? low : high;
  }

  function read() {
    const { heading: words, facts: pairs, text } = data.read(index);
    slider.value = index;
    slider.setAttribute("aria-valuetext", text);
    setText(heading, words);
    facts.replaceChildren(termList(pairs));
    parts.cursor.replaceChildren(...cursorOf(data, index, parts));
  }

  function draw() {
    const width = Math.max(240, Math.floor(canvas.clientWidth));
    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    parts = partsOf(data, width);
    svg.replaceChildren(makeSvg("title", {}, data.title), makeSvg("desc", {}, data.description), ...parts.nodes);
    read();
  }

  return {
    element,
    show(newData) {
      const last = newData.xs.length - 1;
      const stays = data?.of === newData.of && !followed && index <= last;
      index = stays ? index : newData.start;
      data = newData;
      followed = index === data.start;
      slider.max = last;
      slider.disabled = last === 0;
      slider.setAttribute("aria-label", `${data.unit} read off the plot`);
      legend.replaceChildren(...legendOf(data));
      draw();
    },
  };
}
