// New entries come into a [data-merge] place without moving what is read. Children are joined by id: unknown ones are put
// in, changed ones (data-version) replaced, those that ended (data-passing) taken out. When the reader has scrolled, a
// notice with their number waits at the top instead.
const isNew = (fresh) => fresh.hasAttribute("data-entry") && !document.getElementById(fresh.id);
const newIn = (fresh) => [...fresh.querySelectorAll("[data-entry]")].filter(isNew).length;

const merge = (place, fresh) => {
  const coming = [...fresh.children].filter((child) => child.id);
  let before = place.firstElementChild;
  for (const child of coming) {
    const here = document.getElementById(child.id);
    if (here && here.parentElement === place) {
      if (child.hasAttribute("data-merge")) merge(here, child);
      else if (here.dataset.version !== child.dataset.version) { here.replaceWith(child); settle(child); before = child.nextElementSibling; continue; }
      else mergeInside(here, child);
      before = here.nextElementSibling;
    } else if (!here) {
      child.classList.add("arrived");
      place.insertBefore(child, before);
      settle(child);
    }
  }
  const kept = new Set(coming.map((child) => child.id));
  for (const child of [...place.children]) {
    if (child.hasAttribute("data-passing") && !kept.has(child.id)) child.remove();
  }
};
// An open thread is an entry of its day; only the list of its messages inside takes new ones.
const mergeInside = (here, fresh) => {
  for (const place of here.querySelectorAll("[data-merge][id]")) {
    const coming = fresh.querySelector(`#${CSS.escape(place.id)}`);
    if (coming) merge(place, coming);
  }
};
const settle = (element) => { htmx.process(element); element.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: element } })); };

const look = async (place) => {
  const answer = await fetch(place.dataset.source, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(place.id);
  if (!fresh) return;
  const news = newIn(fresh);
  const scrolled = place.getBoundingClientRect().top < -80;
  const notice = document.getElementById("news");
  if (news && scrolled && notice) {
    const button = notice.querySelector("button");
    button.querySelector("span").textContent = news === 1 ? "1 new message" : `${news} new messages`;
    notice.hidden = false;
    button.onclick = () => { notice.hidden = true; merge(place, fresh); scrollTo({ top: 0, behavior: "smooth" }); };
  } else {
    merge(place, fresh);
    place.querySelector(":scope > .empty")?.remove();
  }
};

const wire = () => {
  for (const place of document.querySelectorAll("[data-source]:not([data-wired])")) {
    place.dataset.wired = "yes";
    place.addEventListener("postroom:changed", () => look(place));
  }
};
wire();
document.addEventListener("htmx:load", wire);
