// Who hears the page is told when a mailbox's sign-in, receiving or sending changes. The cards themselves are no live
// regions: the numbers of an import change many times a second.
const told = new Map();
const words = (card) => [...card.querySelectorAll(".directions div")]
  .map((one) => `${one.querySelector("dt").textContent} ${one.querySelector(".state").textContent}`).join(", ");

const look = () => {
  for (const card of document.querySelectorAll(".mailbox-card[id]")) {
    const now = words(card);
    const name = card.querySelector(".name") ?? document.querySelector("h1");
    if (told.has(card.id) && told.get(card.id) !== now) {
      document.querySelector("[data-states]").textContent = `${name.textContent}: ${now}`;
    }
    told.set(card.id, now);
  }
};
look();
document.addEventListener("htmx:afterSettle", look);
