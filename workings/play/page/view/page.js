// The whole page as a function of the state.
import { html } from "../vendor/lit-html.js";
import { words } from "../strings.js";
import { dataCard } from "./data.js";
import { helpDialog } from "./help.js";
import { inspector } from "./inspector.js";
import { networkCard } from "./network.js";
import { outputCard } from "./output.js";
import { tableDialog } from "./table.js";
import { trainingBar } from "./training.js";
import { topBar } from "./transport.js";

export const page = (state, act) => html`<div class="shell">
  ${topBar(state, act)}
  ${trainingBar(state, act)}
  ${state.problem ? html`<div class="notice" role="alert"><p>${state.problem}</p>
    <button class="plain" @click=${() => act.set({ problem: "" })}>Close</button></div>` : ""}
  <main class="board">
    ${dataCard(state, act)}
    ${networkCard(state, act)}
    ${outputCard(state, act)}
    ${inspector(state, act)}
  </main>
  <footer class="foot"><p>${state.hint || words.hint}</p></footer>
  ${helpDialog(state, act)}
  ${tableDialog(state, act)}
</div>`;
