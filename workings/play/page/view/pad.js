// The drawing pad for images, and the probabilities of the classes.
import { html } from "../vendor/lit-html.js";
import { classColour, css } from "../palette.js";
import { pad as words } from "../strings.js";
import { focused, ways } from "./parts.js";

export function padCard(state, act) {
  const { data, frame } = state, side = data.image_side;
  return html`<div class="stack">
    <div class="screen" data-hint=${words.hint}>
      <canvas data-pad="yes" role="application" tabindex="0" aria-label=${words.image(side)}
        aria-description=${words.keys} @pointerdown=${(event) => stroke(event, state, act)}
        @keydown=${(event) => onKey(event, state, act)} @focus=${(event) => focused(event, act)} @blur=${() => act.set({ cursor: null })}></canvas></div>
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
  const canvas = event.currentTarget, pixels = [...state.frame.activations.pixels];
  const put = (e) => {
    const box = canvas.getBoundingClientRect();
    ink(pixels, state.data.image_side, (e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height);
    act.draw(pixels);
  };
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  put(event);
  canvas.addEventListener("pointermove", put);
  canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", put), { once: true });
}

function ink(pixels, side, across, down) { // at a place from 0 to 1
  const reach = Math.max(side / 14, 0.75), x = side * across - 0.5, y = side * down - 0.5;
  for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) {
    const found = Math.max(0, 1 - Math.max(0, Math.hypot(r - y, c - x) - reach * 0.4) / reach);
    pixels[r * side + c] = Math.max(pixels[r * side + c], found);
  }
}

// With the keyboard: the arrow keys move the brush, with Shift they draw, and Enter draws a dot.
function onKey(event, state, act) {
  const way = ways[event.key], step = 0.5 / state.data.image_side;
  if (way) act.moveCursor(way[0] * step, way[1] * step);
  else if (event.key !== "Enter") return;
  event.preventDefault();
  if (way && !event.shiftKey) return;
  const pixels = [...state.frame.activations.pixels];
  ink(pixels, state.data.image_side, ...(state.cursor ?? [0.5, 0.5]));
  act.draw(pixels);
}
