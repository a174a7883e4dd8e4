// The drawing of the network: units with their heat maps, connections with their weights.
import { html, svg } from "../vendor/lit-html.js";
import { layersOf, otherState, weightsInto } from "../state.js";
import { comparison, hints, network as own, words } from "../strings.js";
import { pretty } from "./data.js";
import { litParts } from "./lit.js";
import { unlessSame } from "./parts.js";

const HEAD = 124, STILL = 96, BARE = 30, GAP = 10; // room above the units: with controls, with words, and without
const dropouts = [0, 0.1, 0.2, 0.3, 0.5, 0.7];

export function networkCard(state, act) {
  const { settings, choices, network } = state;
  const hidden = settings.hidden.length;
  return html`<div class="network ${state.other ? "pair" : ""}"><section class="card" aria-labelledby="network-title">
    <header><h2 id="network-title">${state.other ? comparison.present : words.network}</h2>
      <div class="row">
        <button class="plain" data-hint=${hints.remove_layer} ?disabled=${hidden === 0}
          @click=${() => act.removeLayer()}>${own.fewer_layers}</button>
        <button class="plain" data-hint=${hints.add_layer} ?disabled=${hidden >= choices.most_layers}
          @click=${() => act.addLayer()}>${own.more_layers}</button>
        <button class="plain" data-hint=${own.loss_hint} @click=${() => act.openLoss()}>${own.loss}</button>
        ${state.other ? "" : html`<button class="plain" data-hint=${comparison.keep_hint}
          @click=${() => act.keep()}>${comparison.keep}</button>`}
      </div>
    </header>
    ${state.other ? html`<p class="small differences">${differences(state.settings, state.other.settings)}</p>` : ""}
    <div class="net-scroll">${drawing(state, act, layersOf(network))}</div>
  </section>${state.other ? otherCard(state, act) : ""}</div>`;
}

// The network that is kept for comparison: drawn, but not to be changed before it is exchanged with the present one.
function otherCard(state, act) {
  const kept = otherState(state);
  return html`<section class="card kept" aria-labelledby="kept-title">
    <header><h2 id="kept-title">${comparison.kept}</h2><div class="row">
      <button class="plain" data-hint=${comparison.swap_hint} @click=${() => act.swap()}>${comparison.swap}</button>
      <button class="plain" data-hint=${comparison.end_hint} @click=${() => act.endComparison()}>${comparison.end}</button></div></header>
    <p class="small differences">${differences(kept.settings, state.settings)}</p>
    <div class="net-scroll">${drawing(kept, null, layersOf(kept.network))}</div></section>`;
}

// The settings that differ from those of the other network, in words.
function differences(mine, theirs) {
  const differs = (name) => JSON.stringify(mine[name]) !== JSON.stringify(theirs[name]);
  const found = Object.keys(mine).filter(differs).map((name) => (name === "hidden" ? hiddenWords(mine.hidden)
    : `${comparison.names[name] ?? name}: ${[mine[name]].flat().join(", ") || words.none}`));
  return found.join(" · ") || comparison.same;
}
const hiddenWords = (hidden) => `${comparison.names.hidden}: ${hidden.map(layerWords).join(", ") || words.none}`;
function layerWords({ units, activation, dropout, batch_norm: isNormed }) {
  return [units, activation, ...(isNormed ? [words.batch_norm] : []), ...(dropout ? [words.dropout, dropout] : [])].join(" ");
}

// Where everything is.  On a narrow screen, long names stand below their units, so that the columns have room.
function geometry(state, layers, isStill) {
  const { network } = state, isNarrow = state.width < 700, last = layers.length - 1;
  const width = Math.max(state.netWidth || 600, layers.length * 72 + 10);
  const tallest = Math.max(...layers.map((layer) => layer.units));
  const room = isNarrow ? 300 : 400;
  const size = Math.max(14, Math.min(46, Math.floor(room / tallest) - GAP));
  const gap = tallest > 12 ? 4 : GAP;
  const names = { 0: network.is_image ? [] : network.inputs, [last]: network.outputs };
  const longest = (k) => Math.max(0, ...names[k].map((name) => name.length));
  const isBelow = (k) => isNarrow && k in names && longest(k) > 3 && layers[k].units <= 8;
  const pitch = (k) => size + (isBelow(k) ? 20 : gap);
  const head = layers.length < 3 ? BARE : isStill && isNarrow ? STILL : HEAD;
  const height = head + Math.max(...layers.map((layer, k) => layer.units * pitch(k) + 8), 150);
  const beside = (k) => (isBelow(k) ? 20 : 14 + 7 * Math.min(longest(k), isNarrow ? 7 : 16));
  const left = network.is_image ? 35 : beside(0), right = beside(last);
  const x = (k) => left + size / 2 + ((width - left - size - right) * k) / last;
  const y = (k, unit) => head + (height - head) / 2 + (unit - (layers[k].units - 1) / 2) * pitch(k) - (isBelow(k) ? 6 : 0);
  const key = `${width} ${layers.map((layer) => layer.units)} ${left} ${right}`;
  return { width, height, head, size, x, y, isBelow, path: pathsOf(x, y, size), key };
}

// The curve of each connection.
const pathsOf = (x, y, size) => (layer, from, to) => {
  const x1 = x(layer - 1) + size / 2, x2 = x(layer) - size / 2, y1 = y(layer - 1, from).toFixed(1),
    y2 = y(layer, to).toFixed(1), bend = (x2 - x1) * 0.42;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
};

function drawing(state, act, layers) {
  const shape = geometry(state, layers, act === null), lit = litParts(state), isWalking = lit !== null;
  return html`<div class="net ${isWalking ? "dim" : ""}" role="group" aria-label=${own.drawn(layers.map((layer) => layer.units))}
      .style=${`width:${shape.width}px;height:${shape.height}px`} @keydown=${(event) => arrows(event, state, act, layers)}>
    <svg class="edges" aria-hidden="true">${layers.slice(1).map((_, k) => edgesInto(state, shape, k + 1, lit))}</svg>
    <svg class="edges hits" aria-hidden="true" data-hint=${hints.edge}>${act === null
      ? "" : unlessSame("hits", [shape.key], () => layers.slice(1).map((_, k) => hitsInto(state, act, shape, k + 1)))}</svg>
    ${layers.map((layer, k) => (act === null ? stillColumn(state, shape, layers, k) : column(state, act, shape, layers, k, lit)))}
  </div>`;
}

export const short = (name, state) => (name.length > (state.width < 700 ? 7 : 16) ? `${name.slice(0, state.width < 700 ? 6 : 15)}…` : name);

// From an image to the first layer there are too many weights for lines; each unit shows its own as a picture.
function edgesFromImage(shape, units) {
  const { x, y, size } = shape;
  return Array.from({ length: units }, (_, to) => svg`<path class="edge plain"
    d="M${x(0) + size / 2} ${y(0, 0)}L${x(1) - size / 2} ${y(1, to)}"></path>`);
}

// The wide invisible lines that take the mouse; they change only with the drawing.
function hitsInto(state, act, shape, layer) {
  const { rows, columns } = weightsInto(state.network, state.frame, layer);
  if ((layer === 1 && state.network.is_image) || rows * columns > 260) return "";
  return Array.from({ length: rows * columns }, (_, k) => {
    const from = Math.floor(k / columns), to = k % columns;
    return svg`<path class="edge-hit" d=${shape.path(layer, from, to)}
      @pointerdown=${(event) => dragEdge(event, state, act, layer, from, to)}
      @pointerenter=${() => mark(layer, k, true)} @pointerleave=${() => mark(layer, k, false)}></path>`;
  });
}
const mark = (layer, k, on) => document.querySelector(`.edge[data-edge="${layer},${k}"]`)?.classList.toggle("under", on);

function edgesInto(state, shape, layer, lit) {
  if (layer === 1 && state.network.is_image) return edgesFromImage(shape, layersOf(state.network)[1].units);
  const weights = weightsInto(state.network, state.frame, layer);
  const isLit = lit?.edges.has(layer), chosen = state.tab === "selected" && state.detail?.kind === "weight" ? state.detail : null;
  const found = [];
  for (let from = 0; from < weights.rows; from++) {
    for (let to = 0; to < weights.columns; to++) {
      const w = weights.at[from * weights.columns + to];
      const strength = Math.min(Math.abs(w), 4) / 4;
      const isChosen = chosen && chosen.name === `W${layer}` && chosen.index[0] === from && chosen.index[1] === to;
      const look = `${w < 0 ? "low" : "high"} ${isLit ? "lit" : ""} ${isChosen ? "chosen" : ""}`;
      found.push(svg`<path data-edge="${layer},${from * weights.columns + to}" class="edge ${look}" d=${shape.path(layer, from, to)}
          stroke-width=${(0.5 + 6 * strength ** 0.8).toFixed(2)} opacity=${(0.28 + 0.62 * strength ** 0.5).toFixed(2)}></path>`);
    }
  }
  return found;
}

// A click opens the weight; moving up or down with the button held changes it.
function dragEdge(event, state, act, layer, from, to) {
  const found = weightsInto(state.network, state.frame, layer), start = found.at[from * found.columns + to];
  const name = `W${layer}`, index = [from, to], begin = event.clientY, line = event.currentTarget;
  let value = start, moved = false;
  line.setPointerCapture(event.pointerId);
  const move = (e) => {
    if (!moved && Math.abs(e.clientY - begin) < 4) return;
    if (!moved) { moved = true; act.set({ running: false }); act.openWeight(name, index, true, true); }
    value = start + (begin - e.clientY) / 40;
    act.setWeight(name, index, value);
  };
  const end = () => {
    line.removeEventListener("pointermove", move);
    if (moved) act.setWeight(name, index, value, true); else act.openWeight(name, index);
  };
  line.addEventListener("pointermove", move);
  line.addEventListener("pointerup", end, { once: true });
  line.addEventListener("pointercancel", end, { once: true });
}

function column(state, act, shape, layers, k, lit) {
  const last = layers.length - 1, { x, y, size } = shape;
  const title = k === 0 ? (state.network.is_image ? own.image : layers[0].units > 1 ? own.inputs : own.input)
    : k === last ? (layers[k].units > 1 ? own.outputs : own.output) : "";
  return html`
    ${k > 0 && k < last ? columnHead(state, act, shape, k)
      : html`<div class="column-head column-title" .style=${`left:${x(k)}px;top:${shape.head - 24}px`}>${title}</div>`}
    ${Array.from({ length: layers[k].units }, (_, unit) => html`
      <button class="unit ${kinds(state, k)} ${lit?.units.has(k) ? "lit" : ""} ${lit?.off[k]?.includes(unit)
        ? "off" : ""}" data-place="${k},${unit}" aria-label=${label(state, layers, k, unit)} data-hint=${hints.unit}
        tabindex=${state.current[0] === k && state.current[1] === unit ? 0 : -1} aria-current=${isOpen(state, k, unit)}
        .style=${placed(x(k), y(k, unit), sizeOf(state, k, size))}
        @focus=${() => act.set({ current: [k, unit] })} @click=${() => act.openUnit(k, unit)}>
          <canvas data-unit="${k},${unit}"></canvas></button>
      ${k === 0 && !state.network.is_image ? unitLabel(state, shape, k, unit, pretty(state.network.inputs[unit])) : ""}
      ${k === last ? unitLabel(state, shape, k, unit, state.network.outputs[unit]) : ""}`)}`;
}

// The name of an input or an output: beside its unit, or below it.
function unitLabel(state, { x, y, size, isBelow }, k, unit, name) {
  const room = Math.max(x(1) - x(0) - 6, 70);
  const place = isBelow(k) ? `left:${x(k)}px;top:${y(k, unit) + size / 2 + 9}px;max-width:${room}px`
    : k === 0 ? `right:calc(100% - ${x(k) - size / 2 - 5}px);top:${y(k, unit)}px`
      : `left:${x(k) + size / 2 + 6}px;top:${y(k, unit)}px`;
  return html`<span class="unit-label ${isBelow(k) ? "below" : ""}" aria-hidden="true"
    .style=${place}>${isBelow(k) ? name : short(name, state)}</span>`;
}

// A layer with dropout has a dashed rim, one with batch normalization a bar below.
function kinds(state, k) {
  const layer = state.settings.hidden[k - 1];
  return layer ? `${layer.dropout ? "drops" : ""} ${layer.batch_norm ? "normed" : ""}` : "";
}
// A column of the kept network.
const stillColumn = (state, shape, layers, k) => {
  const layer = state.settings.hidden[k - 1], { x, y, size } = shape;
  const dropout = layer?.dropout ? `${words.dropout} ${layer.dropout}` : "", norm = layer?.batch_norm ? words.batch_norm : "";
  return html`${layer ? html`<div class="column-head still-head" .style=${`left:${x(k)}px`}>
      ${layer.units}<br>${layer.activation}<br>${dropout}<br>${norm}</div>` : ""}
    ${Array.from({ length: layers[k].units }, (_, unit) => html`<div class="unit ${kinds(state, k)}" role="img"
      aria-label=${label(state, layers, k, unit)} .style=${placed(x(k), y(k, unit), sizeOf(state, k, size))}>
      <canvas data-unit="${k},${unit}" data-of="other"></canvas></div>`)}`;
};
const sizeOf = (state, k, size) => (k === 0 && state.network.is_image ? Math.max(size, 58) : size);
const placed = (x, y, size) => `left:${x - size / 2}px;top:${y - size / 2}px;width:${size}px;height:${size}px`;

function columnHead(state, act, shape, k) {
  const layer = state.settings.hidden[k - 1], most = state.choices.layer_ranges.units.high;
  const width = Math.min(116, shape.x(1) - shape.x(0) - 6), isNarrow = width < 100;
  const rates = dropouts.includes(layer.dropout) ? dropouts : [...dropouts, layer.dropout].sort((a, b) => a - b);
  return html`<div class="column-head" .style=${`left:${shape.x(k)}px;width:${width}px`} role="group" aria-label=${own.hidden_layer(k)}>
    <div class="stepper" data-hint=${hints.units}>
      <button class="tiny" aria-label=${own.fewer_units(k)} ?disabled=${layer.units <= 1}
        @click=${() => act.layer(k - 1, { units: layer.units - 1 })}>−</button>
      <span>${layer.units}</span>
      <button class="tiny" aria-label=${own.more_units(k)} ?disabled=${layer.units >= most}
        @click=${() => act.layer(k - 1, { units: layer.units + 1 })}>+</button>
    </div>
    <select aria-label=${own.activation_of(k)} data-hint=${hints.activation} .value=${layer.activation}
      @change=${(event) => act.layer(k - 1, { activation: event.target.value })}>
      ${state.choices.activations.map((name) => html`<option ?selected=${name === layer.activation}>${name}</option>`)}
    </select>
    <select aria-label=${own.dropout_of(k)} data-hint=${hints.dropout} class=${layer.dropout ? "is-on" : ""}
      .value=${String(layer.dropout)} @change=${(event) => act.layer(k - 1, { dropout: Number(event.target.value) })}>
      ${rates.map((rate) => html`<option value=${rate} ?selected=${rate === layer.dropout}>${rateWords(rate, isNarrow)}</option>`)}
    </select>
    <button class="tiny wide" aria-label=${own.batch_norm_in(k)} aria-pressed=${layer.batch_norm} data-hint=${hints.batch_norm}
      @click=${() => act.layer(k - 1, { batch_norm: !layer.batch_norm })}>${isNarrow ? words.norm : words.batch_norm}</button></div>`;
}

function rateWords(rate, isNarrow) {
  if (!rate) return isNarrow ? words.no_drop : words.no_dropout;
  return isNarrow ? `${words.drop} ${String(rate).replace("0.", ".")}` : `${words.dropout} ${rate}`;
}

const isOpen = (state, k, unit) => String(state.tab === "selected" && state.detail?.kind === "unit"
  && state.detail.layer === k && state.detail.unit === unit);

export function label(state, layers, k, unit) {
  if (k === 0) return state.network.is_image ? own.the_image : own.input_named(state.network.inputs[unit]);
  if (k === layers.length - 1) return own.output_named(state.network.outputs[unit]);
  const { activation, batch_norm: isNormed, dropout } = state.settings.hidden[k - 1];
  return own.unit(k, unit, [activation, ...(isNormed ? [words.batch_norm] : []), ...(dropout ? [`${words.dropout} ${dropout}`] : [])]);
}

function arrows(event, state, act, layers) {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!by || !event.target.classList.contains("unit")) return;
  event.preventDefault();
  const k = Math.max(0, Math.min(layers.length - 1, state.current[0] + by[0]));
  const unit = Math.max(0, Math.min(layers[k].units - 1, state.current[1] + by[1]));
  event.currentTarget.querySelector(`[data-place="${k},${unit}"]`).focus();
}
