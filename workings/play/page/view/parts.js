// Small parts that several views use: fields, numbers, icons, equations.
import { html, noChange, svg } from "../vendor/lit-html.js";
import { hints, names, words } from "../strings.js";

// A whole number with commas; a browser's own takes 20 ms to load its languages.
export const whole = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return whole(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(2).replace("e+", "e");
  return value.toPrecision(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}
export const signed = (value) => (value < 0 ? `−${number(-value, 3)}` : number(value, 3));

export function select(name, value, options, change,
  { label = names[name] ?? name, hint = hints[name], show = (one) => one || words.none, absent = [] } = {}) {
  return html`<label class="field" data-hint=${hint}><span>${label}</span>
    <select name=${name} .value=${value} @change=${(event) => change(event.target.value)}>
      ${options.map((one) => html`<option value=${one} ?selected=${one === value}>${show(one)}</option>`)}
      ${absent.map((one) => html`<option disabled>${words.needs_python(one)}</option>`)}
    </select></label>`;
}
export function slider(name, value, { low, high, step, label = names[name], hint = hints[name], show = (v) => number(v, 3) }, change) {
  return html`<label class="field" data-hint=${hint}><span class="head"><span>${label}</span><span
    class="value">${show(value)}</span></span>
    <input type="range" name=${name} min=${low} max=${high} step=${step} .value=${String(value)} aria-valuetext=${show(value)}
      @input=${(event) => change(Number(event.target.value))}></label>`;
}
export function numberField(name, value, { low, high, step = 1 }, change) {
  return html`<label class="field" data-hint=${hints[name]}><span>${names[name]}</span>
    <input type="number" name=${name} min=${low} max=${high} step=${step} .value=${String(value)}
      @change=${(event) => { if (event.target.value !== "") change(Number(event.target.value)); }}></label>`;
}

// What the arrow keys do on a picture: they move a cross, which is there while the picture has the focus.
export const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
export const focused = (event, act) => { if (event.target.matches(":focus-visible")) act.moveCursor(0, 0); };

// A part of the page that is drawn again only if something that it depends on has changed.
const drawn = new Map();
export function unlessSame(key, depends, make) {
  const before = drawn.get(key);
  if (before && depends.every((one, k) => one === before[k])) return noChange;
  drawn.set(key, depends);
  return make();
}

// MathML comes from the library, which escapes every name in it.  One text is one element, so it is laid out once.
const equations = new Map();
export function mathml(text) {
  if (!text) return "";
  if (!equations.has(text)) {
    if (equations.size > 200) equations.clear();
    const box = document.createElement("span");
    box.innerHTML = text;
    equations.set(text, box);
  }
  return equations.get(text);
}

const paths = {
  play: svg`<path class="fill" d="M8 5.5v13l11-6.5z"></path>`,
  pause: svg`<path class="fill" d="M7 5h3.6v14H7zM13.4 5H17v14h-3.6z"></path>`,
  step: svg`<path d="M6 6l7 6-7 6zM18 6v12"></path>`,
  epoch: svg`<path d="M4 6l6 6-6 6zM11 6l6 6-6 6zM20 6v12"></path>`,
  reset: svg`<path d="M4 4v6h6M4.6 14a8 8 0 1 0 1.6-8L4 10"></path>`,
  theme: svg`<circle cx="12" cy="12" r="8"></circle><path class="fill" d="M12 4a8 8 0 0 1 0 16z"></path>`,
  help: svg`<circle cx="12" cy="12" r="9"></circle><path d="M9.4 9.4a2.7 2.7 0 1 1 3.9 2.5c-.9.5-1.3 1-1.3 2M12 17v.01"></path>`,
};
export const icon = (name) => html`<svg viewBox="0 0 24 24" aria-hidden="true">${paths[name]}</svg>`;
export const iconButton = (name, label, hint, action, shortcut = "") =>
  html`<button class="icon" aria-label=${label} aria-keyshortcuts=${shortcut || "None"}
    data-hint=${shortcut ? words.with_key(hint, shortcut) : hint} @click=${action}>${icon(name)}</button>`;
