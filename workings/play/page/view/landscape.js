// The loss over a plane through parameter space, with the path of the run; and the edge of stability.
import { html, svg } from "../vendor/lit-html.js";
import { formats, landscape as words } from "../strings.js";
import { number, whole } from "./parts.js";

export function landscapePanel(state, act) {
  const { landscape } = state;
  return html`<div class="stack">
    <div class="row" role="group" aria-label=${words.directions}>
      ${Object.entries(words.kinds).map(([kind, [title, hint]]) => html`<button
        aria-pressed=${state.directions === kind} data-hint=${hint} @click=${() => act.landscape(kind)}>${title}</button>`)}
      ${landscape && landscape.step !== state.frame.step
        ? html`<button class="plain" @click=${() => act.landscape()}>${words.again}</button><span
        class="quiet small">${words.as_of(whole(landscape.step))}</span>` : ""}
      ${landscape ? ["svg", "png"].map((format) => html`
        <button class="plain" @click=${() => act.savePicture("landscape", format)}>${formats[format]}</button>`) : ""}
    </div>
    ${landscape ? html`<div class="split">${picture(landscape)}${stability(state, landscape)}</div>`
      : html`<p class="quiet">${words.none}</p>`}
  </div>`;
}

function picture(found) {
  const { alphas, betas, path, losses, J } = found, finite = losses.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), Infinity), high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const x = (a) => (100 * (a - alphas[0])) / (alphas.at(-1) - alphas[0]), y = (b) => (100 * (betas.at(-1) - b)) / (betas.at(-1) - betas[0]);
  const line = (path ?? [[0, 0]]).map(([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(2)} ${y(b).toFixed(2)}`).join("");
  const { shares } = found, percent = (k) => Math.round(100 * shares[k]);
  const share = (k) => (shares ? words.direction_with(k + 1, percent(k)) : words.direction(k + 1));
  return html`<figure class="stack small-gap"><div class="land">
    <canvas data-land="yes" role="img" aria-label=${words.alternative(number(low), number(high), number(J))}></canvas>
    <svg viewBox="0 0 100 100" aria-hidden="true">
      ${path ? svg`<path class="halo" d=${line}></path><path class="way" d=${line}></path>
        <circle class="begin" cx=${x(path[0][0])} cy=${y(path[0][1])} r="1.6"></circle>` : ""}
      <circle class="here" cx=${x(0)} cy=${y(0)} r="2.2"></circle></svg></div>
    <figcaption class="small quiet">→ ${share(0)}<br>↑ ${share(1)}</figcaption>
    <div class="legend"><span><i class="deep"></i>${words.low(number(low, 3))}</span>
      <span><i class="shallow"></i>${words.high(number(high, 3))}</span>
      <span><i class="dot"></i>${words.present}${path ? `, ${words.ring}` : ""}</span></div></figure>`;
}

// How far the largest curvature is from the limit of stability.
function stability({ settings, data }, { curvature, limit, rate }) {
  const size = settings.batch_size, isDescent = settings.optimizer === "SGD" && (size === 0 || size >= data.training);
  if (curvature === null || limit === null) {
    return html`<div class="stack"><h3>${words.edge}</h3><p>${limit === null ? words.no_rate : words.random}</p></div>`;
  }
  const end = 1.6 * Math.max(limit, Math.min(Math.abs(curvature), 4 * limit)),
    at = (v) => 300 * Math.min(Math.max(v, 0) / end, 1), isBeyond = curvature > limit;
  return html`<div class="stack"><h3>${words.edge}</h3>
    <svg class="plot gauge" viewBox="-4 0 308 62" role="img"
      aria-label="${words.curvature} ${number(curvature)}, ${words.limit} ${number(limit)}">
      <rect class="stable" x="0" y="20" width=${at(limit)} height="16" rx="3"></rect>
        <rect class="unstable" x=${at(limit)} y="20" width=${300 - at(limit)} height="16" rx="3"></rect>
      <line class="limit" x1=${at(limit)} y1="14" x2=${at(limit)} y2="42"></line>
        <text x=${at(limit)} y="56" text-anchor="middle">2 / ${number(rate)} = ${number(limit, 3)}</text>
      <path class="mark" d="M${at(curvature)} 19l-6 -10h12z"></path></svg>
    <table class="numbers"><caption class="hidden-text">${words.edge}</caption>
      <tr><th scope="row">${words.curvature}</th><td data-testid="curvature">${number(curvature)}</td></tr>
      <tr><th scope="row">${words.limit}</th><td data-testid="limit">${number(limit)}</td></tr></table>
    <p class=${isBeyond ? "differs" : "agrees"}>${isBeyond ? words.beyond : words.below}</p>
    <p class="small quiet">${isDescent ? words.rule : words.other_rule}</p></div>`;
}
