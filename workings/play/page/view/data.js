// The card of the data: which set, how many points, how noisy, which features.
import { html, svg } from "../vendor/lit-html.js";
import { data as own, hints, words } from "../strings.js";
import { select, slider } from "./parts.js";

export function dataCard(state, act) {
  const { settings, choices, data } = state, ranges = choices.ranges;
  const change = (name) => (value) => act.configure({ [name]: value });
  const generated = data.name in pictures, isTable = data.columns.length > 2 && !data.image_side;
  return html`<section class="card data" aria-labelledby="data-title">
    <header><h2 id="data-title">${words.data}</h2></header>
    <div class="halves"><div class="stack">
    <div class="choice" role="group" aria-label=${own.sets} data-hint=${hints.data}>
      ${state.sets.filter((one) => one.name in pictures).map((one) => html`<button
        aria-pressed=${one.name === data.name} data-hint=${one.words} @click=${() => act.configure({ data: one.name })}>
        <svg viewBox="0 0 40 40" aria-hidden="true">${pictures[one.name]}</svg><span>${one.name}</span></button>`)}
    </div>
    <div class="switches" role="group" aria-label=${own.tables}>
      ${state.sets.filter((one) => !(one.name in pictures)).map((one) => html`<button
        aria-pressed=${one.name === data.name} data-hint=${one.words}
        @click=${() => act.configure({ data: one.name })}>${one.name.replaceAll("_", " ")}</button>`)}
      <label class="button small" data-hint=${choices.is_static ? own.open_hint_static : own.open_hint}>${own.open}
        <input class="hidden-text" type="file" accept=${`.csv,.tsv,.txt${choices.is_static ? "" : ",.parquet"}`} @change=${(event) => act.openFile(event.target)}></label>
    </div>
    <p class="small quiet">${data.words}</p>
    </div><div class="stack">
    ${generated ? html`
      ${slider("noise", settings.noise, { low: 0, high: 1, step: 0.01 }, change("noise"))}
      ${slider("rows", settings.rows, { low: ranges.rows.low, high: 1000, step: 10 }, change("rows"))}` : ""}
    ${slider("held_out", settings.held_out, { low: 0, high: 0.9, step: 0.05, show: (v) => `${Math.round(100 * v)} %` }, change("held_out"))}
    ${generated ? slider("data_seed", settings.data_seed, { low: 0, high: 99, step: 1 }, change("data_seed")) : ""}
    ${isTable ? axesOf(state, act) : ""}
    ${data.image_side ? "" : html`<div class="stack" data-hint=${hints.features}>
      <h3>${words.features}</h3>
      <div class="switches" role="group" aria-label=${words.features}>
        ${data.offered.map((name) => html`<button aria-pressed=${data.features.includes(name)}
          @click=${() => toggle(state, act, name)}>${pretty(name)}</button>`)}
      </div>
    </div>`}
    </div></div>
  </section>`;
}

// The two columns that the plane shows; all others keep their means.
function axesOf(state, act) {
  const { axes, columns } = state.data, hint = own.axes_hint;
  const choose = (k) => (value) => act.chooseAxes(...axes.map((one, j) => (j === k ? columns.indexOf(value) : one)));
  return html`<div class="row axes">${[own.across, own.up].map((label, k) => select(label, columns[axes[k]],
    columns.filter((_, j) => j !== axes[1 - k]), choose(k), { label, hint }))}</div>`;
}

function toggle(state, act, name) {
  const on = state.data.features.includes(name);
  act.configure({ features: on ? state.data.features.filter((one) => one !== name) : [...state.data.features, name] });
}
export const pretty = (name) => name.replace(/x1/g, "x₁").replace(/x2/g, "x₂");

// Small pictures of the data sets, drawn once by hand.
const dots = (points, kind) => points.map(([x, y]) => svg`<circle cx=${x} cy=${y} r="2.3" fill=${kind}></circle>`);
const low = "var(--low)", high = "var(--high)";
const arc = (cx, cy, r, from, to, count) => Array.from({ length: count }, (_, k) => {
  const angle = ((from + ((to - from) * k) / (count - 1)) * Math.PI) / 180;
  return [cx + r * Math.cos(angle), cy - r * Math.sin(angle)];
});
const spiral = (turn) => Array.from({ length: 11 }, (_, k) => {
  const r = 3 + 1.4 * k, angle = turn + 0.55 * k;
  return [20 + r * Math.cos(angle), 20 - r * Math.sin(angle)];
});
const cloud = (cx, cy) => [[0, 0], [4, 3], [-4, 2], [2, -5], [-3, -4], [6, -2], [-1, 6]].map(([x, y]) => [cx + x, cy + y]);
const field = (colourAt) => Array.from({ length: 25 }, (_, k) => {
  const x = k % 5, y = Math.floor(k / 5), t = colourAt(x - 2, 2 - y);
  return svg`<circle cx=${6 + 7 * x} cy=${6 + 7 * y} r="2.6" fill=${t < 0 ? low : high} opacity=${Math.min(Math.abs(t), 1)}></circle>`;
});
const hill = (x, y) => Math.exp(-(x ** 2 + y ** 2));
const pictures = {
  moons: [dots(arc(16, 22, 11, 0, 180, 9), low), dots(arc(25, 18, 11, 180, 360, 9), high)],
  circles: [dots(arc(20, 20, 15, 0, 330, 13), low), dots(arc(20, 20, 7, 0, 315, 7), high)],
  xor: [dots([[8, 8], [14, 13], [9, 15], [32, 32], [27, 27], [33, 26]], high),
    dots([[32, 8], [26, 13], [31, 15], [8, 32], [13, 27], [7, 25]], low)],
  spirals: [dots(spiral(0), low), dots(spiral(Math.PI), high)],
  gaussians: [dots(cloud(12, 28), low), dots(cloud(28, 12), high)],
  blobs: [dots(cloud(20, 9), low), dots(cloud(10, 29), high), dots(cloud(30, 29), "var(--good)")],
  plane: field((x, y) => (x + y) / 4 || 0.05),
  hills: field((x, y) => 1.2 * hill(x + 1, y + 1) + hill(x - 1, y - 1) - hill(x + 1, y - 1) || 0.05),
};
