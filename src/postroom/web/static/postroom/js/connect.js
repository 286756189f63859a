// The connect form: the sending server takes the receiving one's user and password, or its own; personal or shared.
// Parts of the page come later (js/streams.js), so everything is looked up when it is needed.
const at = (id) => document.getElementById(id);

const show = () => {
  const same = at("id_same_login");
  if (same && at("own-login")) at("own-login").hidden = same.checked;
  const personal = document.querySelector('input[name="kind"][value="personal"]');
  if (personal && at("personal-only")) at("personal-only").hidden = !personal.checked;
  const isShared = at("id_is_shared");
  if (isShared && at("signs-in-as")) at("signs-in-as").hidden = !isShared.checked;
};

// Usual ports follow the encryption, unless somebody typed another.
const USUAL = { imap: { tls: 993, starttls: 143, none: 143 }, smtp: { tls: 465, starttls: 587, none: 25 } };
const suggestPort = (security) => {
  const [, server] = security.id.match(/^id_(imap|smtp)_security$/) ?? [];
  const port = server && at(`id_${server}_port`);
  if (port && Object.values(USUAL[server]).includes(Number(port.value))) port.value = USUAL[server][security.value];
};

// The way that fits the address says so, and takes the address along. Settings of another address are put aside.
const suggestWay = () => {
  const typed = at("id_address")?.value.trim() ?? "";
  const domain = typed.toLowerCase().split("@")[1] ?? "";
  for (const way of document.querySelectorAll("[data-domains]")) {
    way.querySelector("[data-fits]").hidden = !way.dataset.domains.split(" ").includes(domain);
    if (!way.href) continue;
    const url = new URL(way.href);
    if (domain) url.searchParams.set("address", typed); else url.searchParams.delete("address");
    way.href = url;
  }
  const settings = at("settings");
  const of = settings?.querySelector("[data-address]");
  if (of && at("id_address")) settings.hidden = of.value !== typed;
  const isNext = !settings?.innerHTML.trim() || settings.hidden;
  document.querySelector("[data-find]")?.classList.toggle("primary", isNext); // one primary button in a view
};

document.addEventListener("change", (event) => { suggestPort(event.target); show(); });
document.addEventListener("input", (event) => { if (event.target.id === "id_address") suggestWay(); });
document.addEventListener("postroom:drawn", () => { show(); suggestWay(); });
show();
suggestWay();
