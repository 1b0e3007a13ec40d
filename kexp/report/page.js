"use strict";
const body = document.querySelector("tbody");

// A trial is one thing wherever it is drawn: what is pointed at here is marked everywhere.
let chosen = [];
function choose(trial) {
  chosen.forEach(part => part.classList.remove("chosen"));
  chosen = trial === undefined ? [] : [...document.querySelectorAll(`[data-trial="${trial}"]`)];
  chosen.forEach(part => part.classList.add("chosen"));
}
const under = event => event.target.closest("[data-trial]")?.dataset.trial;
document.addEventListener("mouseover", event => choose(under(event)));
document.addEventListener("click", event => {
  const trial = under(event);
  if (trial !== undefined && event.target.closest("svg"))
    body.querySelector(`[data-trial="${trial}"]`).scrollIntoView({ block: "center" });
});

// Cells say by data-key what they sort by; an empty one goes last either way.
function sortBy(header) {
  const column = header.cellIndex, up = header.getAttribute("aria-sort") !== "ascending";
  const keys = new Map([...body.rows].map(row => [row, row.cells[column].dataset.key]));
  const compare = (a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const order = x - y || x.localeCompare(y);
    return up ? order : -order;
  };
  document.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...[...body.rows].sort(compare));
}
document.querySelectorAll("th button").forEach(button =>
  button.addEventListener("click", () => sortBy(button.closest("th"))));
