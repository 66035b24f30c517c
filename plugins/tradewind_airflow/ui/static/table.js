// A table whose columns sort, and whose rows come in portions: a thousand of them stay quick.

import { make } from "./dom.js";
import { count } from "./format.js";

const PORTION = 100;
const words = new Intl.Collator("en", { numeric: true });

/** Blank values last, whichever way it is sorted. */
function compare(one, other, sign) {
  const blank = (value) => value === null || value === undefined || value === "";
  if (blank(one) || blank(other)) return Number(blank(one)) - Number(blank(other));
  return sign * (typeof one === "number" && typeof other === "number" ? one - other : words.compare(one, other));
}

/**
 * `columns`: `{name, cell(row), sortBy(row), numeric, rowHeader}`; without `sortBy` a column does not sort.
 * `sorted`: `{column: index, down: bool}`, or nothing to keep the order that the rows come in.
 * Returns the element and `show(rows)`.
 */
export function makeTable({ caption, columns, sorted = null, noun = "rows", className = "" }) {
  let rows = [],
    shown = PORTION;
  const body = make("tbody");
  const heads = columns.map((column, index) => headOf(column, () => sortBy(index)));
  const table = make(
    "table",
    { class: className },
    make("caption", { class: "visually-hidden" }, caption),
    make("thead", {}, make("tr", {}, heads)),
    body,
  );
  const more = make("p", { class: "actions" });
  const scroll = make("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table);

  function sortBy(index) {
    const firstDown = Boolean(columns[index].numeric);
    sorted = { column: index, down: sorted?.column === index ? !sorted.down : firstDown };
    draw();
  }

  function ordered() {
    if (!sorted) return rows;
    const value = columns[sorted.column].sortBy;
    return rows.toSorted((one, other) => compare(value(one), value(other), sorted.down ? -1 : 1));
  }

  function draw() {
    for (const [index, head] of heads.entries()) {
      if (sorted?.column === index) head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    body.replaceChildren(
      ...ordered()
        .slice(0, shown)
        .map((row) =>
          make(
            "tr",
            {},
            columns.map((column) => cellOf(column, row)),
          ),
        ),
    );
    drawMore();
  }

  function drawMore() {
    const left = rows.length - shown;
    if (left <= 0) return more.replaceChildren();
    const button = (text, upTo) => make("button", { type: "button", onclick: () => grow(upTo) }, text);
    more.replaceChildren(
      make("span", {}, `${count(shown)} of ${count(rows.length)} ${noun} `),
      left > PORTION ? button(`Show ${PORTION} more`, shown + PORTION) : "",
      button(`Show all ${count(rows.length)}`, rows.length),
    );
  }

  function grow(upTo) {
    const first = shown;
    shown = upTo;
    draw();
    const link = body.rows[first]?.querySelector("a, button, input");
    (link ?? scroll).focus();
  }

  return {
    element: make("div", {}, scroll, more),
    show(newRows) {
      rows = newRows;
      draw();
    },
  };
}

function headOf(column, sort) {
  const head = make("th", { scope: "col", class: column.numeric ? "number" : null });
  if (column.sortBy) head.append(make("button", { type: "button", class: "sort", onclick: sort }, column.name));
  else head.append(column.name);
  return head;
}

function cellOf(column, row) {
  const attributes = { class: column.numeric ? "number" : column.className };
  const inside = column.cell(row);
  return column.rowHeader ? make("th", { scope: "row", ...attributes }, inside) : make("td", attributes, inside);
}
