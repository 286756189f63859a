// Dialogs and pops: <button data-open="id"> opens, [data-close] and the ground close, a pop tells its button its state.
const open = (id) => {
  const element = document.getElementById(id);
  document.querySelector(".sidebar:popover-open")?.hidePopover();
  document.querySelector(".menu:popover-open")?.hidePopover();
  if (element.matches("dialog")) { if (!element.open) element.showModal(); } else element.showPopover({ source: document.querySelector(`[popovertarget="${CSS.escape(id)}"]`) });
};

// Files are served under hashed names, so modules do not import each other: they meet in events.
document.addEventListener("postroom:open", (event) => { if (document.getElementById(event.detail)) open(event.detail); });
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  // A dialog that this page does not have, since it was not offered when it was drawn: the link leads to the same.
  if (opener && document.getElementById(opener.dataset.open)) { event.preventDefault(); open(opener.dataset.open); }
  if (event.target.matches("dialog, [data-close]")) event.target.closest("dialog")?.close();
});

// Capture: "toggle" does not bubble, and pops come and go with the parts that htmx swaps.
document.addEventListener("toggle", (event) => {
  const pop = event.target;
  if (!(pop instanceof HTMLElement) || !pop.hasAttribute("popover")) return;
  for (const button of document.querySelectorAll(`[popovertarget="${CSS.escape(pop.id)}"]`)) {
    button.setAttribute("aria-expanded", event.newState === "open");
  }
}, true);

const atStart = document.querySelector("dialog[data-open-at-start]");
if (atStart) open(atStart.id);
