// The composer: begins in the first line that wants words; Tab goes from the subject to the text, past the toolbar
// (Shift Tab reaches it); Ctrl Enter sends; the reason of From follows the choice, and so does the signature, as long as
// nobody has written anything.
const form = document.querySelector("form.composer");
form?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
});
const from = form?.querySelector("select[name=mailbox]");
const reason = form?.querySelector("[data-from-reason]");
from?.addEventListener("change", () => {
  reason.textContent = from.value === from.dataset.offered ? from.dataset.reason : "your choice";
});

const line = (name) => form?.querySelector(`[name=${name}]`);
const text = () => form?.querySelector(".ProseMirror");

let given; // the text as we gave it
const keep = () => { given = text()?.editor?.getHTML(); };
keep();
form?.addEventListener("prose-editor:ready", keep);
from?.addEventListener("change", () => {
  const editor = text()?.editor;
  if (!editor || !("signs" in from.dataset) || editor.getHTML() !== given) return;
  editor.commands.setContent(from.selectedOptions[0].dataset.body ?? "", { emitUpdate: true });
  keep();
});

const wrong = form?.querySelector(".line:has(+ .field-error) :is(input, select)");
const start = wrong ?? ["to", "subject"].map(line).find((field) => field?.value === "");
if (start) start.focus();
else (text() ?? line("body"))?.focus();
line("subject")?.addEventListener("keydown", (event) => {
  if (event.key !== "Tab" || event.shiftKey || !text()) return;
  event.preventDefault();
  text().focus();
});
