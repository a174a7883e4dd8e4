// Array operations for the translated checks of the doctor, with the names and the rules of NumPy.  `arrays.js` has the
// others.  Keyword arguments are passed as one object, which is the last argument.
import * as base from "./arrays.js";
import { split } from "./python.js";
import { Generator } from "./random.js";

const { isArray, ndarray } = base;
export const inf = Infinity, pi = Math.PI, nan = NaN;
export const float64 = { name: "float64", kind: "f" }, float32 = { name: "float32", kind: "f" };
export const int64 = { name: "int64", kind: "i" }, uint64 = { name: "uint64", kind: "u" }, bool_ = { name: "bool", kind: "b" };
export const dtypeOf = (a) => (a.data instanceof Uint8Array ? bool_ : a.kind ?? float64);

// -- making arrays ---------------------------------------------------------------------------------

const listed = (value) => (isArray(value) ? base.tolist(value) : Array.isArray(value) ? value.map(listed) : value);
export function array(value, ...rest) {
  const [, { dtype }] = split(rest);
  const found = isArray(value) || !value?.[Symbol.iterator] ? value : base.array(listed([...value]));
  return dtype ? methods.astype(found, dtype) : found;
}
export const asarray = array;
export const ascontiguousarray = array;
export const zeros = (shape) => base.full([shape].flat(), 0);
export const zeros_like = (a) => base.zeros_like(a);
export const arange = (...ends) => ndarray([base.range(...ends).length], Float64Array.from(base.range(...ends)));
export const linspace = (from, to, count) => ndarray([count], Float64Array.from({ length: count }, (_, k) => (k === count - 1 ? to : from + (k * (to - from)) / (count - 1))));
export const geomspace = (from, to, count) => base.exp(linspace(Math.log(from), Math.log(to), count));
export function concatenate(arrays, ...rest) {
  const list = [...arrays].map((one) => array(one)), [, { axis = 0 }] = split(rest);
  if (axis === 1) return base.hstack(list);
  const data = list.flatMap((one) => Array.from(one.data)), isFlags = list.every((one) => one.data instanceof Uint8Array);
  return ndarray([list.reduce((n, one) => n + one.shape[0], 0), ...list[0].shape.slice(1)], isFlags ? Uint8Array.from(data) : Float64Array.from(data));
}
export const column_stack = (arrays) => base.hstack([...arrays].map((one) => base.positive(array(one))));

// -- entry by entry --------------------------------------------------------------------------------

const each = (f) => (...args) => f(...args.map((one) => (Array.isArray(one) ? array(one) : one)));
export const abs = each(base.abs), sqrt = each(base.sqrt), log = each(base.log), log1p = each(base.log1p), exp = each(base.exp);
export const expm1 = each(base.expm1), log10 = each(base.log10), sign = each(base.sign), floor = each(base.floor);
export const isfinite = each(base.isfinite), maximum = each(base.maximum), minimum = each(base.minimum), where = each(base.where);
export const square = (a, ...rest) => base.square(split([a, ...rest])[0][0]);
export const shape = (a) => base.shape(array(a)), ravel = (a) => ndarray([base.size(a)], isArray(a) ? a.data : Float64Array.of(a));
export function round(a, digits = 0) {
  return digits ? base.divide(base.round(base.multiply(a, 10 ** digits)), 10 ** digits) : base.round(a);
}
export function matmul(a, b) { return base.matmul(a, b); }
export function allclose(a, b, ...rest) {
  const [, { rtol = 1e-5, atol = 1e-8 }] = split(rest);
  return base.truth(base.all(base.less_equal(base.abs(base.subtract(a, b)), base.add(atol, base.multiply(rtol, base.abs(b))))));
}

// -- along an axis ---------------------------------------------------------------------------------

function reduction(f, combined = Math.max) {
  return (value, ...rest) => {
    const [[place], { axis = place, keepdims = false, initial }] = split(rest);
    const a = isArray(value) || typeof value !== "object" ? value : array(value);
    if (initial !== undefined && base.size(a) === 0) return initial;
    if (!isArray(a)) return f(ndarray([1], Float64Array.of(a)), {});
    const along = axis === undefined || axis === null ? { keepdims } : { axis, keepdims };
    const found = f(a, along);
    return initial === undefined || isArray(found) ? found : combined(found, initial);
  };
}
const ofLanes = (f) => (a, { axis }) => {
  if (axis === undefined || a.shape.length === 1) return f(Array.from(a.data));
  const turned = axis === 0 ? base.transpose(a) : a, [lanes, length] = turned.shape;
  return ndarray([lanes], Float64Array.from({ length: lanes }, (_, k) => f(Array.from(turned.data.slice(k * length, (k + 1) * length)))));
};
const middle = (lane) => {
  const ordered = [...lane].sort((x, y) => x - y), half = ordered.length >> 1;
  return lane.some(Number.isNaN) ? NaN : ordered.length % 2 ? ordered[half] : (ordered[half - 1] + ordered[half]) / 2;
};
export const sum = reduction(base.sum), mean = reduction(base.mean), std = reduction(base.std), variance = reduction(base.variance);
export const max = reduction(base.max), min = reduction(base.min, Math.min), argmax = reduction(base.argmax), argmin = reduction(base.argmin);
export const any = reduction(base.any), all = reduction(base.all), count_nonzero = reduction(base.count_nonzero);
export const ptp = reduction((a, along) => base.subtract(base.max(a, along), base.min(a, along)));
export const median = reduction(ofLanes(middle));
export const cumsum = (a) => { let total = 0; return ndarray(a.shape, Float64Array.from(a.data, (x) => (total += x))); };
export const diff = (a) => (a.shape[0] < 2 ? zeros(0) : base.subtract(base.take(a, base.range(1, a.shape[0])), base.take(a, base.range(a.shape[0] - 1))));
export function average(a, ...rest) {
  const [, { axis, weights = null }] = split(rest);
  if (weights === null) return base.mean(a, axis === undefined ? {} : { axis });
  return base.divide(base.sum(base.multiply(a, base.as_column(weights)), { axis }), base.sum(weights));
}

// -- order -----------------------------------------------------------------------------------------

const byValue = (data) => (i, j) => (data[i] < data[j] ? -1 : data[i] > data[j] ? 1 : Number.isNaN(data[i]) - Number.isNaN(data[j]) || i - j);
const places = (lane) => base.range(lane.length).sort(byValue(lane));
export function argsort(a, ...rest) {
  const [, { axis }] = split(rest);
  if (a.shape.length === 1) return ndarray(a.shape, Float64Array.from(places(a.data)));
  if (axis === 0) return base.transpose(argsort(base.transpose(a)));
  const [rows, columns] = a.shape;
  return ndarray(a.shape, Float64Array.from(base.range(rows).flatMap((k) => places(a.data.slice(k * columns, (k + 1) * columns)))));
}
export const argpartition = (a, k, ...rest) => argsort(a, ...rest);
export const sort = (a) => base.take(array(a), places(array(a).data));
export function unique(value, ...rest) {
  const [, { return_inverse: inverse, return_counts: counts, axis }] = split(rest);
  const data = axis === 0 ? numbered(base.tolist(value)) : array(value).data;
  const order = places(data), found = [], back = new Float64Array(data.length), numbers = [];
  for (const k of order) {
    if (!found.length || data[k] !== found.at(-1)) { found.push(data[k]); numbers.push(0); }
    back[k] = found.length - 1;
    numbers[numbers.length - 1] += 1;
  }
  const vector = (list) => ndarray([list.length], typeof list[0] === "string" ? list : Float64Array.from(list));
  const results = [vector(found), ...(inverse ? [ndarray([back.length], back)] : []), ...(counts ? [vector(numbers)] : [])];
  return results.length > 1 ? results : results[0];
}
/** Return a number for each row; equal rows have equal numbers. */
function numbered(rows) {
  const known = new Map();
  return rows.map((row) => { const key = row.join(); if (!known.has(key)) known.set(key, known.size); return known.get(key); });
}
export function bincount(a, ...rest) {
  const [, { weights = null, minlength = 0 }] = split(rest), { data } = array(a);
  const found = new Float64Array(Math.max(minlength, data.reduce((most, k) => Math.max(most, k + 1), 0)));
  data.forEach((label, k) => { found[label] += weights === null ? 1 : weights.data[k]; });
  return ndarray([found.length], found);
}
export const flatnonzero = (a) => { const found = base.range(base.size(a)).filter((k) => a.data[k]); return ndarray([found.length], Float64Array.from(found)); };
export const take_along_axis = (a, order) => ndarray(order.shape, order.data.map((j, k) => a.data[Math.floor(k / order.shape[1]) * a.shape[1] + j]));
export const searchsorted = (a, value) => a.data.findIndex((one) => one >= value);
export function unravel_index(k, shape) {
  return shape.length === 1 ? [k] : [Math.floor(k / shape[1]), k % shape[1]];
}
function without(a, chosen, ...rest) {
  const [[place], { axis = place }] = split(rest), left = new Set(isArray(chosen) ? chosen.data : [chosen].flat());
  const kept = base.range(axis === 1 ? a.shape[1] : a.shape[0]).filter((k) => !left.has(k));
  return axis === 1 ? base.transpose(base.take(base.transpose(a), kept)) : base.take(a, kept);
}
export { without as delete_ };
export const fill_diagonal = (a, value) => { for (let k = 0; k < a.shape[0]; k += 1) a.data[k * a.shape[1] + k] = value; };
export const add = {
  /** Add to entries, to some of them several times. */
  at(a, [rows, columns], value) {
    const [i, j] = [rows, columns].map((one) => array(one)), width = a.shape[1], wide = j.shape[1] ?? 1;
    j.data.forEach((column, k) => { a.data[i.data[Math.floor(k / wide)] * width + column] += value; });
  },
};

// -- linear algebra, statistics, random numbers -------------------------------------------------------

export function corrcoef(a, b) {
  const [x, y] = [a, b].map((one) => base.subtract(one, base.mean(one)));
  const c = base.matmul(x, y) / Math.sqrt(base.matmul(x, x) * base.matmul(y, y));
  const found = Math.min(Math.max(c, -1), 1);
  return base.array([[1, found], [found, 1]]);
}
export const linalg = {
  norm: (a) => Math.sqrt(base.sum(base.square(a))),
  /** The left singular vectors and the singular values, largest first, by rotations of pairs of columns (Hestenes 1958). */
  svd(a) {
    const [, width] = a.shape, columns = base.range(width).map((j) => Array.from(base.column(a, j).data));
    const product = (x, y) => x.reduce((total, value, k) => total + value * y[k], 0);
    for (let sweep = 0, isDone = false; sweep < 60 && !isDone; sweep += 1) {
      isDone = true;
      for (let p = 0; p < width - 1; p += 1) for (let q = p + 1; q < width; q += 1) {
        const [x, y] = [columns[p], columns[q]], [alpha, beta, gamma] = [product(x, x), product(y, y), product(x, y)];
        if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta) || gamma === 0) continue;
        isDone = false;
        const zeta = (beta - alpha) / (2 * gamma), t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t), s = c * t;
        x.forEach((value, k) => { const other = y[k]; x[k] = c * value - s * other; y[k] = s * value + c * other; });
      }
    }
    const sizes = columns.map((x) => Math.sqrt(product(x, x))), order = base.range(width).sort((i, j) => sizes[j] - sizes[i]);
    const vectors = order.map((j) => columns[j].map((value) => value / (sizes[j] || 1)));
    return [base.transpose(base.array(vectors)), base.array(order.map((j) => sizes[j])), null];
  },
};
export const random = { default_rng: (seed) => new Generator(seed) };

// -- methods -----------------------------------------------------------------------------------------

export const methods = {
  sum, mean, std, var: variance, max, min, argmax, argmin, any, all, argsort, ravel, copy: (a) => base.positive(a),
  astype(a, kind) {
    if (kind === int64 || kind === uint64) return base.trunc(base.positive(a));
    return kind === bool_ ? base.not_equal(a, 0) : base.positive(a);
  },
  reshape: (a, ...lengths) => base.reshape(a, ...lengths), tolist: (a) => base.tolist(a),
};
