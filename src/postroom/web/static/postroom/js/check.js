// The connection check, live: the form is sent by fetch, the answer is one JSON line a step. The page is not left before
// everything has passed, so nothing has to be typed twice.
const form = document.querySelector("form[data-streams]");
const CUT = "The connection to Postroom was lost during the check. Nothing was saved. Check again.";

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
  if (!target) return line.over ?? false;
  if (line.place === "append") target.insertAdjacentHTML("beforeend", line.html);
  else if (line.place === "replace") target.outerHTML = line.html;
  else target.innerHTML = line.html;
  return line.over ?? false;
};

const run = async () => {
  const buttons = form.querySelectorAll("footer button");
  for (const button of buttons) button.disabled = true;
  for (const told of form.querySelectorAll("[id^='errors-']")) told.replaceChildren(); // of what was typed before
  const start = Date.now();
  const clock = setInterval(() => {
    const took = document.getElementById("check-clock");
    if (took) took.textContent = `${((Date.now() - start) / 1000).toFixed(1)} s · `;
  }, 100);
  let over = false;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "Postroom-Stream": "1" } });
    for await (const line of lines(answer.body)) {
      over = apply(line) || over;
      if (line.scroll) document.getElementById("check").scrollIntoView({ block: "start", behavior: "smooth" });
    }
  } catch { /* told below */ }
  clearInterval(clock);
  for (const button of buttons) button.disabled = false;
  if (!over) apply({ into: "check-verdict", html: `<p class="banner bad" role="alert">${CUT}</p>` });
};
form?.addEventListener("submit", (event) => { event.preventDefault(); run(); });
