// Addresses: what this page was asked for, and where the data is. All are relative to where Airflow is mounted.

const decode = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** The query string's parts. A `+` stays a plus: run ids hold it, and Airflow may leave it unencoded. */
export function readQuery(search = location.search) {
  const found = new Map();
  for (const part of search.replace(/^\?/, "").split("&")) {
    const [, name, value] = /^([^=]*)=?(.*)$/s.exec(part);
    if (name) found.set(decode(name), decode(value));
  }
  return found;
}

/** A task that is not mapped has no number: Airflow leaves `{MAP_INDEX}` as it is. */
export function readMapIndex(text) {
  return /^\d+$/.test(text ?? "") ? Number(text) : -1;
}

export function queryOf(parts) {
  return Object.entries(parts)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");
}

const below = (path, parts) => {
  const url = new URL(path, import.meta.url);
  url.search = queryOf(parts);
  return url.href;
};

export const dataUrl = (name, parts = {}) => below(`../api/${name}`, parts);

export const pageUrl = (name, parts = {}) => below(`../pages/${name}`, parts);

export const loginUrl = () => below("../../api/v2/auth/login", { next: location.href });

/** Of Airflow's own API; for a mapped task it stands for all of its instances. */
export function taskUrl(dagId, runId, taskId) {
  const [dag, run, task] = [dagId, runId, taskId].map(encodeURIComponent);
  return new URL(`../../api/v2/dags/${dag}/dagRuns/${run}/taskInstances/${task}`, import.meta.url).href;
}
