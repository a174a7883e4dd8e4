// The drawing pad for images, and the probabilities of the classes.
import { html } from "../vendor/lit-html.js";
import { classColour, css } from "../palette.js";
import { pad as words } from "../strings.js";

export function padCard(state, act) {
  const { data, frame } = state, side = data.image_side;
  return html`<div class="stack">
    <div class="screen" data-hint=${words.hint}>
      <canvas data-pad="yes" role="img" aria-label=${words.image(side)} @pointerdown=${(event) => stroke(event, state, act)}></canvas></div>
    <div class="row"><button @click=${() => act.draw(Array(side * side).fill(0))} data-hint=${words.clear_hint}>${words.clear}</button>
      <button @click=${() => act.draw([])} data-hint=${words.show_row_hint}>${words.show_row}</button></div>
    ${bars(state, frame.activations.output)}</div>`;
}

const bars = (state, output) => html`<table class="bars"><caption class="hidden-text">${words.probabilities}</caption>
  ${output.map((p, k) => html`<tr><th scope="row">${state.network.outputs[k]}</th>
    <td><svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect width=${100 * Math.max(p, 0)} height="6" fill=${css(classColour(state.theme, k, output.length))}></rect></svg></td>
    <td class="share">${(100 * p).toFixed(1)} %</td></tr>`)}</table>`;

// A stroke of a soft brush; the image is sent while it is drawn.
function stroke(event, state, act) {
  const canvas = event.currentTarget, side = state.data.image_side, pixels = [...state.frame.activations.pixels];
  const put = (e) => {
    const box = canvas.getBoundingClientRect(), x = (side * (e.clientX - box.left)) / box.width - 0.5,
      y = (side * (e.clientY - box.top)) / box.height - 0.5;
    const reach = Math.max(side / 14, 0.75);
    for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) {
      const ink = Math.max(0, 1 - Math.max(0, Math.hypot(r - y, c - x) - reach * 0.4) / reach);
      pixels[r * side + c] = Math.max(pixels[r * side + c], ink);
    }
    act.draw(pixels);
  };
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  put(event);
  canvas.addEventListener("pointermove", put);
  canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", put), { once: true });
}
