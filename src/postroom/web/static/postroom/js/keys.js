// Keys: Ctrl K or / searches, C writes (on a record's page: from it), R replies, Z undoes, ? lists them. Single keys
// never while someone types.
const open = (id) => document.dispatchEvent(new CustomEvent("postroom:open", { detail: id }));
const off = () => { try { return localStorage.getItem("keys") === "off"; } catch { return false; } };
const go = (selector) => { const target = document.querySelector(selector); target?.click(); return Boolean(target); };
const single = {
  "/": () => (open("palette"), true),
  "?": () => (open("shortcuts"), true),
  c: () => go("[data-write]") || go('.sidebar a[href^="/write/"]'),
  r: () => go("[data-reply]"),
  z: () => go("[data-undo]"),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); open("palette"); return; }
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || off() || document.querySelector("dialog[open]")) return;
  if (single[event.key]?.()) event.preventDefault();
});

const choice = document.querySelector("[data-keys-off]");
if (choice) {
  choice.checked = off();
  choice.addEventListener("change", () => {
    try { localStorage.setItem("keys", choice.checked ? "off" : "on"); } catch { /* private window */ }
  });
}
