// What the doctor finds, each finding with a button that makes its change.
import { html } from "../vendor/lit-html.js";
import { doctor as words } from "../strings.js";
import { whole } from "./parts.js";

export function doctorPanel(state, act) {
  const { doctor } = state;
  if (!doctor) return html`<p class="quiet">${words.waiting}</p>`;
  const old = doctor.step !== state.frame.step ? html`<span
    class="quiet small">${words.as_of(whole(doctor.step))}</span>` : "";
  return html`<div class="stack">
    <div class="row"><button data-hint=${words.again_hint} @click=${() => act.doctor()}>${words.again}</button>${old}</div>
    <p class="words">${doctor.heading}</p>
    ${doctor.findings.map((one) => finding(one, act))}
    ${doctor.checked.length ? html`<p class="quiet small">${words.checked(doctor.checked)}</p>` : ""}
  </div>`;
}

const finding = (one, act) => html`<article class="finding ${one.severity}">
  <h2>${one.name.replaceAll("-", " ")} <span class="quiet small">${one.severity}, ${one.sure}</span></h2>
  <p>${one.measured}</p><p class="quiet">${one.why}</p>
  ${one.change ? html`<button @click=${() => act.remedy(one.change)}>${one.button}</button>` : ""}
  <details><summary>${words.code}</summary><pre class="code">${one.code}</pre></details>
</article>`;
