// Array operations with the names and the rules of NumPy, for arrays of one or two axes.
//
// An array is a plain object { shape, data }: `shape` is [columns] or [rows, columns], and `data` holds the entries
// row by row: a Float64Array for numbers, a Uint8Array for booleans, a list for text.  A JavaScript number stands for
// an array without axes.  No function changes its arguments.  All are function declarations, so that this file can
// stand at the end of a module that uses it.

/**
 * @typedef {{ shape: number[], data: Float64Array | Uint8Array | Array }} NDArray
 * @typedef {NDArray | number | boolean} Value  an array, or a number
 * @typedef {{ axis?: number | null, keepdims?: boolean }} Along  the axis along which a function reduces an array
 */

// -- making arrays -------------------------------------------------------------------------------

/** Return an array with this shape and these entries. @returns {NDArray} */
export function ndarray(shape, data) {
  return { shape, data };
}

/** Whether a value is an array of this file. */
export function isArray(value) {
  return value !== null && typeof value === "object" && Array.isArray(value.shape) && "data" in value;
}

/**
 * Return an array of nested lists, as `np.array` does; an array is returned as it is.
 * @param {NDArray | number[] | number[][] | string[]} values  one list, or a list of rows of equal lengths
 * @returns {NDArray}
 */
export function array(values) {
  if (isArray(values)) return values;
  if (ArrayBuffer.isView(values)) return ndarray([values.length], Float64Array.from(values));
  if (!Array.isArray(values)) throw new TypeError(`expected an array or nested lists, but got ${typeof values}`);
  const isTable = values.length > 0 && (Array.isArray(values[0]) || ArrayBuffer.isView(values[0]));
  if (!isTable) return ndarray([values.length], entries(values));
  const columns = values[0].length;
  for (const [place, row] of values.entries()) {
    if (row.length !== columns) throw new RangeError(`row ${place} has ${row.length} columns; the first has ${columns}`);
  }
  return ndarray([values.length, columns], entries(values.map((row) => Array.from(row)).flat()));
}

/** Return a list as the data of an array: numbers, booleans, or text. */
function entries(list) {
  if (list.some((value) => typeof value === "string" || typeof value === "bigint")) return list;
  if (list.length > 0 && list.every((value) => typeof value === "boolean")) return Uint8Array.from(list);
  for (const value of list) {
    if (typeof value !== "number" && typeof value !== "boolean") {
      throw new TypeError(`expected numbers, but got ${value === null ? "null" : typeof value}`);
    }
  }
  return Float64Array.from(list);
}

/** Return an array from the base64 text of its entries: float64, least significant byte first. */
export function from_base64(shape, text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return ndarray(shape, Float64Array.from({ length: bytes.length / 8 }, (_, place) => view.getFloat64(8 * place, true)));
}

/** Return the entries as nested lists. A number is returned as it is. */
export function tolist(a) {
  if (!isArray(a)) return a;
  const list = a.data instanceof Uint8Array ? Array.from(a.data, Boolean) : Array.from(a.data);
  if (a.shape.length === 1) return list;
  const columns = a.shape[1];
  return Array.from({ length: a.shape[0] }, (_, row) => list.slice(row * columns, (row + 1) * columns));
}

/** Return an array filled with one number. */
export function full(shape, value) {
  return ndarray(shape, new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(value));
}

export function zeros_like(a) {
  return isArray(a) ? full(a.shape, 0) : 0;
}

export function ones_like(a) {
  return isArray(a) ? full(a.shape, 1) : 1;
}

export function full_like(a, value) {
  return isArray(a) ? full(a.shape, value) : value;
}

/** Return random numbers from 0 to 1, without 1; `random` returns one of them. */
export function uniform(shape, random) {
  return ndarray(shape, full(shape, 0).data.map(() => random()));
}

/** Return the numbers from 0 to n - 1 in random order (Fisher & Yates). */
export function permutation(n, random) {
  const order = range(n);
  for (let last = n - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** Return whole numbers as a list, as Python's `range` does. */
export function range(start, stop, step = 1) {
  const [first, end] = stop === undefined ? [0, start] : [start, stop];
  return Array.from({ length: Math.max(Math.ceil((end - first) / step), 0) }, (_, place) => first + place * step);
}

// -- shapes --------------------------------------------------------------------------------------

export function shape(a) {
  return isArray(a) ? a.shape : [];
}

export function size(a) {
  return isArray(a) ? a.data.length : 1;
}

/** The number of rows, as Python's `len`. */
export function len(a) {
  return isArray(a) ? a.shape[0] : a.length;
}

/** Return the array with its two axes exchanged. */
export function transpose(a) {
  if (shape(a).length < 2) return a;
  const [rows, columns] = a.shape;
  const data = a.data.slice();
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) data[j * rows + i] = a.data[i * columns + j];
  }
  return ndarray([columns, rows], data);
}

/** Return the array with another shape; one length may be -1. */
export function reshape(a, ...lengths) {
  const wanted = Array.isArray(lengths[0]) ? lengths[0] : lengths;
  const known = wanted.reduce((product, length) => (length === -1 ? product : product * length), 1);
  const whole = wanted.map((length) => (length === -1 ? size(a) / known : length));
  if (whole.length > 2 || whole.reduce((x, y) => x * y, 1) !== size(a)) {
    throw new RangeError(`an array of shape (${shape(a)}) cannot have the shape (${whole})`);
  }
  return ndarray(whole, isArray(a) ? a.data : Float64Array.of(a));
}

/** Return a[place]: an entry of a list or of an array with one axis, or a row of an array with two. */
export function item(a, place) {
  if (!isArray(a)) return a[place < 0 ? a.length + place : place];
  const index = place < 0 ? a.shape[0] + place : place;
  if (!(index >= 0 && index < a.shape[0])) throw new RangeError(`there is no index ${place} in shape (${a.shape})`);
  return a.shape.length === 1 ? a.data[index] : ndarray([a.shape[1]], take(a, [index]).data);
}

/** Return a[:, place]: one column. */
export function column(a, place) {
  return item(transpose(a), place);
}

/** Return a[:, None]: an array with one axis as one column. */
export function as_column(a) {
  return ndarray([...shape(a), 1], a.data);
}

/** Return the rows at these places: `a[places]`. */
export function take(a, places) {
  const rows = isArray(places) ? places.data : places;
  const width = a.shape.length === 1 ? 1 : a.shape[1];
  const data = Array.isArray(a.data) ? new Array(rows.length * width) : new a.data.constructor(rows.length * width);
  rows.forEach((row, place) => {
    for (let j = 0; j < width; j += 1) data[place * width + j] = a.data[row * width + j];
  });
  return ndarray([rows.length, ...a.shape.slice(1)], data);
}

/** Join arrays side by side. */
export function hstack(arrays) {
  const columns = arrays.map((a) => (a.shape.length === 1 ? as_column(a) : a));
  const rows = columns[0].shape[0];
  const widths = columns.map((a) => a.shape[1]);
  const data = [];
  for (let i = 0; i < rows; i += 1) {
    columns.forEach((a, which) => data.push(...a.data.slice(i * widths[which], (i + 1) * widths[which])));
  }
  return ndarray([rows, total(widths)], Float64Array.from(data));
}

// -- functions of each entry ---------------------------------------------------------------------

/** The shape of the result of two operands: lengths must agree, and a length of 1 is repeated. */
function broadcast(one, other) {
  const axes = Math.max(one.length, other.length);
  return Array.from({ length: axes }, (_, axis) => {
    const a = one[one.length - axes + axis] ?? 1;
    const b = other[other.length - axes + axis] ?? 1;
    if (a !== b && a !== 1 && b !== 1) throw new RangeError(`the shapes (${one}) and (${other}) do not fit together`);
    return a === 1 ? b : a;
  });
}

/** How to find an operand's entry for a row and a column: a length of 1 is not stepped through. */
function steps(a) {
  if (!isArray(a)) return { data: [a], down: 0, right: 0 };
  const [rows, columns] = a.shape.length === 2 ? a.shape : [1, a.shape[0]];
  return { data: a.data, down: rows === 1 ? 0 : columns, right: columns === 1 ? 0 : 1 };
}

/** Apply a function of up to three numbers to each entry; `Kind` is the class of the result's data. */
function each(f, Kind, a, b = 0, c = 0) {
  if (!isArray(a) && !isArray(b) && !isArray(c)) {
    const value = f(a, b, c);
    return Kind === Uint8Array ? Boolean(value) : value;
  }
  if (isArray(a) && !isArray(b) && !isArray(c)) return eachOfOne(f, Kind, a, b, c);
  if (isArray(a) && isArray(b) && !isArray(c) && `${a.shape}` === `${b.shape}`) return eachOfPairs(f, Kind, a, b, c);
  const whole = broadcast(broadcast(shape(a), shape(b)), shape(c));
  const [rows, columns] = whole.length === 2 ? whole : [1, whole[0]];
  const [first, second, third] = [steps(a), steps(b), steps(c)];
  const data = new Kind(rows * columns);
  for (let i = 0, place = 0; i < rows; i += 1) {
    let [one, two, three] = [i * first.down, i * second.down, i * third.down];
    for (let j = 0; j < columns; j += 1, place += 1) {
      data[place] = f(first.data[one], second.data[two], third.data[three]);
      one += first.right;
      two += second.right;
      three += third.right;
    }
  }
  return ndarray(whole, data);
}

/** The same for one array and numbers, without a search for entries. */
function eachOfOne(f, Kind, a, b, c) {
  const { length } = a.data;
  const data = new Kind(length);
  for (let place = 0; place < length; place += 1) data[place] = f(a.data[place], b, c);
  return ndarray(a.shape, data);
}

/** The same for two arrays of one shape. */
function eachOfPairs(f, Kind, a, b, c) {
  const { length } = a.data;
  const data = new Kind(length);
  for (let place = 0; place < length; place += 1) data[place] = f(a.data[place], b.data[place], c);
  return ndarray(a.shape, data);
}

function numbers(f, a, b, c) {
  return each(f, Float64Array, a, b, c);
}

function booleans(f, a, b) {
  return each(f, Uint8Array, a, b);
}

/** Whether a value is a boolean, or an array of booleans. */
function isBoolean(a) {
  return typeof a === "boolean" || (isArray(a) && a.data instanceof Uint8Array);
}

/** A sum or product of booleans is a boolean in NumPy, but not if both are Python's own. */
function areBoolean(a, b) {
  return isBoolean(a) && isBoolean(b) && (isArray(a) || isArray(b));
}

export function add(a, b) {
  return areBoolean(a, b) ? logical_or(a, b) : numbers((x, y) => x + y, a, b);
}

export function subtract(a, b) {
  if (areBoolean(a, b)) throw new TypeError("NumPy does not subtract booleans from each other");
  return numbers((x, y) => x - y, a, b);
}

export function multiply(a, b) {
  return areBoolean(a, b) ? logical_and(a, b) : numbers((x, y) => x * y, a, b);
}

export function divide(a, b) {
  return numbers((x, y) => x / y, a, b);
}

/** The quotient, rounded down; its sign is kept where it is 0. */
export function floor_divide(a, b) {
  return numbers((x, y) => (y === 0 ? x / y : quotientAndRest(x, y)[0]), a, b);
}

/** The rest of a division, with the sign of the divisor. */
export function remainder(a, b) {
  return numbers((x, y) => quotientAndRest(x, y)[1], a, b);
}

function quotientAndRest(x, y) {
  const rest = x % y;
  const quotient = (x - rest) / y;
  if (rest !== 0 && rest < 0 !== y < 0) return [Math.round(quotient - 1), rest + y];
  return [quotient === 0 ? 0 * (x / y) : Math.round(quotient), rest === 0 ? (y < 0 ? -0 : 0) : rest];
}

export function power(a, b) {
  if (b === 2) return numbers((x) => x * x, a);
  if (b === 0.5) return sqrt(a);
  return numbers(powerOf, a, b);
}

/** As in C and NumPy, 1 to any power is 1, and so is -1 to an infinite one; JavaScript gives NaN. */
function powerOf(x, y) {
  return x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y;
}

export function negative(a) {
  if (isArray(a) && isBoolean(a)) throw new TypeError("NumPy does not negate booleans with a minus sign");
  return numbers((x) => -x, a);
}

export function positive(a) {
  return numbers((x) => +x, a);
}

export function maximum(a, b) {
  return numbers((x, y) => Math.max(x, y), a, b);
}

export function minimum(a, b) {
  return numbers((x, y) => Math.min(x, y), a, b);
}

export function clip(a, smallest, largest) {
  return minimum(maximum(a, smallest), largest);
}

/** Take the entry of `a` where the condition holds, else that of `b`; NaN counts as true, as in Python. */
export function where(condition, a, b) {
  return numbers((holds, x, y) => (holds == 0 ? y : x), condition, a, b);
}

export function heaviside(a, atZero) {
  return numbers((x, h) => (x > 0 ? 1 : x < 0 ? 0 : x === 0 ? h : NaN), a, atZero);
}

export function logaddexp(a, b) {
  return numbers((x, y) => (x === y ? x + Math.LN2 : Math.max(x, y) + Math.log1p(Math.exp(-Math.abs(x - y)))), a, b);
}

export function hypot(a, b) {
  return numbers((x, y) => Math.hypot(x, y), a, b);
}

export function arctan2(a, b) {
  return numbers((x, y) => Math.atan2(x, y), a, b);
}

export function exp(a) {
  return numbers(Math.exp, a);
}

export function expm1(a) {
  return numbers(Math.expm1, a);
}

export function exp2(a) {
  return numbers((x) => 2 ** x, a);
}

export function log(a) {
  return numbers(Math.log, a);
}

export function log1p(a) {
  return numbers(Math.log1p, a);
}

export function log2(a) {
  return numbers(Math.log2, a);
}

export function log10(a) {
  return numbers(Math.log10, a);
}

export function sqrt(a) {
  return numbers(Math.sqrt, a);
}

export function cbrt(a) {
  return numbers(Math.cbrt, a);
}

export function square(a) {
  return power(a, 2);
}

export function reciprocal(a) {
  return numbers((x) => 1 / x, a);
}

export function abs(a) {
  return numbers(Math.abs, a);
}

export function sign(a) {
  return numbers(Math.sign, a);
}

export function floor(a) {
  return numbers(Math.floor, a);
}

export function ceil(a) {
  return numbers(Math.ceil, a);
}

export function trunc(a) {
  return numbers(Math.trunc, a);
}

/** Round to the nearest whole number, halves to the even one. */
export function round(a) {
  return numbers((x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)), a);
}

export function tanh(a) {
  return numbers(Math.tanh, a);
}

export function sinh(a) {
  return numbers(Math.sinh, a);
}

export function cosh(a) {
  return numbers(Math.cosh, a);
}

export function sin(a) {
  return numbers(Math.sin, a);
}

export function cos(a) {
  return numbers(Math.cos, a);
}

export function tan(a) {
  return numbers(Math.tan, a);
}

export function arcsin(a) {
  return numbers(Math.asin, a);
}

export function arccos(a) {
  return numbers(Math.acos, a);
}

export function arctan(a) {
  return numbers(Math.atan, a);
}

export function arcsinh(a) {
  return numbers(Math.asinh, a);
}

export function arccosh(a) {
  return numbers(Math.acosh, a);
}

export function arctanh(a) {
  return numbers(Math.atanh, a);
}

// -- comparisons ---------------------------------------------------------------------------------

export function greater(a, b) {
  return booleans((x, y) => x > y, a, b);
}

export function greater_equal(a, b) {
  return booleans((x, y) => x >= y, a, b);
}

export function less(a, b) {
  return booleans((x, y) => x < y, a, b);
}

export function less_equal(a, b) {
  return booleans((x, y) => x <= y, a, b);
}

/** Equality of numbers or text; a number never equals a text. */
export function equal(a, b) {
  return booleans((x, y) => (typeof x === "string" || typeof y === "string" ? x === y : x == y), a, b);
}

export function not_equal(a, b) {
  return logical_not(equal(a, b));
}

export function logical_and(a, b) {
  return booleans((x, y) => x != 0 && y != 0, a, b);
}

export function logical_or(a, b) {
  return booleans((x, y) => x != 0 || y != 0, a, b);
}

export function logical_not(a) {
  return booleans((x) => x == 0, a);
}

export function isnan(a) {
  return booleans((x) => Number.isNaN(x), a);
}

export function isfinite(a) {
  return booleans((x) => Number.isFinite(x), a);
}

export function isinf(a) {
  return booleans((x) => Math.abs(x) === Infinity, a);
}

/** Whether a condition of `if` holds; for an array of several entries there is no answer, as in NumPy. */
export function truth(a) {
  if (isArray(a) && a.data.length !== 1) throw new TypeError("the truth of an array with several entries is ambiguous");
  const value = isArray(a) ? a.data[0] : a;
  return typeof value === "number" ? value !== 0 : Boolean(value);
}

// -- sums and other reductions -------------------------------------------------------------------

/** Reduce all entries, or those of each column (axis 0) or row (axis 1), to one number. */
function reduce(f, a, { axis = null, keepdims = false } = {}, Kind = Float64Array) {
  if (!isArray(a)) return f([a]);
  const axes = a.shape.length;
  const along = axis !== null && axis < 0 ? axis + axes : axis;
  if (along !== null && !(along >= 0 && along < axes)) throw new RangeError(`there is no axis ${axis} in (${a.shape})`);
  if (along === null || axes === 1) {
    const value = f(a.data);
    return keepdims ? ndarray(a.shape.map(() => 1), Kind.of(value)) : value;
  }
  const [rows, columns] = a.shape;
  const data = new Kind(along === 0 ? columns : rows);
  const lane = along === 0 ? (j) => transposed.subarray(j * rows, (j + 1) * rows) : (i) => row(a, i);
  const transposed = along === 0 ? transpose(a).data : null;
  for (let place = 0; place < data.length; place += 1) data[place] = f(lane(place));
  return ndarray(keepdims ? (along === 0 ? [1, columns] : [rows, 1]) : [data.length], data);
}

function row(a, i) {
  return a.data.subarray(i * a.shape[1], (i + 1) * a.shape[1]);
}

/** Add numbers by halves, as NumPy does, so that the rounding errors of a long sum stay small. */
function sumOf(lane, start = 0, stop = lane.length) {
  if (stop - start > 128) {
    const middle = start + ((stop - start) >> 1);
    return sumOf(lane, start, middle) + sumOf(lane, middle, stop);
  }
  let result = 0;
  for (let place = start; place < stop; place += 1) result += lane[place];
  return result;
}

function meanOf(lane) {
  return sumOf(lane) / lane.length;
}

/** The mean squared deviation from the mean. */
function varianceOf(lane) {
  const mean = meanOf(lane);
  return meanOf(Float64Array.from(lane, (x) => (x - mean) * (x - mean)));
}

/** The place of the largest entry: the first one, or the first NaN. */
function placeOfMax(lane) {
  let best = 0;
  for (let place = 0; place < lane.length; place += 1) {
    if (Number.isNaN(lane[place])) return place;
    if (lane[place] > lane[best]) best = place;
  }
  return best;
}

/** The largest number, or NaN if one is NaN. */
function largest(lane) {
  if (lane.length === 0) throw new RangeError("there is no maximum of no entries");
  return lane[placeOfMax(lane)];
}

export function sum(a, along) {
  return reduce(sumOf, a, along);
}

export function mean(a, along) {
  return reduce(meanOf, a, along);
}

/** The variance, divided by the number of entries. */
export function variance(a, along) {
  return reduce(varianceOf, a, along);
}

export function std(a, along) {
  return sqrt(variance(a, along));
}

export function prod(a, along) {
  return reduce((lane) => lane.reduce((x, y) => x * y, 1), a, along);
}

export function max(a, along) {
  return reduce(largest, a, along);
}

export function min(a, along) {
  return negative(max(negative(positive(a)), along));
}

export function argmax(a, along) {
  return reduce(placeOfMax, a, along);
}

export function argmin(a, along) {
  return argmax(negative(positive(a)), along);
}

export function any(a, along) {
  return reduce((lane) => lane.some((x) => x != 0), a, along, Uint8Array);
}

export function all(a, along) {
  return reduce((lane) => lane.every((x) => x != 0), a, along, Uint8Array);
}

export function count_nonzero(a, along) {
  return reduce((lane) => lane.filter((x) => x != 0).length, a, along);
}

/** The sum of a list of numbers or arrays, as Python's `sum`. */
export function total(list) {
  return list.reduce(add, 0);
}

/** The matrix product: rows of `a` times columns of `b`. */
export function matmul(a, b) {
  if (!isArray(a) || !isArray(b)) throw new TypeError("a matrix product needs two arrays");
  const [rows, inner] = a.shape.length === 2 ? a.shape : [1, a.shape[0]];
  const [height, columns] = b.shape.length === 2 ? b.shape : [b.shape[0], 1];
  if (inner !== height) throw new RangeError(`the shapes (${a.shape}) and (${b.shape}) do not fit together in a product`);
  const [left, right] = [a.data, b.data];
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i += 1) {
    for (let k = 0; k < inner; k += 1) {
      const factor = left[i * inner + k];
      for (let j = 0; j < columns; j += 1) data[i * columns + j] += factor * right[k * columns + j];
    }
  }
  const whole = [...(a.shape.length === 2 ? [rows] : []), ...(b.shape.length === 2 ? [columns] : [])];
  return whole.length ? ndarray(whole, data) : data[0];
}
