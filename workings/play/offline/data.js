// The data of the playground in the browser: generated points with noise, and the inputs that the network gets.
import * as np from "./arrays.js";
import { catalogue } from "./formulas.js";
import { generated, padding, side, tables } from "./settings.js";
import { valueOf } from "./syntax.js";

/** A random generator whose state can be kept and restored (mulberry32). */
export class Random {
  constructor(seed) { this.state = (seed * 0x9e3779b1) >>> 0; }
  next = () => {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  random = (shape) => np.uniform(shape, this.next);
  /** Normal numbers, by the polar method of Marsaglia. */
  standard_normal = (shape) => {
    const found = np.full(shape, 0);
    for (let k = 0; k < found.data.length; k += 1) {
      let x, size;
      do {
        x = 2 * this.next() - 1;
        size = x * x + (2 * this.next() - 1) ** 2;
      } while (size >= 1 || size === 0);
      found.data[k] = x * Math.sqrt((-2 * Math.log(size)) / size);
    }
    return found;
  };
}

const decoded = new Map();
function floats(text) {
  if (!decoded.has(text)) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    decoded.set(text, new Float32Array(bytes.buffer));
  }
  return decoded.get(text);
}

const loaded = new Map();

/** Load the file of a data set, if it has one. */
export async function loadData(name) {
  const hasFile = Object.hasOwn(tables, name) || Object.hasOwn(generated, name);
  if (hasFile && !loaded.has(name)) loaded.set(name, (await import(`./data-${name}.js`)).set);
}

/** Return the names of all features of a data set. */
export const featuresOf = (name) => (Object.hasOwn(tables, name) ? loaded.get(name).columns : Object.keys(catalogue.features));

function tableOf(settings) {
  const { columns, classes, side: pixels, ...table } = loaded.get(settings.data), rows = table.y.length;
  const training = Math.max(rows - Math.round(rows * settings.held_out), Math.min(rows, 2));
  return {
    name: settings.data, words: table.words, columns, classes, training, rows, side: pixels, source: table.source,
    raw: np.ndarray([rows, columns.length], Float64Array.from(floats(table.raw), (v) => v / table.scale)), y: table.y,
      features: settings.features, offered: columns,
  };
}

/** Make the data set that the settings describe: rows of columns, and a target for each. */
export function makeData(settings) {
  if (Object.hasOwn(tables, settings.data)) return tableOf(settings);
  const kind = loaded.get(settings.data);
  const { raw, noise, y } = { raw: floats(kind.raw), noise: floats(kind.noise), y: kind.classes.length ? kind.y : floats(kind.y) };
  const yNoise = kind.yNoise ? floats(kind.yNoise) : null;
  const rows = Math.min(settings.rows, y.length);
  const chosen = np.permutation(y.length, new Random(settings.data_seed + 1).next).slice(0, rows);
  const points = chosen.map((row) => [0, 1].map((k) => raw[2 * row + k] + settings.noise * noise[2 * row + k]));
  const targets = chosen.map((row) => y[row] + (yNoise === null ? 0 : settings.noise * yNoise[row]));
  const training = Math.max(rows - Math.round(rows * settings.held_out), Math.min(rows, 2));
  return {
    name: settings.data, words: kind.words, columns: ["x1", "x2"], classes: kind.classes, training, rows,
    raw: np.array(points), y: targets, features: settings.features, offered: Object.keys(catalogue.features),
  };
}

/** Return the inputs of the network for rows of the data's columns, of shape (n, features). */
export function inputsOf(raw, features, names = ["x1", "x2"]) {
  if (names.join() !== "x1,x2") return np.transpose(np.array(features.map((name) => Array.from(np.column(raw, names.indexOf(name)).data))));
  const values = { x1: np.column(raw, 0), x2: np.column(raw, 1) };
  const columns = features.map((name) => valueOf(catalogue.features[name], values));
  return np.transpose(np.array(columns.map((column) => Array.from(column.data))));
}

/** Return the plane through the input space that shows all points: its ends, and the inputs at each of its points. */
export function planeOf(data, axes = [0, 1]) {
  const columns = axes.map((k) => np.column(data.raw, k));
  const ends = columns.map((column) => [np.min(column), np.max(column)]);
  const halves = ends.map(([low, high]) => (0.5 + padding) * Math.max(high - low, 1e-6));
  const isPlanar = data.columns.join() === "x1,x2", half = isPlanar ? halves.map(() => Math.max(...halves)) : halves;
  const middle = ends.map(([low, high]) => (low + high) / 2);
  const [low, high] = [middle.map((m, k) => m - half[k]), middle.map((m, k) => m + half[k])];
  const means = data.columns.map((_, k) => np.mean(np.column(data.raw, k)));
  const at = (from, to, k) => from + ((to - from) * k) / (side - 1);
  const grid = [];
  for (let row = 0; row < side; row += 1) {
    for (let k = 0; k < side; k += 1) {
      const place = [...means];
      [place[axes[0]], place[axes[1]]] = [at(low[0], high[0], k), at(high[1], low[1], row)];
      grid.push(place);
    }
  }
  return { low, high, inputs: inputsOf(np.array(grid), data.features, data.columns) };
}
