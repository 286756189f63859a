// The composer: Ctrl Enter sends; names of the chosen files; the reason of From follows the choice.
const form = document.querySelector("form.composer");
form?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
});
const from = form?.querySelector("select[name=mailbox]");
const reason = form?.querySelector("[data-from-reason]");
from?.addEventListener("change", () => {
  reason.textContent = from.value === from.dataset.offered ? from.dataset.reason : "your choice";
});
