// What stands where data would: loading, nothing there, or what went wrong.

import { loginUrl } from "./address.js";
import { byId, make } from "./dom.js";

const place = () => byId("notice");

// A fault of ours, or data of another version: say so rather than load for ever.
for (const kind of ["error", "unhandledrejection"]) {
  addEventListener(kind, ({ message, reason }) => {
    const detail = String(reason?.message ?? message ?? "");
    showFailure({
      heading: "This page cannot show what it got",
      detail,
      advice: "Reload it; if that does not help, Tradewind's maintainers want to know.",
    });
  });
}

export function showLoading(text) {
  place().replaceChildren(make("p", { class: "notice loading" }, text));
}

export function showNothing(heading, text) {
  place().replaceChildren(make("div", { class: "notice" }, make("h2", {}, heading), make("p", {}, text)));
}

export function clearNotice() {
  if (place().firstChild) place().replaceChildren();
}

/** `retry`: what the button does; without one there is no button. */
export function showFailure(failure, retry) {
  const what = failure.status === 404 ? "notice" : "notice failure";
  place().replaceChildren(
    make(
      "div",
      { class: what, role: "alert" },
      make("h2", {}, failure.heading),
      failure.detail ? make("p", {}, failure.detail) : null,
      failure.advice ? make("p", {}, failure.advice) : null,
      make(
        "p",
        { class: "actions" },
        failure.status === 401 ? make("a", { href: loginUrl() }, "Log in here") : null,
        retry ? make("button", { type: "button", onclick: retry }, "Try again") : null,
      ),
    ),
  );
}

/** Data is shown already, but may be old. */
export function showStale(failure, milliseconds, retry) {
  const advice = failure.advice ? ` ${failure.advice}` : "";
  const when = milliseconds === null ? "" : ` Asking again in ${Math.round(milliseconds / 1000)} s.`;
  place().replaceChildren(
    make(
      "p",
      { class: "notice failure", role: "alert" },
      `What stands below may be old. ${failure.message}.${advice}${when} `,
      make("button", { type: "button", onclick: retry }, "Ask now"),
    ),
  );
}
