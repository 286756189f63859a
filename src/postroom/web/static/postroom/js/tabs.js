// A row of tabs that is wider than the screen begins where the open one is seen.
for (const open of document.querySelectorAll(".settings-nav [aria-current], .tabs [aria-current]")) {
  const row = open.parentElement;
  const [tab, view] = [open.getBoundingClientRect(), row.getBoundingClientRect()];
  row.scrollLeft += tab.left + tab.width / 2 - (view.left + view.width / 2);
}
