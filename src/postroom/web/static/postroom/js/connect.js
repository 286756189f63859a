// The connect form: the sending server takes the receiving one's user and password, or its own; personal or shared.
const same = document.getElementById("id_same_login");
const own = document.getElementById("own-login");
const showOwn = () => { if (own) own.hidden = same.checked; };
same?.addEventListener("change", showOwn);
if (same) showOwn();

const personal = document.querySelector('input[name="kind"][value="personal"]');
const sharing = document.getElementById("personal-only");
const showSharing = () => { if (sharing) sharing.hidden = !personal.checked; };
for (const radio of document.querySelectorAll('input[name="kind"]')) radio.addEventListener("change", showSharing);
if (personal) showSharing();

const isShared = document.getElementById("id_is_shared");
const signsInAs = document.getElementById("signs-in-as");
const showSignIn = () => { if (signsInAs) signsInAs.hidden = !isShared.checked; };
isShared?.addEventListener("change", showSignIn);
if (isShared) showSignIn();

// Usual ports follow the encryption, unless somebody typed another.
const USUAL = { imap: { tls: 993, starttls: 143, none: 143 }, smtp: { tls: 465, starttls: 587, none: 25 } };
for (const [server, ports] of Object.entries(USUAL)) {
  const security = document.getElementById(`id_${server}_security`);
  const port = document.getElementById(`id_${server}_port`);
  security?.addEventListener("change", () => {
    if (Object.values(ports).includes(Number(port.value))) port.value = ports[security.value];
  });
}

// The address is the usual user name until somebody says otherwise.
const address = document.getElementById("id_address");
const user = document.getElementById("id_imap_username");
address?.addEventListener("change", () => { if (user && !user.value) user.value = address.value; });

// The way that fits the address says so, and takes the address along.
const ways = [...document.querySelectorAll("[data-domains]")];
const suggest = () => {
  const typed = address.value.trim();
  const domain = typed.toLowerCase().split("@")[1] ?? "";
  for (const way of ways) {
    way.querySelector("[data-fits]").hidden = !way.dataset.domains.split(" ").includes(domain);
    if (!way.href) continue;
    const url = new URL(way.href);
    if (domain) url.searchParams.set("address", typed); else url.searchParams.delete("address");
    way.href = url;
  }
};
if (ways.length && address) { address.addEventListener("input", suggest); suggest(); }
