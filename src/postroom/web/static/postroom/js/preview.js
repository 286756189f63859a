// The mail is counted as soon as the page is there (streams.js sends the form).
document.querySelector("form[data-at-once]")?.requestSubmit();
