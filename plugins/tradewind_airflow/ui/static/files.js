// The Files tab of a run: one folder at a time; every folder has its own address.

import { dataUrl, pageUrl, readQuery } from "./address.js";
import { announce, byId, make } from "./dom.js";
import { getJson } from "./fetching.js";
import { bytes, count, exactBytes, time } from "./format.js";
import { clearNotice, showFailure, showLoading, showNothing } from "./notices.js";
import { makeTable } from "./table.js";

const query = readQuery();
const ids = { dag_id: query.get("dag_id"), run_id: query.get("run_id") };
const folder = (query.get("path") ?? "").split("/").filter(Boolean);
const content = byId("content");

const inside = (name) => [...folder, name].join("/");
const folderLink = (path, ...text) => make("a", { href: pageUrl("files", { ...ids, path }) }, ...text);

const table = makeTable({
  caption: "Files and folders",
  noun: "entries",
  className: "files",
  columns: [
    { name: "Name", rowHeader: true, sortBy: (entry) => entry.name, cell: nameOf },
    {
      name: "Size",
      numeric: true,
      sortBy: (entry) => (entry.kind === "file" ? entry.bytes : null),
      cell: (entry) =>
        entry.kind === "file" ? make("span", { title: exactBytes(entry.bytes) }, bytes(entry.bytes)) : "folder",
    },
    { name: "Modified", className: "tight", sortBy: (entry) => entry.modified, cell: (entry) => time(entry.modified) },
  ],
});

byId("refresh").addEventListener("click", load);
byId("run").append(make("span", { class: "name" }, ids.run_id ?? ""));
byId("crumbs").append(crumbs());
document.title = `${folder.at(-1) ?? "Files"} · Tradewind`;
load();

function nameOf({ name, kind }) {
  if (kind === "folder") return folderLink(inside(name), `${name}/`);
  const address = dataUrl("files/download", { ...ids, path: inside(name) });
  return make("a", { href: address, download: name, "aria-label": `Download ${name}` }, name);
}

function crumbs() {
  const parts = folder.map((name, at) =>
    at === folder.length - 1
      ? make("span", { "aria-current": "page" }, name)
      : folderLink(folder.slice(0, at + 1).join("/"), name),
  );
  const top = folder.length ? folderLink("", "run's folder") : make("span", { "aria-current": "page" }, "run's folder");
  return make(
    "ol",
    { class: "crumbs" },
    [top, ...parts].map((part) => make("li", {}, part)),
  );
}

async function load() {
  if (content.hidden) showLoading("Loading the folder …");
  try {
    show(await getJson(dataUrl("files", { ...ids, path: folder.join("/") })));
  } catch (failure) {
    if (failure.status === undefined) throw failure;
    content.hidden = true;
    showFailure(failure, load);
  }
}

function show({ entries, truncated }) {
  content.hidden = entries.length === 0;
  if (!entries.length)
    return showNothing("Nothing in this folder", "Files stand here as the stages of the run make them.");
  clearNotice();
  const folders = entries.filter((entry) => entry.kind === "folder");
  const files = entries.filter((entry) => entry.kind !== "folder");
  table.show([...folders, ...files]);
  const note = `The folder holds more: these are the first ${count(entries.length)} entries.`;
  content.replaceChildren(...(truncated ? [make("p", { class: "notice" }, note)] : []), table.element);
  announce(`${count(files.length)} files, ${count(folders.length)} folders.`);
}
