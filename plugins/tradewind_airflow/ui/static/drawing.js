// The drawn parts of a plot: each line is one path, so that a thousand points cost as little as ten.

import { rangeOf, roundTicks, scale } from "./axes.js";
import { make, makeSvg } from "./dom.js";

export const HEIGHT = 320;
const MARGIN = { left: 52, right: 16, top: 26, bottom: 40 };
const LABEL_ROOM = 56; // pixels between two names, so that they do not touch

/** Everything of one size: the scales and the drawn nodes. */
export function partsOf(data, width) {
  const right = width - MARGIN.right,
    bottom = HEIGHT - MARGIN.bottom;
  const values = data.lines.flatMap((line) => line.values);
  const ends = rangeOf(data.spans ? values.concat(data.spans.low, data.spans.high) : values);
  const x = scale([data.xs[0], data.xs.at(-1)], [MARGIN.left + 8, right - 8]);
  const y = scale(ends, [bottom, MARGIN.top]);
  const cursor = makeSvg("g", { class: "cursor" });
  const parts = { x, y, right, bottom, cursor };
  const apart = (right - MARGIN.left) / Math.max(1, data.xs.length);
  parts.nodes = [
    ...gridOf(data, ends, parts),
    data.spans ? spansOf(data, parts, Math.min(7, Math.max(1, apart * 0.6))) : null,
    ...data.lines.flatMap((line) => lineOf(line, data.xs, parts, apart)),
    ...namesOf(data, parts),
    cursor,
  ].filter(Boolean);
  return parts;
}

function gridOf(data, ends, { x, y, right, bottom }) {
  const text = (content, attributes) => makeSvg("text", attributes, content);
  const rows = roundTicks(...ends, 5).flatMap((tick) => [
    makeSvg("path", { class: "grid", d: `M${MARGIN.left} ${y(tick.value).toFixed(1)}H${right}` }),
    text(tick.text, { x: MARGIN.left - 8, y: y(tick.value) + 4, "text-anchor": "end" }),
  ]);
  const columns = data.xTicks(right - MARGIN.left).map((tick, at, all) => {
    const anchor = all.length > 1 && at === 0 ? "start" : all.length > 1 && at === all.length - 1 ? "end" : "middle";
    return text(tick.text, { x: x(tick.value), y: bottom + 18, "text-anchor": anchor });
  });
  return [
    ...rows,
    makeSvg("path", { class: "axis", d: `M${MARGIN.left} ${bottom}H${right}` }),
    ...columns,
    text(data.yName, { x: 4, y: 12, class: "axis-name" }),
    text(data.xName, { x: right, y: HEIGHT - 4, "text-anchor": "end", class: "axis-name" }),
  ];
}

const point = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** One path for the line, broken where a value is missing, and one for all dots: each a stroke without length. */
function lineOf(line, xs, { x, y }, apart) {
  let path = "",
    dots = "",
    pen = "M";
  for (const [at, value] of line.values.entries()) {
    if (!Number.isFinite(value)) {
      pen = "M";
      continue;
    }
    const here = point(x(xs[at]), y(value));
    path += pen + here;
    dots += `M${here}h0`;
    pen = "L";
  }
  const lone = !path.includes("L");
  return [
    makeSvg("path", { class: `line ${line.key}${apart < 4 ? " dense" : ""}`, d: path }),
    apart >= 9 || lone ? makeSvg("path", { class: `dots ${line.key}`, d: dots }) : null,
  ];
}

function spansOf({ xs, spans }, { x, y }, wide) {
  let path = "";
  for (const [at, low] of spans.low.entries()) {
    if (Number.isFinite(low)) path += `M${point(x(xs[at]), y(low))}V${y(spans.high[at]).toFixed(1)}`;
  }
  return makeSvg("path", { class: `span ${spans.key}`, d: path, "stroke-width": wide.toFixed(1) });
}

/** Names where there is room for them; those that come first have the first choice. */
function namesOf({ xs, names }, { x, y, right }) {
  const taken = [];
  return (names ?? []).flatMap(({ index, value, text, strong }) => {
    const at = x(xs[index]);
    const free = taken.every((other) => Math.abs(other - at) > LABEL_ROOM);
    if (!free || !Number.isFinite(value)) return [];
    taken.push(at);
    const anchor = at > right - LABEL_ROOM ? "end" : "middle";
    const place = { x: at, y: Math.max(MARGIN.top - 6, y(value) - 12), "text-anchor": anchor };
    return [
      makeSvg("circle", { class: strong ? "named strong" : "named", cx: at, cy: y(value), r: strong ? 7 : 5 }),
      makeSvg("text", { class: strong ? "name strong" : "name", ...place }, text),
    ];
  });
}

export function cursorOf({ xs, lines }, index, { x, y, bottom }) {
  const at = x(xs[index]);
  const rings = lines
    .filter((line) => Number.isFinite(line.values[index]))
    .map((line) => makeSvg("circle", { class: `ring ${line.key}`, cx: at, cy: y(line.values[index]), r: 5 }));
  return [makeSvg("path", { class: "cut", d: `M${at.toFixed(1)} ${MARGIN.top}V${bottom}` }), ...rings];
}

/** Drawn as the line is, so that it can be told without its colour. */
export function legendOf({ lines, spans }) {
  const sample = (className, attributes = {}) =>
    makeSvg(
      "svg",
      { class: "plot", width: 28, height: 12, "aria-hidden": "true" },
      makeSvg("path", { class: className, ...attributes }),
    );
  const entries = lines.map((line) => make("li", {}, sample(`line ${line.key}`, { d: "M1 6H27" }), line.name));
  if (spans)
    entries.push(make("li", {}, sample(`span ${spans.key}`, { d: "M14 0V12", "stroke-width": 7 }), spans.name));
  return entries;
}
