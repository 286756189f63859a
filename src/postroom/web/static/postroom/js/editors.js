// A rich editor stands for its textarea: it takes its name and its description, and its label leads into it.
const name = (text, textarea) => {
  const [label] = textarea.labels;
  if (!label || text.hasAttribute("aria-label")) return;
  text.setAttribute("aria-label", label.textContent.trim());
  text.setAttribute("aria-multiline", "true");
  if (textarea.hasAttribute("aria-describedby")) text.setAttribute("aria-describedby", textarea.getAttribute("aria-describedby"));
  label.addEventListener("click", (event) => { event.preventDefault(); text.focus(); });
};
document.addEventListener("prose-editor:ready", ({ detail }) => name(detail.editor.view.dom, detail.textarea));
for (const text of document.querySelectorAll(".prose-editor .ProseMirror")) { // ready before this module was
  const textarea = text.closest(".prose-editor").querySelector("textarea");
  if (textarea) name(text, textarea);
}
