"use strict";
// Without this script the page is a list of everything; with it the list is narrowed to what holds every word that was typed.
const asked = document.getElementById("search");
const items = [...document.querySelectorAll("li[data-words]")];
function show() {
  const words = asked.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const item of items) {
    const text = (item.dataset.words + " " + item.textContent).toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
    found += item.hidden ? 0 : 1;
  }
  document.getElementById("found").textContent = found;
}
document.getElementById("asked").hidden = false;
asked.addEventListener("input", show);
show();
