// A mail frame is as high as its mail: same origin, no scripts inside.
const fit = (frame) => {
  const page = frame.contentDocument?.documentElement;
  if (page) frame.style.height = `${Math.ceil(page.getBoundingClientRect().height)}px`;
};
const watch = (frame) => {
  fit(frame);
  const page = frame.contentDocument?.documentElement;
  if (page) new ResizeObserver(() => fit(frame)).observe(page);
};
const wire = () => {
  for (const frame of document.querySelectorAll(".mail-frame:not([data-wired])")) {
    frame.dataset.wired = "yes";
    if (frame.contentDocument?.readyState === "complete" && frame.contentDocument.URL !== "about:blank") watch(frame);
    frame.addEventListener("load", () => watch(frame));
  }
};
wire();
document.addEventListener("htmx:load", wire);
addEventListener("resize", () => { for (const frame of document.querySelectorAll(".mail-frame")) fit(frame); });
