// Discovery and the connection check, live: a form with data-streams is sent by fetch, the answer is one JSON line a
// step (web/lines.py). The page is not left before everything has passed, so nothing has to be typed twice.
const CUT = "The connection to Postroom was lost. Nothing was saved. Try again.";
const signedOut = (url) => `You are signed out, and nothing was saved. What you typed is still here: <a href="${url}" target="_blank">sign in in another tab</a>, then try again here.`;

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

// What came is what to do next: Tab goes on from its heading, which is read out.
const stand = (part) => {
  const heading = part.querySelector("h2, h3") ?? part;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
};

const apply = (line) => {
  if (line.location) { location.href = line.location; return true; }
  const target = document.getElementById(line.into);
  if (!target) return line.over;
  if (line.place === "append") target.insertAdjacentHTML("beforeend", line.html);
  else if (line.place === "replace") target.outerHTML = line.html;
  else target.innerHTML = line.html;
  if (line.html && line.into.startsWith("errors-")) target.closest("details")?.setAttribute("open", "");
  document.dispatchEvent(new Event("postroom:drawn")); // which shows what was put aside: only then it takes the focus
  const next = document.getElementById(line.scroll || line.focus);
  next?.scrollIntoView({ block: "start", behavior: "smooth" });
  if (line.focus && next) stand(next);
  return line.over;
};

const send = (form, typed) => fetch(form.action, { method: "POST", body: typed, headers: { "Postroom-Stream": "1" } });
const isRefused = (answer) => answer.redirected || answer.status === 403;

// A session may end while a form is filled in, or begin anew in another tab: then the page's token is an old one.
const sendAgain = async (form, typed) => {
  const page = await fetch(location.href);
  if (page.redirected) return { signInAt: page.url };
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html").querySelector("[name=csrfmiddlewaretoken]");
  for (const token of document.querySelectorAll("[name=csrfmiddlewaretoken]")) token.value = fresh.value;
  typed.set("csrfmiddlewaretoken", fresh.value);
  return { answer: await send(form, typed) };
};

const follow = async (form, typed) => {
  let answer = await send(form, typed), over = false, signInAt;
  if (isRefused(answer)) ({ answer, signInAt } = await sendAgain(form, typed));
  if (signInAt) return signedOut(signInAt);
  for await (const line of lines(answer.body)) over = apply(line) || over;
  return over ? "" : CUT;
};

const run = async (form, submitter) => {
  const typed = new FormData(form, submitter);
  const buttons = form.querySelectorAll("button");
  const stood = document.activeElement; // a button that is disabled loses the focus
  for (const button of buttons) button.disabled = true;
  for (const told of document.querySelectorAll("[id^='errors-']")) told.replaceChildren(); // of what was typed before
  const start = Date.now();
  const clock = setInterval(() => {
    const took = document.getElementById("check-clock");
    if (took) took.textContent = `${((Date.now() - start) / 1000).toFixed(1)} s · `;
  }, 100);
  const wrong = await follow(form, typed).catch(() => CUT);
  clearInterval(clock);
  for (const button of buttons) button.disabled = false;
  if (document.activeElement === document.body) stood.focus({ preventScroll: true });
  if (!wrong) return;
  const told = form.querySelector("#check-verdict") ?? document.querySelector("#looks, #check-verdict, #look-verdict");
  told.innerHTML = `<p class="banner bad" role="alert"><span>${wrong}</span></p>`;
};
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-streams]")) return;
  event.preventDefault();
  run(event.target, event.submitter);
});
