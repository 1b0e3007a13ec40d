"use strict";
// Cells say by data-key what they sort by; an empty one goes last either way.
function sortBy(header) {
  const body = header.closest("table").tBodies[0];
  const column = header.cellIndex, up = header.getAttribute("aria-sort") !== "ascending";
  const keys = new Map([...body.rows].map(row => [row, row.cells[column].dataset.key]));
  const compare = (a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const order = x - y || x.localeCompare(y);
    return up ? order : -order;
  };
  header.parentElement.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...[...body.rows].sort(compare));
}
document.querySelectorAll("th button").forEach(button =>
  button.addEventListener("click", () => sortBy(button.closest("th"))));
