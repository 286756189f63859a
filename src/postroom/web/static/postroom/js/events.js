// Live pages. A stream says which topic changed; whoever shows it, [data-topic], gets "postroom:changed" and looks again.
const PAUSE = 400; // a running import changes many times a second
const due = new Map();

// While an answer is on its way, too: it was written before the change, and its element goes with whatever waits for it.
const busy = (element) =>
  element.matches(".htmx-request") || element.querySelector('[aria-expanded="true"], :focus-visible, .htmx-request');

// An answer may tell of what came since, a new folder say: only what this page shows can be replaced.
const replaceShown = (element) => {
  const wanted = element.getAttribute("hx-select-oob")?.split(",") ?? [];
  const shown = wanted.filter((selector) => document.querySelector(selector));
  if (shown.length < wanted.length) element.setAttribute("hx-select-oob", shown.join(","));
};

const tell = (topic) => {
  if (document.querySelector("form[data-sent]")) return; // the page is being left, maybe because its subject goes
  let later = false;
  for (const element of document.querySelectorAll(`[data-topic~="${CSS.escape(topic)}"]`)) {
    // Nothing is replaced under somebody's hands.
    if (element.hasAttribute("hx-get") && busy(element)) { later = true; continue; }
    replaceShown(element);
    element.dispatchEvent(new CustomEvent("postroom:changed", { detail: { topic } }));
  }
  if (later) plan(topic, PAUSE * 4);
};
const plan = (topic, pause = PAUSE) => {
  if (due.has(topic)) return;
  due.set(topic, setTimeout(() => { due.delete(topic); tell(topic); }, pause));
};

// A browser keeps six connections to a server (HTTP/1.1), and each stream is one: a tab that nobody looks at gives its
// own back, or the sixth tab would wait for ever. Who comes back to it sees at once what was missed.
const HIDDEN = 2000;
let stream, leaving;

const leave = () => { stream?.close(); stream = undefined; };
const lookAgain = () => {
  const topics = [...document.querySelectorAll("[data-topic]")].flatMap((element) => element.dataset.topic.split(" "));
  for (const topic of new Set(topics)) plan(topic, 0);
};
const connect = (missed) => {
  if (stream) return;
  stream = new EventSource(document.body.dataset.events);
  let last = 0;
  stream.addEventListener("changed", (event) => {
    const { topic } = JSON.parse(event.data);
    const now = Date.now();
    plan(topic, now - last > PAUSE ? 0 : PAUSE); // at once when it is quiet
    last = now;
  });
  if (missed) stream.addEventListener("open", lookAgain, { once: true });
};
document.addEventListener("visibilitychange", () => {
  clearTimeout(leaving);
  if (document.hidden) leaving = setTimeout(leave, HIDDEN);
  else connect(true);
});
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => { if (event.persisted) connect(true); });
if (!document.hidden) connect(false);
