// A form that is sent as soon as the page is there: what it asks for was asked for by coming here (streams.js sends it).
document.querySelector("form[data-at-once]")?.requestSubmit();
