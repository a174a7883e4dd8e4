// What the doctor finds, each finding with a button that makes its change.
import { html } from "../vendor/lit-html.js";

export function doctorPanel(state, act) {
  const { doctor } = state;
  if (!doctor) return html`<p class="quiet">The doctor is looking …</p>`;
  const old = doctor.step !== state.frame.step ? html`<span class="quiet small">as of step ${doctor.step.toLocaleString("en")}</span>` : "";
  return html`<div class="stack">
    <div class="row"><button data-hint="Check the program, the data, the network and its training again." @click=${() => act.doctor()}>Look again</button>${old}</div>
    <p class="words">${doctor.heading}</p>
    ${doctor.findings.map((one) => finding(one, act))}
    ${doctor.checked.length ? html`<p class="quiet small">Checked: ${doctor.checked.join(", ")}.</p>` : ""}
  </div>`;
}

const finding = (one, act) => html`<article class="finding ${one.severity}">
  <h2>${one.name.replaceAll("-", " ")} <span class="quiet small">${one.severity}, ${one.sure}</span></h2>
  <p>${one.measured}</p><p class="quiet">${one.why}</p>
  ${one.change ? html`<button @click=${() => act.remedy(one.change)}>${one.button}</button>` : ""}
  <details><summary>The change in code</summary><pre class="code">${one.code}</pre></details>
</article>`;
