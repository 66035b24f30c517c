// Before the first paint: the theme that the reader chose in Airflow's page, which keeps it under this key.
// "system" or nothing there: the browser's own preference, which the style sheet follows by itself.
(() => {
  const show = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // Storage is closed to this page: follow the browser.
    }
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
  };
  show();
  addEventListener("storage", (event) => {
    if (event.key === "theme" || event.key === null) show();
  });
})();
