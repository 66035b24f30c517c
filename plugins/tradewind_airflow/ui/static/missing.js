// A part of the page that did not come: the network changed meanwhile, a proxy was restarted. The modules then never
// start, so this script stands alone and before them. It loads the page once more; a second time it says what is wrong.
(() => {
  const KEY = "tradewind.loaded-again";
  const SOON = 60_000; // ms within which loading again by itself has not helped
  let missed = false;

  addEventListener("error", noticeMissing, true); // captured: what fails to load does not bubble

  function noticeMissing({ target }) {
    const needed = target instanceof HTMLScriptElement || target.rel === "stylesheet";
    if (missed || !needed) return;
    missed = true;
    if (mayLoadAgain()) setTimeout(() => location.reload(), 1_000);
    else if (document.readyState === "loading") addEventListener("DOMContentLoaded", say);
    else say();
  }

  /** False where this tab tried just now, or cannot keep that it did: it would load for ever. */
  function mayLoadAgain() {
    try {
      const last = Number(sessionStorage.getItem(KEY));
      sessionStorage.setItem(KEY, String(Date.now()));
      return Date.now() - last > SOON;
    } catch {
      return false;
    }
  }

  function say() {
    const notice = document.createElement("div");
    notice.className = "notice failure";
    notice.setAttribute("role", "alert");
    notice.append(
      withText("h2", "Not all of this page came"),
      withText("p", "The server or the network dropped a part of it."),
      withText("button", "Load it again"),
    );
    notice.lastChild.addEventListener("click", () => location.reload());
    document.getElementById("notice").replaceChildren(notice);
  }

  function withText(tag, text) {
    const node = document.createElement(tag);
    node.textContent = text;
    return node;
  }
})();
