// What is shown of a weight: its value to drag, the loss as its function with the tangent, its gradient, its paths.
import { html, svg } from "../vendor/lit-html.js";
import { hints, weight as words } from "../strings.js";
import { mathml, number } from "./parts.js";

const W = 350, H = 180, LEFT = 50, BOTTOM = 24, TOP = 10;

export function weightPanel(state, act) {
  const { detail } = state;
  return html`<div class="split">
    <div class="stack">
      <div class="row"><h2><code>${detail.entry}</code> = ${number(detail.value)}</h2>
        <label class="row small quiet">${words.set_to} <input type="number" step="0.1"
          .value=${detail.value.toFixed(4)} @change=${(event) => {
          if (event.target.value !== "") act.setWeight(detail.name, detail.index, Number(event.target.value), true);
        }}></label></div>
      ${profile(detail, act)}
      <label class="field" data-hint=${hints.profile}><span class="label">${words.drag}</span>
        <input type="range" min=${detail.profile.at[0]} max=${detail.profile.at.at(-1)} step="0.01"
          .value=${String(detail.value)} aria-valuetext=${number(detail.value)}
          @input=${(event) => { act.set({ running: false }); act.setWeight(detail.name, detail.index, Number(event.target.value)); }}
          @change=${(event) => act.setWeight(detail.name, detail.index, Number(event.target.value), true)}></label>
      ${courseOf(detail)}
    </div>
    <div class="stack">
      <table class="numbers"><caption class="hidden-text">${words.gradient}</caption>
        <tr><th scope="row">${words.by_backward}</th><td data-testid="gradient">${number(detail.gradient, 7)}</td></tr>
        <tr><th scope="row">${words.by_differences}</th><td>${number(detail.slope, 7)}</td></tr>
        <tr><th scope="row">${words.objective}</th><td>${number(detail.J, 7)}</td></tr></table>
      <div class="equation" tabindex="0" role="group" aria-label=${words.equation}>
        <div class="line">${mathml(detail.gradient_statement.equation)}</div>${mathml(detail.gradient_statement.entry)}</div>
      ${why(detail)}
    </div></div>`;
}

function profile(detail, act) {
  const { at, J } = detail.profile, values = J.filter((v) => v !== null), low = Math.min(...values, detail.J),
    high = Math.max(...values, detail.J);
  const x = (w) => LEFT + ((W - LEFT - 8) * (w - at[0])) / (at.at(-1) - at[0]);
  const y = (v) => TOP + ((H - TOP - BOTTOM) * (high - v)) / (high - low || 1);
  const line = at.map((w, k) => (J[k] === null ? "" : `${k && J[k - 1] !== null
    ? "L" : "M"}${x(w).toFixed(1)} ${y(J[k]).toFixed(1)}`)).join("");
  const digits = number(high, 3) === number(low, 3) ? 6 : 3;
  const reach = (at.at(-1) - at[0]) / 5, a = detail.value - reach, b = detail.value + reach;
  return html`<svg class="plot" viewBox="0 0 ${W} ${H}" role="img" data-hint=${hints.profile}
      aria-label=${words.profile(detail.entry, number(detail.value), number(detail.gradient))}>
    <line class="axis" x1=${LEFT} y1=${H - BOTTOM} x2=${W} y2=${H - BOTTOM}></line>
    <text x=${LEFT - 6} y=${TOP + 5} text-anchor="end">${number(high, digits)}</text>
      <text x=${LEFT - 6} y=${H - BOTTOM} text-anchor="end">${number(low, digits)}</text>
    <text x=${LEFT} y=${H - 8}>${number(at[0], 3)}</text><text x=${W - 8} y=${H - 8} text-anchor="end">${number(at.at(-1), 3)}</text>
    <text x=${(LEFT + W) / 2} y=${H - 8} text-anchor="middle">${detail.entry}</text>
    <path class="first" d=${line}></path>
    <line class="slope" x1=${x(a)} y1=${y(detail.J - reach * detail.gradient)} x2=${x(b)}
      y2=${y(detail.J + reach * detail.gradient)}></line>
    ${svg`<circle class="point" cx=${x(detail.value)} cy=${y(detail.J)} r="7"></circle>`}
  </svg>`;
}

function courseOf(detail) {
  const points = detail.course.filter(([, v]) => v !== null);
  if (points.length < 2) return "";
  const end = points.at(-1)[0] || 1, values = points.map(([, v]) => v), low = Math.min(...values), high = Math.max(...values);
  const x = (s) => (40 + (260 * s) / end).toFixed(1), y = (v) => (6 + (44 * (high - v)) / (high - low || 1)).toFixed(1);
  const path = points.map(([s, v], k) => `${k ? "L" : "M"}${x(s)} ${y(v)}`).join("");
  return html`<figure><figcaption class="label">${words.course}</figcaption>
    <svg class="plot" viewBox="0 0 306 56" role="img" aria-label=${words.course_of(detail.entry, number(values[0]), number(values.at(-1)))}>
    <text x="34" y="12" text-anchor="end">${number(high, 2)}</text>
      <text x="34" y="52" text-anchor="end">${number(low, 2)}</text><path class="first" d=${path}></path></svg></figure>`;
}

function why({ why: found }) {
  if (!found.paths.length) return html`<p class="small quiet">${found.words}</p>`;
  return html`<h3>${words.why}</h3><div class="scroll" tabindex="0" role="group" aria-label=${words.paths}><table class="numbers">
    <caption class="hidden-text">${words.paths_caption}</caption>
    ${found.paths.map((one) => html`<tr><td class="wide"><code>${one.path}</code></td><td>${number(one.adds)}</td></tr>`)}
    ${found.penalty ? html`<tr><td class="wide">${words.penalty}</td><td>${number(found.penalty)}</td></tr>` : ""}
    <tr><td class="wide"><strong>${words.total}</strong></td><td><strong>${number(found.total)}</strong></td></tr></table></div>
    ${found.more ? html`<p class="small quiet">${words.more(found.more)}</p>` : ""}`;
}
