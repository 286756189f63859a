// Search: arrow keys choose among the results, Enter opens. The results come by htmx.
const palette = document.getElementById("palette");
const input = palette?.querySelector("input");

const results = () => [...palette.querySelectorAll(".result")];
const choose = (result) => {
  for (const other of results()) other.setAttribute("aria-selected", other === result);
  if (result) { input.setAttribute("aria-activedescendant", result.id); result.scrollIntoView({ block: "nearest" }); }
};

input?.addEventListener("keydown", (event) => {
  const all = results();
  const at = all.findIndex((result) => result.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(all[(at + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter" && all.length) {
    event.preventDefault();
    location.href = (all[at] ?? all[0]).href;
  }
});
palette?.addEventListener("htmx:afterSwap", () => choose(results()[0]));
