// A mail frame is as high as its mail (same origin, no scripts inside), follows the chosen appearance, and says how many
// remote images it left out.
const watched = new WeakMap();

const fit = (frame) => {
  const page = frame.contentDocument?.documentElement;
  if (page) frame.style.height = `${Math.ceil(page.getBoundingClientRect().height)}px`;
};

const tellBlocked = (frame) => {
  const count = Number(frame.contentDocument.querySelector('meta[name="blocked-images"]')?.content ?? 0);
  const notice = frame.parentElement.querySelector(".blocked[data-images]");
  if (!notice) return;
  notice.hidden = count === 0;
  notice.querySelector("span").textContent =
    `${count} remote image${count === 1 ? " is" : "s are"} blocked, ${count === 1 ? "it" : "they"} would tell the sender that you read this.`;
};

// A frame knows the system's light or dark only; what was chosen here has to be told. Designed mail stays on its paper.
const colour = (frame) => {
  const page = frame.contentDocument?.documentElement;
  const chosen = document.documentElement.dataset.theme;
  if (page && !page.hasAttribute("data-designed")) page.style.colorScheme = ["light", "dark"].includes(chosen) ? chosen : "";
};

const loaded = (frame) => {
  const page = frame.contentDocument?.documentElement;
  if (!page || frame.contentDocument.URL === "about:blank") return;
  frame.classList.toggle("designed", page.hasAttribute("data-designed"));
  colour(frame);
  tellBlocked(frame);
  fit(frame);
  watched.get(frame)?.disconnect();
  const observer = new ResizeObserver(() => fit(frame));
  observer.observe(page);
  watched.set(frame, observer);
};

const wire = () => {
  for (const frame of document.querySelectorAll(".mail-frame:not([data-wired])")) {
    frame.dataset.wired = "yes";
    frame.addEventListener("load", () => loaded(frame));
    if (frame.contentDocument?.readyState === "complete") loaded(frame);
  }
};

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-theme-choice]")) document.querySelectorAll(".mail-frame").forEach(colour);
  const button = event.target.closest("[data-show-images]");
  if (!button) return;
  const frame = button.closest(".message").querySelector(".mail-frame");
  frame.src = `${frame.src.split("?")[0]}?images=1`;
});
wire();
document.addEventListener("htmx:load", wire);
