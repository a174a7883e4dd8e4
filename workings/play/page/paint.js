// Paints the canvases of the page: heat maps and points.  A canvas says what it shows in its data attributes.
import { otherState, screenOf } from "./state.js";
import { classColour, css, cssOf, diverging, pale, pixel, theme } from "./palette.js";

const scratch = new Map();
function board(side) {
  if (!scratch.has(side)) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const image = context.createImageData(side, side);
    scratch.set(side, { canvas, context, image, pixels: new Uint32Array(image.data.buffer) });
  }
  return scratch.get(side);
}

function fill(side, colourAt) {
  const { canvas, context, image, pixels } = board(side);
  for (let k = 0; k < side * side; k++) pixels[k] = colourAt(k);
  context.putImageData(image, 0, 0);
  return canvas;
}

// A canvas has as many pixels as the screen; its size is asked for again only after it has changed.
const sizes = new WeakMap();
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) sizes.delete(target);
});
function sized(canvas) {
  let context = sizes.get(canvas);
  if (!context) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = Math.max(Math.round(canvas.clientWidth * ratio), 1);
    canvas.height = Math.max(Math.round(canvas.clientHeight * ratio), 1);
    context = canvas.getContext("2d");
    sizes.set(canvas, context);
    observer.observe(canvas);
  }
  return context;
}

function show(canvas, picture, isSmooth = true) {
  const context = sized(canvas);
  context.imageSmoothingEnabled = isSmooth;
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return context;
}

// A picture that takes long is painted again only for other values, other colours or another size.
const painted = new WeakMap();
function isNew(canvas, values, name) {
  const before = painted.get(canvas), size = canvas.clientWidth;
  if (before && before[0] === values && before[1] === name && before[2] === size) return false;
  painted.set(canvas, [values, name, size]);
  return values !== null;
}

export function paint(root, state) {
  if (!state.frame) return;
  for (const canvas of root.querySelectorAll("canvas[data-unit]")) paintUnit(canvas,
    canvas.dataset.of === "other" ? otherState(state) : state);
  for (const canvas of root.querySelectorAll("canvas[data-screen]")) {
    const screen = screenOf(state, canvas.dataset.screen);
    if (screen) paintScreen(canvas, screen, state.theme);
  }
  for (const canvas of root.querySelectorAll("canvas[data-land]")) if (isNew(canvas, state.landscape,
    state.theme)) paintLand(canvas, state.landscape, state.theme);
  for (const canvas of root.querySelectorAll("canvas[data-pad]")) paintPixels(canvas, state);
}

// The loss over a plane, in bands of equal ratio: their borders are the contour lines.
const BANDS = 22, FINE = 220;
function paintLand(canvas, { losses, alphas, betas }, name) {
  const { low: deep, middle, ink } = theme(name), rows = alphas.length, columns = betas.length, finite = losses.filter(Number.isFinite);
  const least = finite.reduce((a, b) => Math.min(a, b), Infinity),
    most = finite.reduce((a, b) => Math.max(a, b), -Infinity), isLog = least > 0 && most > 1.01 * least;
  const scale = (v) => (isLog ? Math.log(v / least) / Math.log(most / least) : (v - least) / (most - least || 1));
  const level = (i, j) => { const v = losses[Math.min(i, rows - 1) * columns + Math.min(j, columns - 1)];
    return Number.isFinite(v) ? scale(v) : 1; };
  const bands = new Uint8Array(FINE * FINE);
  for (let k = 0; k < FINE * FINE; k++) { // first axis to the right, second one up
    const a = ((k % FINE) / (FINE - 1)) * (rows - 1),
      b = ((FINE - 1 - Math.floor(k / FINE)) / (FINE - 1)) * (columns - 1), i = Math.floor(a), j = Math.floor(b), s = a - i, t = b - j;
    bands[k] = Math.min(Math.floor(BANDS * ((1 - s) * ((1 - t) * level(i, j) + t * level(i,
      j + 1)) + s * ((1 - t) * level(i + 1, j) + t * level(i + 1, j + 1)))), BANDS - 1);
  }
  const colours = Array.from({ length: BANDS }, (_, k) => { const t = 0.95 * (1 - k / (BANDS - 1));
    return middle.map((m, c) => m + (deep[c] - m) * t); });
  const line = ink === "#1b1e23" ? [255, 255, 255] : [16, 18, 20];
  const isBelow = (k) => k + FINE < FINE * FINE && bands[k] !== bands[k + FINE];
  show(canvas, fill(FINE, (k) => {
    const isLine = (k + 1) % FINE && (bands[k] !== bands[k + 1] || isBelow(k)), colour = colours[bands[k]];
    return isLine ? mix(colour, line, 0.45) : pixel(colour.map(Math.round));
  }));
}

function paintUnit(canvas, state) {
  const [layer, unit] = canvas.dataset.unit.split(",").map(Number);
  if (state.network.is_image) { paintOfImage(canvas, state, layer, unit); return; }
  const { network, frame } = state, last = network.hidden.length + 1;
  if (layer === last) { show(canvas, outputPicture(screenOf(state, "own"), state.theme, unit)); return; }
  const maps = layer === 0 ? network.input_maps : frame.maps.units[layer - 1];
  if (!maps) return;
  const side = network.unit_side, all = maps, table = diverging(state.theme), from = unit * side * side;
  show(canvas, fill(side, (k) => table[all[from + k]]));
}

// Of images: the pixels, the weights of the first layer as pictures, and the activations of the other units.
function paintOfImage(canvas, state, layer, unit) {
  const { network, frame, data } = state, table = diverging(state.theme);
  if (layer === 0) { paintPixels(canvas, state); return; }
  if (layer === 1 && network.hidden.length) { show(canvas, weightsOf(state, unit), false); return; }
  const isOutput = layer === network.hidden.length + 1, values = isOutput ? frame.activations.output : frame.activations.units[layer - 1];
  const largest = isOutput ? 1 : Math.max(...values.map(Math.abs), 1e-9);
  show(canvas, fill(1, () => table[Math.round(128 + (127 * values[unit]) / largest)]), false);
}
function weightsOf({ frame, data, theme: name }, unit) { // of the first layer, as a picture
  const { data: all, shape: [, columns] } = frame.weights.W1, size = data.image_side ** 2, table = diverging(name);
  let largest = 1e-9;
  for (let k = 0; k < size; k++) largest = Math.max(largest, Math.abs(all[k * columns + unit]));
  return fill(data.image_side, (k) => table[Math.round(128 + (127 * all[k * columns + unit]) / largest)]);
}
// For pictures that are not on the page, on a canvas of their size: the prediction, or the weights of the first layer.
export function predictionOn(canvas, screen, name) {
  sizes.set(canvas, canvas.getContext("2d"));
  paintScreen(canvas, screen, name);
}
export function weightsOn(canvas, state) {
  const { shape: [, units] } = state.frame.weights.W1, columns = Math.ceil(Math.sqrt(units)), context = canvas.getContext("2d");
  const size = Math.floor(canvas.width / columns);
  context.imageSmoothingEnabled = false;
  for (let unit = 0; unit < units; unit++) {
    context.drawImage(weightsOf(state, unit), (unit % columns) * size, Math.floor(unit / columns) * size, size - 3, size - 3);
  }
}
function paintPixels(canvas, state) {
  const { pixels } = state.frame.activations, paper = theme(state.theme).middle,
    ink = state.theme === "light" ? [27, 30, 35] : [236, 238, 240];
  const context = show(canvas, fill(state.data.image_side, (k) => mix(paper, ink, pixels[k])), false), { cursor } = state, { width } = canvas;
  if (cursor && canvas.dataset.pad) drawCross(context, cursor[0] * width, cursor[1] * width, width / 28, css(theme(state.theme).low), css(theme(state.theme).middle));
}

// The prediction: one output as blue to orange, or the most probable of several classes, deeper if more probable.
function outputPicture({ data, outputs: names, side, map: all }, name, only) {
  const size = side * side, outputs = names.length, table = only === undefined ? pale(name) : diverging(name);
  if (outputs === 1) return fill(side, (k) => table[all[k]]);
  if (only !== undefined && outputs > 2) {
    const middle = theme(name).middle, colour = classColour(name, only, outputs);
    return fill(side, (k) => mix(middle, colour, all[only * size + k] / 255));
  }
  if (outputs === 2) return fill(side, (k) => table[only === 0 ? 255 - all[k] : all[size + k]]);
  const middle = theme(name).middle;
  const colours = Array.from({ length: outputs }, (_, k) => classColour(name, k, data.classes.length));
  return fill(side, (k) => {
    let best = 0;
    for (let c = 1; c < outputs; c++) if (all[c * size + k] > all[best * size + k]) best = c;
    return mix(middle, colours[best], Math.max(0, (all[best * size + k] / 255 - 1 / outputs) / (1 - 1 / outputs)) * 0.5 + 0.06);
  });
}
const mix = (a, b, t) => pixel([a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t]);

export const placeOf = (data, k) => {
  const at = data.points, x = at[2 * k], y = at[2 * k + 1];
  return [(x - data.low[0]) / (data.high[0] - data.low[0]), (data.high[1] - y) / (data.high[1] - data.low[1])];
};

function paintScreen(canvas, screen, name) {
  const context = show(canvas, outputPicture(screen, name)), { data, row } = screen, size = canvas.width;
  const radius = Math.max(2.2, Math.min(4.6, 70 / Math.sqrt(data.rows))) * (size / 320);
  const { rim, ink, edge } = theme(name), outline = data.classes.length ? "" : edge; // colours of numbers can be pale
  for (let k = data.rows - 1; k >= 0; k--) {
    const isTraining = k < data.training;
    if (!isTraining && !screen.showValidation) continue;
    const [x, y] = placeOf(data, k);
    drawPoint(context, x * size, y * size, radius, pointColour(data, k, name), rim, isTraining,
      data.classes.length > 2 ? data.targets[k] % 3 : 0, outline);
  }
  if (Number.isInteger(row)) {
    const [x, y] = placeOf(data, row);
    context.beginPath();
    context.arc(x * size, y * size, radius * 2.1, 0, 7);
    context.lineWidth = radius * 0.55;
    context.strokeStyle = ink;
    context.stroke();
  }
  if (screen.cursor) drawCross(context, screen.cursor[0] * size, screen.cursor[1] * size, size / 28, ink, rim);
}

function drawCross(context, x, y, length, ink, rim) {
  context.beginPath();
  for (const [across, down] of [[length, 0], [0, length]]) {
    context.moveTo(x - across, y - down);
    context.lineTo(x + across, y + down);
  }
  for (const [width, colour] of [[length / 2, rim], [length / 5, ink]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

function pointColour({ targets, classes, target_range: [low, high] }, k, name) {
  const target = targets[k];
  if (classes.length) return css(classColour(name, target, classes.length));
  return cssOf(diverging(name)[Math.max(0, Math.min(255, Math.round((255 * (target - low)) / (high - low || 1))))]);
}

function drawPoint(context, x, y, radius, colour, rim, isFilled, shape, outline) {
  context.beginPath();
  if (shape === 1) context.rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8);
  else if (shape === 2) {
    context.moveTo(x, y - radius * 1.2);
    context.lineTo(x + radius * 1.1, y + radius * 0.8);
    context.lineTo(x - radius * 1.1, y + radius * 0.8);
    context.closePath();
  }
  else context.arc(x, y, radius, 0, 7);
  context.fillStyle = isFilled ? colour : rim;
  context.fill();
  const stroke = (width, style) => { context.lineWidth = radius * width; context.strokeStyle = style; context.stroke(); };
  if (outline) stroke(isFilled ? 0.25 : 0.85, outline);
  if (!outline || !isFilled) stroke(isFilled ? 0.35 : 0.55, isFilled ? rim : colour);
}
