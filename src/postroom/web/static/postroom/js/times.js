// Times in the reader's own zone. The server writes UTC into <time datetime data-form>; this rewrites the words.
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });
const sameDay = (a, b) => a.toDateString() === b.toDateString();

const ago = (seconds) => {
  for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${name} ago`;
  }
  return `${Math.max(0, Math.floor(seconds))} s ago`;
};

const words = (at, form) => {
  const now = new Date();
  if (form === "ago") return ago((now - at) / 1000);
  if (form === "clock" || (form === "short" && sameDay(at, now))) return clock.format(at);
  const date = (at.getFullYear() === now.getFullYear() && form !== "full" ? day : dayAndYear).format(at);
  return form === "full" ? `${date}, ${clock.format(at)}` : date;
};

const rewrite = (root) => {
  for (const time of root.querySelectorAll("time[data-form]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    time.textContent = words(at, time.dataset.form);
    time.title = exact.format(at);
  }
};

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone; // days are cut by it on the server
if (zone) document.cookie = `zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; SameSite=Lax`;
rewrite(document);
document.addEventListener("htmx:load", (event) => rewrite(event.detail.elt.parentElement ?? document));
setInterval(() => rewrite(document), 10_000);
