// The inspector: the step statement by statement, or what has been opened.
import { html } from "../vendor/lit-html.js";
import { hints, inspector as own, landscape, museum, words } from "../strings.js";
import { later } from "./later.js";
import { lessonsPanel } from "./lesson.js";
import { statementPanel } from "./statement.js";

const tabs = [
  ["statement", words.statement, hints.statement],
  ["selected", words.selected, own.selected_hint],
  ["doctor", own.doctor, own.doctor_hint],
  ["lessons", own.lessons, own.lessons_hint],
  ["landscape", landscape.title, landscape.tab],
  ["museum", museum.title, museum.tab],
  ["taking", own.taking, own.taking_hint],
];

export function inspector(state, act) {
  return html`<section class="card inspector" aria-label=${own.title}>
    <header><div class="tabs" role="tablist" aria-label=${own.title} @keydown=${(event) => turn(event, state, act)}>
      ${tabs.map(([name, title, hint]) => html`<button role="tab" id="tab-${name}" aria-controls="panel"
        aria-selected=${state.tab === name} data-hint=${hint}
        tabindex=${state.tab === name ? 0 : -1} @click=${() => act.openTab(name)}>${title}</button>`)}
    </div></header>
    <div class="panel" role="tabpanel" id="panel" aria-labelledby="tab-${state.tab}">${content(state, act)}</div>
  </section>`;
}

function content(state, act) {
  if (state.tab === "statement") return statementPanel(state, act);
  if (state.tab === "lessons") return lessonsPanel(state, act);
  if (state.tab !== "selected") return later(state.tab, `${state.tab}Panel`, state, act);
  switch (state.detail?.kind) {
    case "weight": return later("weight", "weightPanel", state, act);
    case "unit": return later("unit", "unitPanel", state, act);
    case "loss": return later("unit", "lossPanel", state, act);
  }
  return html`<p class="quiet">${words.nothing}</p>`;
}

async function turn(event, state, act) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  const list = event.currentTarget, here = tabs.findIndex(([name]) => name === state.tab);
  await act.openTab(tabs[(here + by + tabs.length) % tabs.length][0]);
  list.querySelector('[aria-selected="true"]').focus();
}
