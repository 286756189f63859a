// Discovery and the connection check, live: a form with data-streams is sent by fetch, the answer is one JSON line a
// step (web/lines.py). The page is not left before everything has passed, so nothing has to be typed twice.
const CUT = "The connection to Postroom was lost. Nothing was saved. Try again.";

const lines = async function* (body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const line of parts) if (line) yield JSON.parse(line);
  }
};

const apply = (line) => {
  if (line.location) { location.href = line.location; return true; }
  const target = document.getElementById(line.into);
  if (!target) return line.over;
  if (line.place === "append") target.insertAdjacentHTML("beforeend", line.html);
  else if (line.place === "replace") target.outerHTML = line.html;
  else target.innerHTML = line.html;
  if (line.html && line.into.startsWith("errors-")) target.closest("details")?.setAttribute("open", "");
  if (line.scroll) document.getElementById(line.scroll)?.scrollIntoView({ block: "start", behavior: "smooth" });
  document.dispatchEvent(new Event("postroom:drawn"));
  return line.over;
};

const run = async (form, submitter) => {
  const typed = new FormData(form, submitter);
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  for (const told of document.querySelectorAll("[id^='errors-']")) told.replaceChildren(); // of what was typed before
  const start = Date.now();
  const clock = setInterval(() => {
    const took = document.getElementById("check-clock");
    if (took) took.textContent = `${((Date.now() - start) / 1000).toFixed(1)} s · `;
  }, 100);
  let over = false;
  try {
    const answer = await fetch(form.action, { method: "POST", body: typed, headers: { "Postroom-Stream": "1" } });
    for await (const line of lines(answer.body)) over = apply(line) || over;
  } catch { /* told below */ }
  clearInterval(clock);
  for (const button of buttons) button.disabled = false;
  if (!over) {
    const told = document.getElementById("check-verdict") ?? document.getElementById("looks");
    told.innerHTML = `<p class="banner bad" role="alert">${CUT}</p>`;
  }
};
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-streams]")) return;
  event.preventDefault();
  run(event.target, event.submitter);
});
