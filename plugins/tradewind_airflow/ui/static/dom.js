// Building the page. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; attributes that are null or false are left out, `on...` are listeners. */
export const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

export const makeSvg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Only where it differs: an unchanged text keeps the reader's selection and is not read out again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Tell a screen reader, without moving the focus. */
export function announce(text) {
  setText(byId("news"), text);
}

export const hiddenText = (text) => make("span", { class: "visually-hidden" }, text);

/** `[[term, description], ...]`; those without a description are left out. */
export function termList(pairs, className = "facts") {
  const shown = pairs.filter(([, text]) => text !== null && text !== undefined && text !== "");
  return make(
    "dl",
    { class: className },
    shown.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text))),
  );
}
