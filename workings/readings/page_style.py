"""The style of the pages of explanations, and their script.

Without the script, the numbers of a table are reached one by one with the Tab key.
"""

from __future__ import annotations

STYLE = """
.workings { --ink: #1a1a1a; --paper: #fff; --soft: #f3f3f0; --line: #c9c9c4; --quiet: #55554f; --link: #005a8c;
  --lit: #ffe9b0; --plus: #c25100; --minus: #0072b2;
  color: var(--ink); background: var(--paper); font: 1.05rem/1.55 Georgia, "Times New Roman", serif; }
@media (prefers-color-scheme: dark) { .workings { --ink: #e8e8e4; --paper: #16181a; --soft: #212427; --line: #4a4d50;
  --quiet: #b4b4ac; --link: #7cc4f0; --lit: #5a4a12; --plus: #f08a3c; --minus: #56b4e9; } }
.workings * { box-sizing: border-box; }
.workings h1, .workings h2, .workings h3, .workings th, .workings caption, .workings nav, .workings figcaption,
.workings summary { font-family: system-ui, sans-serif; }
.workings h1 { line-height: 1.2; margin: 0 0 .4rem; } .workings h2 { margin: 2.6rem 0 .4rem; }
.workings h3 { font-size: 1rem; font-weight: 600; color: var(--quiet); margin: 1.8rem 0 .4rem; }
.workings h4 { margin: 0 0 .3rem; font-size: .85rem; font-weight: normal; overflow-wrap: anywhere; }
.workings code { font-family: ui-monospace, Consolas, monospace; }
.workings a { color: var(--link); }
.workings nav ul { display: flex; flex-wrap: wrap; gap: .2rem .8rem; list-style: none; padding: 0; margin: .2rem 0; }
.workings nav a { display: inline-block; padding: .15rem 0; font-size: .85rem;
  font-family: ui-monospace, Consolas, monospace; }
.workings article { border-left: 3px solid var(--line); padding: .2rem 0 .4rem 1rem; margin: 1.4rem 0; }
.workings article > p { margin: .35rem 0; }
.workings .about, .workings .shapes, .workings .slope, .workings .note { color: var(--quiet); font-size: .92rem; }
.workings .about { margin: .15rem 0; overflow-wrap: anywhere; }
.workings aside { background: var(--soft); border-radius: 4px; padding: .4rem 1rem; margin: .8rem 0; }
.workings aside p { margin: .3rem 0; } .workings aside ol { margin: .3rem 0; padding-left: 1.4rem; }
.workings .result { background: var(--soft); padding: .6rem 1rem; border-radius: 4px;
  font-variant-numeric: tabular-nums; }
.workings .scroll { overflow-x: auto; }
.workings .scroll:focus-visible, .workings summary:focus-visible, .workings a:focus-visible {
  outline: 2px solid var(--link); outline-offset: 2px; }
.workings math { font-size: 1.08rem; } .workings math[display=block] { margin: .5rem 0; width: max-content; }
.workings mtable.worked mtd { text-align: left; padding: .4em .25em; }
.workings mtable.worked mtd:first-child { text-align: right; }
.workings mtable.cases { border-left: 2px solid; border-radius: .5em; margin-left: .2em; padding-left: .2em; }
.workings mtable.cases mtd { text-align: left; }
.workings table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; margin: .5rem 0; }
.workings caption { text-align: left; font-size: .85rem; color: var(--quiet); padding-bottom: .2rem;
  width: 0; }
.workings caption span { display: block; width: max-content; max-width: min(21rem, 85vw); }
.workings th, .workings td { border: 0; border-bottom: 1px solid var(--line); padding: .2rem .6rem; text-align: right;
  vertical-align: top; background: none; color: inherit; }
.workings th { font-weight: 500; color: var(--quiet); }
.workings th.way { text-align: left; }
.workings td small { display: block; color: var(--quiet); font-size: .8rem; }
.workings td[data-at], .workings td[tabindex] { cursor: help; }
.workings td[tabindex]:hover, .workings td[tabindex]:focus { background: var(--soft);
  outline: 2px solid var(--link); outline-offset: -2px; }
.workings .from { display: none; }
.workings [data-entry]:focus { outline: 2px solid var(--link); } .workings [data-entry] { cursor: help; }
.workings td:hover > .from, .workings td:focus > .from, .workings .from.open { display: block;
  position: fixed; left: 0; right: 0; bottom: 0; z-index: 9; max-height: 40vh; overflow: auto; text-align: left;
  background: var(--soft); border-top: 2px solid var(--link); padding: .5rem 1rem; font-size: .9rem;
  overflow-wrap: anywhere; white-space: normal; }
.workings:has(td:focus) td:hover:not(:focus) > .from { z-index: 10; }
.workings.closed .from { display: none !important; }
.workings .from b, .workings .from code { margin-right: 1rem; }
.workings .from i { display: block; font-style: normal; }
.workings td.factor { background: var(--lit); }
.workings svg { display: block; } .workings svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.workings svg circle { fill: var(--paper); stroke: var(--quiet); stroke-width: 1.2; }
.workings svg .lit circle { fill: var(--lit); stroke: var(--ink); stroke-width: 2.5; }
.workings svg .factor circle { fill: var(--lit); }
.workings svg line { stroke: var(--quiet); opacity: .22; }
.workings svg line.plus { stroke: var(--plus); } .workings svg line.minus { stroke: var(--minus); }
.workings svg line.sum { opacity: .65; } .workings svg line.lit { opacity: 1; }
.workings svg a:focus-visible { outline: 2px solid var(--link); }
.workings svg .value { font-size: 11px; stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
.workings .images { display: flex; flex-wrap: wrap; gap: .8rem; } .workings .images figure { margin: 0; }
.workings .given { display: flex; flex-wrap: wrap; gap: .2rem 2rem; align-items: flex-start; }
.workings .given > * { max-width: 100%; }
.workings figure { margin: .6rem 0; } .workings figcaption { font-size: .85rem; color: var(--quiet); }
.workings img { image-rendering: pixelated; max-width: 100%; border: 1px solid var(--line); display: block; }
.workings details { margin: .3rem 0; } .workings summary { cursor: pointer; font-size: .88rem; padding: .15rem 0; }
@media (max-width: 36rem) { .workings article { padding-left: .6rem; } .workings { font-size: 1rem; } }
@media print { .workings { font-size: 10pt; } .workings article, .workings figure { break-inside: avoid; }
  .workings h2, .workings h3 { break-after: avoid; }
  .workings nav { display: none; } .workings .scroll { overflow: visible; } }
"""
PAGE_STYLE = """
:root { color-scheme: light dark; } body { margin: 0; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #16181a; } }
main.workings { max-width: 54rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
@media print { main.workings { max-width: none; } }
"""

# Arrow keys move between the numbers of a table, Escape closes the panel; the factors of a number are highlighted.
SCRIPT = """
for (const root of document.querySelectorAll(".workings:not([data-ready])")) {
  root.dataset.ready = "";
  const places = new Map();
  for (const one of root.querySelectorAll("[data-at]")) {
    places.set(one.dataset.at, [...(places.get(one.dataset.at) ?? []), one]);
  }
  const panel = root.appendChild(document.createElement("div"));
  panel.className = "from";
  const light = (event) => {
    root.classList.remove("closed");
    root.querySelectorAll(".factor").forEach((one) => one.classList.remove("factor"));
    const [cell, number] = [event.target.closest("[data-from]"), event.target.closest("[data-entry]")];
    for (const name of number ? [number.dataset.entry] : cell ? cell.dataset.from.split(" ") : []) {
      (places.get(name) ?? []).forEach((one) => one.classList.add("factor"));
    }
    panel.classList.toggle("open", number !== null);
    if (number) {
      const known = (places.get(number.dataset.entry) ?? []).map((one) => one.querySelector(".from")).find(Boolean);
      panel.textContent = known ? "" : `${number.dataset.entry} = ${number.textContent}`;
      panel.append(...(known ? known.cloneNode(true).childNodes : []));
    }
  };
  root.addEventListener("focusout", () => panel.classList.remove("open"));
  root.addEventListener("focusin", light);
  root.addEventListener("mouseover", light);
  for (const table of root.querySelectorAll("table")) {
    table.querySelectorAll("td[tabindex]").forEach((cell, k) => { cell.tabIndex = k ? -1 : 0; });
  }
  for (const equation of root.querySelectorAll("math")) {
    equation.querySelectorAll("[data-entry]").forEach((one, k) => one.setAttribute("tabindex", k ? -1 : 0));
  }
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") root.classList.add("closed");
    const number = event.target.closest("[data-entry]");
    if (number && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
      const all = [...number.closest("math").querySelectorAll("[data-entry]")];
      all[all.indexOf(number) + (event.key === "ArrowRight" ? 1 : -1)]?.focus();
      event.preventDefault();
    }
    const cell = event.target.closest("td[tabindex]");
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!cell || !move) return;
    const line = cell.closest("table").rows[cell.parentElement.rowIndex + move[0]];
    const next = line?.cells[cell.cellIndex + move[1]];
    if (!next?.hasAttribute("tabindex")) return;
    event.preventDefault();
    [cell.tabIndex, next.tabIndex] = [-1, 0];
    next.focus();
  });
}
"""
