// Asking the server, and what went wrong in the reader's words.

const WORDS = {
  401: ["You are logged out", "Reload Airflow's page to log in again, then open this tab once more."],
  403: ["You may not read this", "Ask who runs this Airflow for the right to read this DAG."],
  404: ["Nothing here", ""],
  409: ["This cannot be done", ""],
  422: [
    "This address is incomplete",
    "Open the page from Airflow: as a tab of a run or a task, or from the navigation.",
  ],
};
const PATIENCE = 30_000;

/** An answer that is no data; `status` 0: no answer at all. */
class Failure extends Error {
  constructor(status, detail = "") {
    const [heading, advice] = WORDS[status] ?? (status ? [`The server failed (${status})`, ""] : ["No answer", ""]);
    super([heading, detail].filter(Boolean).join(": "));
    Object.assign(this, { status, heading, advice, detail });
  }

  /** Whether asking again may help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export const getJson = (url) => ask(url, {});

export const patchJson = (url, body) =>
  ask(url, { method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

async function ask(url, options) {
  const headers = { Accept: "application/json", ...options.headers };
  let response, text;
  try {
    response = await fetch(url, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    text = await response.text();
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Failure(0, late ? "the server took longer than 30 seconds" : "the server cannot be reached");
  }
  const found = parsed(text);
  if (!response.ok) throw failureOf(response.status, wordsOf(found?.detail));
  if (found === undefined) throw new Failure(response.status, "it answered with something other than data");
  return found;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Airflow answers 403 to a login that has run out. */
function failureOf(status, detail) {
  return status === 403 && detail === "Invalid JWT token" ? new Failure(401) : new Failure(status, detail);
}

/** FastAPI's `detail`: a line, a list of lines or of `{msg, loc}`, or an object. */
function wordsOf(detail) {
  if (detail === null || detail === undefined) return "";
  if (Array.isArray(detail)) return detail.map(wordsOf).filter(Boolean).join("; ");
  if (typeof detail !== "object") return String(detail);
  if (!detail.msg) return wordsOf(detail.reason ?? detail.message ?? detail.detail);
  const place = Array.isArray(detail.loc) ? detail.loc.at(-1) : null;
  return place ? `${place}: ${detail.msg}` : String(detail.msg);
}
