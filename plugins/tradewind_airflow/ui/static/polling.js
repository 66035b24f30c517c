// Asking again while something goes on: never while the tab is hidden, less often while the server fails.

const LONGEST = 60_000;

/**
 * `load()` fetches and shows, and says after how many milliseconds to ask again; null: it has ended.
 * `failed(failure, milliseconds)` shows a failure; milliseconds is null where asking again cannot help.
 * A tab that comes back into view asks once in any case: a run that had ended may have been cleared.
 */
export function keepAsking(load, failed) {
  let timer,
    asking,
    misses = 0;

  async function turn() {
    let next;
    try {
      next = await load();
      misses = 0;
    } catch (failure) {
      if (failure.status === undefined) throw failure;
      next = failure.passing ? Math.min(LONGEST, 4_000 * 2 ** misses++) : null;
      failed(failure, next);
    }
    clearTimeout(timer);
    if (next !== null && !document.hidden) timer = setTimeout(now, next);
  }

  function now() {
    clearTimeout(timer);
    asking ??= turn().finally(() => (asking = undefined));
    return asking;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else now();
  });
  now();
  return now;
}
