// Appearance: as the system, light, dark. Kept in this browser. Not a module: it has to be over before the first paint.
(() => {
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
  const apply = (theme) => { theme ? (root.dataset.theme = theme) : delete root.dataset.theme; };
  apply(stored());
  document.addEventListener("click", (event) => {
    const choice = event.target.closest("[data-theme-choice]");
    if (!choice) return;
    apply(choice.dataset.themeChoice);
    try { localStorage.setItem("theme", choice.dataset.themeChoice); } catch { /* private window */ }
    choice.closest("[popover]").hidePopover();
  });
})();
