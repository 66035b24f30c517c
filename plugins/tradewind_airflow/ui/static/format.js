// Numbers, sizes and times as text. Times are in the zone that the reader chose in Airflow's page.

import { make } from "./dom.js";

const NONE = "–";
const UNITS = ["kB", "MB", "GB", "TB"];
const whole = new Intl.NumberFormat("en-GB");
const clock = clockIn(chosenZone());

function chosenZone() {
  try {
    return localStorage.getItem("timezone")?.replaceAll('"', "") || undefined;
  } catch {
    return undefined;
  }
}

function clockIn(timeZone) {
  const style = { dateStyle: "medium", timeStyle: "short" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...style, timeZone });
  } catch {
    return new Intl.DateTimeFormat("en-GB", style);
  }
}

export const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export const count = (value) => (isNumber(value) ? whole.format(value) : NONE);

/** Scores mostly lie between 0 and 1; those that reach 100 need fewer places. */
export const score = (value) => (isNumber(value) ? value.toFixed(Math.abs(value) >= 10 ? 1 : 3) : NONE);

export const signed = (value) => (isNumber(value) && value >= 0 ? `+${score(value)}` : score(value).replace("-", "−"));

/** Four digits, whatever the size. */
export function figure(value) {
  if (!isNumber(value)) return NONE;
  if (Number.isInteger(value)) return whole.format(value);
  return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6
    ? String(Number(value.toPrecision(4)))
    : value.toExponential(2);
}

/** In powers of 1000, as Airflow and disks count. */
export function bytes(value) {
  if (!isNumber(value)) return NONE;
  if (value < 1000) return `${value} B`;
  const power = Math.min(UNITS.length, Math.floor(Math.log10(value) / 3));
  const size = value / 1000 ** power;
  return `${size < 9.995 ? size.toFixed(1) : Math.round(size)} ${UNITS[power - 1]}`;
}

export const exactBytes = (value) => `${count(value)} ${value === 1 ? "byte" : "bytes"}`;

export function duration(seconds) {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const all = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return minutes ? `${minutes} min ${String(rest).padStart(2, "0")} s` : `${rest} s`;
}

export function dateText(iso) {
  const at = new Date(iso ?? NaN);
  return Number.isNaN(at.getTime()) ? NONE : clock.format(at);
}

export const time = (iso) => make("time", { datetime: iso, title: iso }, dateText(iso));

/** "en" as "English"; what is no language stays as it is. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code;
  }
}
