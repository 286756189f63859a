// A journey to a provider goes on by itself once an administrator has approved: the page is told, swaps its state in,
// and the form that comes with it is sent.
document.addEventListener("htmx:afterSettle", () => {
  const form = document.querySelector("form[data-goes-on]");
  if (form && !form.dataset.sent) form.requestSubmit();
});
