// What is shown of a unit and of the loss: their statements with the numbers of the chosen row.
import { html } from "../vendor/lit-html.js";
import { layersOf, weightsInto } from "../state.js";
import { unit as words } from "../strings.js";
import { label } from "./network.js";
import { signed } from "./parts.js";
import { equation } from "./statement.js";

export function unitPanel(state, act) {
  const { detail, network } = state, layers = layersOf(network);
  if (detail.layer >= layers.length || detail.unit >= layers[detail.layer].units) return html`<p class="quiet">${words.gone}</p>`;
  const weights = weightsInto(network, state.frame, detail.layer);
  return html`<div class="split wide"><div class="stack">
      <h2>${words.title(label(state, layers, detail.layer, detail.unit), detail.row)}</h2>
      ${detail.statements.map((one) => html`<div class="stack">${equation(one)}</div>`)}</div>
    <div class="stack"><h3>${words.weights}</h3><div class="weights">
      ${Array.from({ length: weights.rows }, (_, from) => weightButton(act, `W${detail.layer}`, [from, detail.unit],
        weights.at[from * weights.columns + detail.unit], sourceOf(state, layers, detail.layer, from)))}
      ${weightButton(act, `b${detail.layer}`, [detail.unit], state.frame.weights[`b${detail.layer}`].data[detail.unit], words.bias)}
    </div></div></div>`;
}

const sourceOf = (state, layers, layer, from) => (layer === 1 ? state.network.inputs[from] : words.from_unit(from));
function weightButton(act, name, index, value, from) {
  return html`<button @click=${() => act.openWeight(name, index)}
    aria-label=${words.weight_from(`${name}[${index}]`, from)}><code>${name}[${index.join(",")}]</code>
    <span class=${value < 0 ? "low" : "high"}>${signed(value)}</span></button>`;
}

export const lossPanel = (state) => html`<div class="stack"><h2>${words.loss(state.detail.row)}</h2>
  <div class="split">${state.detail.statements.map((one) => html`<div class="stack">${equation(one)}</div>`)}</div></div>`;
