// <button data-copy="id" hidden>: copies the text of that element. Hidden without script, where the text can be selected.
const show = () => { for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false; };
document.addEventListener("postroom:drawn", show); // js/streams.js
show();
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const text = (source.value ?? source.textContent).trim();
  const word = button.querySelector("[data-copy-word]");
  const usual = word.textContent;
  try {
    await navigator.clipboard.writeText(text);
    word.textContent = "Copied";
  } catch { // no permission, or a page over plain http: mark it, so that Ctrl C takes it
    if (source.select) source.select(); else getSelection().selectAllChildren(source);
    word.textContent = "Press Ctrl C";
  }
  setTimeout(() => { word.textContent = usual; }, 2500);
});
