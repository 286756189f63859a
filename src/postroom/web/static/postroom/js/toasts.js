// Toasts go by themselves, unless somebody points at them or stands in them.
const LIFE = 10_000;

const watch = (toast) => {
  const timer = setInterval(() => {
    if (!toast.matches(":hover, :focus-within")) { clearInterval(timer); toast.remove(); }
  }, LIFE);
};
for (const toast of document.querySelectorAll(".toast")) watch(toast);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-dismiss]")) event.target.closest(".toast").remove();
});
