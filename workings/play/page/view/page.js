// The whole page as a function of the state.
import { html } from "../vendor/lit-html.js";
import { words } from "../strings.js";
import { dataCard } from "./data.js";
import { helpDialog } from "./help.js";
import { inspector } from "./inspector.js";
import { later } from "./later.js";
import { lessonCard } from "./lesson.js";
import { networkCard } from "./network.js";
import { outputCard } from "./output.js";
import { unlessSame } from "./parts.js";
import { trainingBar } from "./training.js";
import { topBar } from "./transport.js";

// What the inspector shows; while the run goes on, it stays as it is.
const inspected = (state) => [
  state.tab, state.statement, state.detail, state.doctor, state.code, state.lessons, state.landscape, state.directions,
  state.museum, state.exhibit, state.findings, state.game, state.notice, state.picture, state.network, state.width, state.loaded,
  state.running ? null : state.frame,
];

export const page = (state, act) => html`<div class="shell">
  ${topBar(state, act)}
  ${lessonCard(state, act)}
  ${unlessSame("training", [state.settings, state.network, state.speed], () => trainingBar(state, act))}
  ${state.problem ? html`<div class="notice" role="alert"><p>${state.problem}</p>
    <button class="plain" @click=${() => act.set({ problem: "" })}>${words.close}</button></div>` : ""}
  <main class="board">
    ${unlessSame("data", [state.settings, state.data, state.sets], () => dataCard(state, act))}
    ${networkCard(state, act)}
    ${outputCard(state, act)}
    ${unlessSame("inspector", inspected(state), () => inspector(state, act))}
  </main>
  <footer class="foot ${state.hint || state.busy ? "" : "idle"}"><p>${state.hint || words.hint}</p>
    <p class="busy" aria-live="polite">${state.busy ? words.busy : ""}</p></footer>
  ${helpDialog(state, act)}
  ${state.table ? later("table", "tableDialog", state, act) : ""}
</div>`;
