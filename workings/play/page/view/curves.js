// A plot of two curves over the steps of the run, as SVG.
import { html, svg } from "../vendor/lit-html.js";
import { number } from "./parts.js";

const W = 300, H = 84, LEFT = 34, BOTTOM = 15, TOP = 6;

export function curves(title, moments, first, second, now, low, high) {
  const steps = moments.map((moment) => moment[0]), end = Math.max(steps.at(-1), 1);
  const values = moments.flatMap((moment) => [moment[first], moment[second]]).filter(Number.isFinite);
  const bottom = Math.min(low, ...values.map((v) => (high === undefined ? v : Math.max(v, -0.5)))), top = high ?? (Math.max(...values) || 1);
  const x = (step) => LEFT + ((W - LEFT) * step) / end;
  const y = (value) => TOP + ((H - TOP - BOTTOM) * (top - Math.max(value, bottom))) / (top - bottom || 1);
  const line = (column) => {
    let path = "";
    for (const moment of moments) if (Number.isFinite(moment[column])) path += `${path ? "L" : "M"}${x(moment[0]).toFixed(1)} ${y(moment[column]).toFixed(1)}`;
    return path;
  };
  return html`<figure><figcaption class="label">${title}</figcaption>
    <svg class="plot" viewBox="0 0 ${W} ${H}" role="img" aria-label="${title} by step, up to step ${end}">
      <line class="axis" x1=${LEFT} y1=${y(bottom)} x2=${W} y2=${y(bottom)}></line><line class="axis" x1=${LEFT} y1=${y(top)} x2=${W} y2=${y(top)}></line>
      <text x=${LEFT - 5} y=${y(top) + 4} text-anchor="end">${number(top, 2)}</text><text x=${LEFT - 5} y=${y(bottom) + 4} text-anchor="end">${number(bottom, 2)}</text>
      <text x=${W} y=${H - 2} text-anchor="end">step ${Math.round(end).toLocaleString("en")}</text>
      <path class="second" d=${line(second)}></path><path class="first" d=${line(first)}></path>
      ${now < moments.length - 1 ? svg`<line class="now" x1=${x(steps[now])} y1=${TOP} x2=${x(steps[now])} y2=${H - BOTTOM}></line>` : ""}
    </svg></figure>`;
}
