
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
    document.querySelector(`tr[data-trial="${trial}"]`).scrollIntoView({ block: "center" });
});
