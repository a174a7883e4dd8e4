// A plot of some curves, as SVG; their colours are classes of the style sheet.
import { html, svg } from "../vendor/lit-html.js";
import { plots as words } from "../strings.js";
import { number, whole } from "./parts.js";

const LEFT = 38, BOTTOM = 15, TOP = 6;

// A curve is { kind, points: [[x, y], …], name }.  Without ends, the plot shows all values; `isLog` is for wide ranges.
export function plotOf(title, curves, { low, high, width: W = 300, height = 84, now = null, unit = words.step } = {}) {
  const all = curves.map((curve) => ({ ...curve, points: curve.points.filter(([, y]) => Number.isFinite(y)) }));
  const values = all.flatMap(({ points }) => points.map(([, y]) => y)),
    end = Math.max(...all.flatMap(({ points }) => points.map(([x]) => x)), 1);
  const least = Math.min(...values), most = Math.max(...values), isLog = low === undefined && least > 0 && most > 50 * least;
  const bottom = low ?? (isLog ? least : Math.min(0, least)), top = high ?? (Number.isFinite(most) && most !== bottom ? most : bottom + 1);
  const scale = isLog ? Math.log : (v) => v;
  const x = (step) => LEFT + ((W - LEFT) * step) / end;
  const y = (value) => TOP + ((height - TOP - BOTTOM) * (scale(top) - scale(Math.min(Math.max(value, bottom),
    top)))) / (scale(top) - scale(bottom) || 1);
  const line = (points) => points.map(([at, value], k) => `${k ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const ends = all.filter(({ points, name }) => points.length
    && name).map(({ points, name }) => words.ends_at(name, number(points.at(-1)[1]))).join(", ");
  return html`<figure><figcaption class="label">${isLog ? words.logarithmic(title) : title}</figcaption>
    <svg class="plot" viewBox="0 0 ${W} ${height}" role="img" aria-label=${words.described(title, unit, end) + (ends && `: ${ends}`)}>
      <line class="axis" x1=${LEFT} y1=${y(bottom)} x2=${W} y2=${y(bottom)}></line>
        <line class="axis" x1=${LEFT} y1=${y(top)} x2=${W} y2=${y(top)}></line>
      <text x=${LEFT - 5} y=${y(top) + 4} text-anchor="end">${number(top, 2)}</text>
        <text x=${LEFT - 5} y=${y(bottom) + 4} text-anchor="end">${number(bottom, 2)}</text>
      <text x=${W} y=${height - 2} text-anchor="end">${unit} ${whole(Math.round(end))}</text>
      ${[...all].reverse().map(({ kind, points }) => svg`<path class=${kind} d=${line(points)}></path>`)}
      ${now === null ? "" : svg`<line class="now" x1=${x(now)} y1=${TOP} x2=${x(now)} y2=${height - BOTTOM}></line>`}
    </svg></figure>`;
}
