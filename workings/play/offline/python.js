// Python's rules for code that was translated from Python (see `translation.py`): operators, comparisons, indices,
// formats, and the methods of texts, lists and dicts.  A list and a tuple are an Array here, a dict is a Map, None is
// null; arrays are those of `arrays.js`.
import * as base from "./arrays.js";
import * as np from "./more-arrays.js";

const { isArray } = base;
const isMissing = (value) => value === null || value === undefined;

/** Arguments with names, at the end of a call. */
class Named { constructor(values) { Object.assign(this, values); } }
export const named = (values) => new Named(values);

export const in_order = (names, values) => names.map((name) => values[name]);

/** Return the arguments of a call in their order, and those with names. */
export function split(args) {
  return args.at(-1) instanceof Named ? [args.slice(0, -1), args.at(-1)] : [args, {}];
}

/** A dataclass or a named tuple: its fields, in their order. */
export class Record {
  static of(...args) {
    const [values, rest] = split(args), found = new this(), { fields, defaults } = this;
    fields.forEach((name, k) => {
      const given = values[k] !== undefined ? values[k] : rest[name];
      found[name] = given !== undefined ? given : defaults[name]?.() ?? null;
    });
    return found;
  }
  static defaults = {};
  *[Symbol.iterator]() { for (const name of this.constructor.fields) yield this[name]; }
  _replace(changes) { return replaced(this, changes); }
}

export function replaced(thing, changes) {
  if (typeof thing === "function") return thing.replaced(changes);
  const copy = Object.assign(Object.create(Object.getPrototypeOf(thing)), thing);
  for (const key of Object.keys(copy)) if (key.startsWith("remembered ")) delete copy[key];
  return Object.assign(copy, changes);
}
export const asdict = (thing) => new Map(fields(thing).map(({ name }) => [name, thing[name]]));
export const fields = (thing) => (thing.fields ?? thing.constructor.fields ?? Object.keys(thing)).map((name) => ({ name }));
export const is_dataclass = (thing) => Boolean(thing?.fields ?? thing?.constructor.fields);
export const callable = (thing) => typeof thing === "function";
export function remembered(thing, name, make) {
  const key = `remembered ${name}`;
  if (!(key in thing)) Object.defineProperty(thing, key, { value: make(), configurable: true });
  return thing[key];
}
export function once(make) {
  let found = null;
  return () => (found ??= [make()])[0];
}
export const bound = (thing, name) => (...args) => thing[name](...args);
export const partial = (f, ...args) => (...rest) => f(...args, ...rest);

// -- what is true, equal, the same -----------------------------------------------------------------

export function truth(value) {
  if (isMissing(value)) return false;
  if (isArray(value)) return base.truth(value);
  if (value instanceof Map || value instanceof Set) return value.size > 0;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" || typeof value === "function") return true;
  return Boolean(value) || Number.isNaN(value);
}
export const and = (one, other) => (truth(one) ? other() : one);
export const or = (one, other) => (truth(one) ? one : other());
export const same = (one, other) => one === other || (isMissing(one) && isMissing(other));
const isList = (value) => Array.isArray(value) || value instanceof Record;

function equalValues(one, other) {
  if (isList(one) && isList(other)) {
    const [a, b] = [[...one], [...other]];
    return a.length === b.length && a.every((value, k) => truth(equal(value, b[k])));
  }
  if (one && other && typeof one.equals === "function") return one.equals(other);
  return same(one, other);
}
export const equal = (one, other) => (isArray(one) || isArray(other) ? base.equal(one, other) : equalValues(one, other));
export const not_equal = (one, other) => (isArray(one) || isArray(other) ? base.not_equal(one, other) : !equalValues(one, other));
const compared = (f, plain) => (one, other) => (isArray(one) || isArray(other) ? f(one, other) : plain(one, other));
const before = (one, other) => { // lists are compared entry by entry
  if (!Array.isArray(one)) return one < other;
  const at = one.findIndex((value, k) => !equalValues(value, other[k]));
  return at >= 0 && before(one[at], other[at]);
};
export const less = compared(base.less, before);
export const less_equal = compared(base.less_equal, (one, other) => one <= other);
export const greater = compared(base.greater, (one, other) => before(other, one));
export const greater_equal = compared(base.greater_equal, (one, other) => one >= other);
export function contains(container, value) {
  if (container instanceof Map || container instanceof Set) return container.has(value);
  if (typeof container === "string") return container.includes(value);
  return [...iter(container)].some((one) => equalValues(one, value));
}

// -- operators ---------------------------------------------------------------------------------

const arithmetic = (f, plain) => (one, other) => (typeof one === "number" && typeof other === "number" ? plain(one, other) : f(one, other));
export function add(one, other) {
  if (typeof one === "string" || Array.isArray(one)) return one.concat(other);
  return arithmetic(base.add, (a, b) => a + b)(one, other);
}
export const subtract = arithmetic(base.subtract, (a, b) => a - b);
export const multiply = arithmetic(base.multiply, (a, b) => a * b);
export const divide = arithmetic(base.divide, (a, b) => a / b);
export const floor_divide = arithmetic(base.floor_divide, (a, b) => Math.floor(a / b));
export const remainder = base.remainder, power = base.power, matmul = np.matmul;
export const negative = (value) => (isArray(value) ? base.negative(value) : -value);
export const positive = base.positive;
const isFlag = (value) => typeof value === "boolean";
export function both(one, other) {
  if (one instanceof Set) return new Set([...one].filter((value) => other.has(value)));
  return isFlag(one) && isFlag(other) ? one && other : base.logical_and(one, other);
}
export const either = (one, other) => (one instanceof Map ? new Map([...one, ...other]) : one instanceof Set ? new Set([...one, ...other]) : isFlag(one) && isFlag(other) ? one || other : base.logical_or(one, other));
export const inverted = (value) => base.logical_not(value);

// -- indices --------------------------------------------------------------------------------------

class Slice { constructor(lower, upper, step) { Object.assign(this, { lower, upper, step }); } }
export const slice = (lower, upper, step) => new Slice(lower, upper, step);
class Places { constructor(list) { this.list = list; } }
export const places = (...list) => new Places(list);

/** Return the numbers of the entries that a slice means. */
function within({ lower, upper, step }, length) {
  const by = step ?? 1, end = (value, usual) => (isMissing(value) ? usual : value < 0 ? Math.max(length + value, by > 0 ? 0 : -1) : Math.min(value, by > 0 ? length : length - 1));
  const found = [];
  const [from, to] = by > 0 ? [end(lower, 0), end(upper, length)] : [end(lower, length - 1), end(upper, -1)];
  for (let k = from; by > 0 ? k < to : k > to; k += by) found.push(k);
  return found;
}
/** Return the numbers of the entries along an axis that an index means; a single number for a single entry. */
function along(index, length) {
  if (index instanceof Slice) return within(index, length);
  if (isArray(index)) return index.data instanceof Uint8Array ? base.range(length).filter((k) => index.data[k]) : Array.from(index.data, (k) => (k < 0 ? k + length : k));
  if (Array.isArray(index)) return index.map((k) => (k < 0 ? k + length : k));
  return index < 0 ? index + length : index;
}
export function item(owner, index) {
  if (owner instanceof Map) return owner.get(index);
  if (isArray(owner)) return index instanceof Places ? entries(owner, index.list) : rows(owner, index);
  if (typeof owner.get === "function") return owner.get(index);
  const list = owner instanceof Record ? [...owner] : owner;
  const found = along(index, list.length);
  if (!Array.isArray(found)) return list[found];
  return typeof list === "string" ? found.map((k) => list[k]).join("") : found.map((k) => list[k]);
}
function rows(a, index) {
  if (isArray(index) && index.shape.length === 2) { // an array of the shape of the index
    if (index.data instanceof Uint8Array) return base.ndarray([...pick(a.data, index.data)].length ? [pick(a.data, index.data).length] : [0], pick(a.data, index.data));
    return base.ndarray(index.shape, index.data.map((k) => a.data[k]));
  }
  if (index instanceof Places) return entries(a, index.list);
  if (Array.isArray(index) && a.shape.length === index.length && index.length === 2) return entries(a, index);
  const found = along(index, a.shape[0]);
  return Array.isArray(found) ? base.take(a, found) : base.item(a, found);
}
const pick = (data, mask) => data.filter((_, k) => mask[k]);
function entries(a, list) {
  const [first, second] = list;
  if (second === undefined) return rows(a, first);
  if (second === null && first instanceof Slice) return base.as_column(rows(a, first));
  const [down, right] = [along(first, a.shape[0]), along(second, a.shape[1])];
  const at = (i, j) => a.data[i * a.shape[1] + j], Kind = a.data.constructor;
  if (!Array.isArray(down) && !Array.isArray(right)) return at(down, right);
  if (!Array.isArray(right)) return base.ndarray([down.length], Kind.from(down, (i) => at(i, right)));
  if (!Array.isArray(down)) return base.ndarray([right.length], Kind.from(right, (j) => at(down, j)));
  if (!(first instanceof Slice) && !(second instanceof Slice)) return base.ndarray([down.length], Kind.from(down, (i, k) => at(i, right[k])));
  return base.ndarray([down.length, right.length], Kind.from(down.flatMap((i) => right.map((j) => at(i, j)))));
}
/** Change entries in place. */
export function put(owner, index, value) {
  if (owner instanceof Map) return owner.set(index, value);
  if (!isArray(owner)) { owner[index] = value; return owner; }
  const [first, second] = index instanceof Places ? index.list : [index, undefined], width = owner.shape[1] ?? 1;
  const columns = second === undefined ? base.range(width) : [along(second, width)].flat();
  const places = first?.data instanceof Uint8Array && first.shape.length === 2 ? null : [along(first, owner.shape[0])].flat();
  if (places === null) first.data.forEach((holds, k) => { if (holds) owner.data[k] = value; });
  else if (isArray(first) && isArray(second)) places.forEach((i, k) => { owner.data[i * width + columns[k]] = isArray(value) ? value.data[k] : value; });
  else places.forEach((i, k) => columns.forEach((j, c) => {
    const from = isArray(value) ? (value.shape.length === 1 && value.shape[0] === columns.length && places.length === 1 ? c : value.shape.length === 1 ? (columns.length > 1 ? c : k) : k * columns.length + c) : 0;
    owner.data[i * width + j] = isArray(value) ? value.data[from] : value;
  }));
  return owner;
}
export const shape = (value) => base.shape(value), size = (value) => (isArray(value) ? base.size(value) : value.size ?? 1);
export const T = (value) => base.transpose(value), ndim = (value) => base.shape(value).length;
export const dtype = (value) => (isArray(value) || typeof value === "number" ? np.dtypeOf(value) : value.dtype);

// -- functions of Python ---------------------------------------------------------------------------

export function* iter(value) {
  if (isArray(value)) for (let k = 0; k < value.shape[0]; k += 1) yield base.item(value, k);
  else if (value instanceof Map) yield* value.keys();
  else yield* value;
}
export const list = (value) => (value === undefined ? [] : [...iter(value)]), tuple = list;
export const set = (value = []) => new Set(iter(value)), frozenset = set;
export const dict = (value = []) => (value instanceof Map ? new Map(value) : new Map(Array.isArray(value) ? value : Object.entries(value)));
export const items = (value) => (value instanceof Map ? [...value] : Object.entries(value));
export const object = (value) => Object.fromEntries(items(value));
export const len = (value) => (isArray(value) ? value.shape[0] : value instanceof Map || value instanceof Set ? value.size : value.length ?? [...value].length);
export const gathered = (value, left, right) => {
  const all = [...iter(value)];
  return [...all.slice(0, left), all.slice(left, all.length - right), ...all.slice(all.length - right)];
};
export const abs = (value) => (isArray(value) ? base.abs(value) : Math.abs(value));
export const all = (values) => { for (const one of iter(values)) if (!truth(one)) return false; return true; };
export const any = (values) => { for (const one of iter(values)) if (truth(one)) return true; return false; };
export const bool = truth;
export const float = (value) => (typeof value === "string" ? Number(value) : isArray(value) ? value.data[0] : Number(value));
export const int = (value) => Math.trunc(float(value));
export const str = (value) => format(value, "", "s");
export const range = base.range;
export const enumerate = (values, ...rest) => { const [[start], { start: named = 0 }] = split(rest); return [...iter(values)].map((one, k) => [k + (start ?? named), one]); };
export const zip = (...values) => {
  const lists = values.map((one) => [...iter(one)]);
  return lists.length ? base.range(Math.min(...lists.map((one) => one.length))).map((k) => lists.map((one) => one[k])) : [];
};
export const map = (f, ...values) => zip(...values).map((args) => f(...args));
export const reversed = (values) => [...iter(values)].reverse();
export const next = (values, ...rest) => { const { value, done } = iter(values).next(); if (done && !rest.length) throw new RangeError("nothing is left"); return done ? rest[0] : value; };
export const chain = (...values) => values.flatMap((one) => [...iter(one)]);
export const pairwise = (values) => { const all = [...iter(values)]; return all.slice(1).map((one, k) => [all[k], one]); };
function extreme(args, isBetter) {
  const [given, { key = (one) => one, default: usual }] = split(args);
  const values = given.length > 1 ? given : [...iter(given[0])];
  if (!values.length && usual !== undefined) return usual;
  return values.reduce((best, one) => (isBetter(key(one), key(best)) ? one : best));
}
export const max = (...args) => extreme(args, (one, other) => greater(one, other));
export const min = (...args) => extreme(args, (one, other) => less(one, other));
export const sum = (values) => [...iter(values)].reduce((total, one) => add(total, one), 0);
export const sorted = (values, ...rest) => {
  const [, { key = (one) => one }] = split(rest);
  return [...iter(values)].map((one) => [key(one), one]).sort(([a], [b]) => (less(a, b) ? -1 : less(b, a) ? 1 : 0)).map(([, one]) => one);
};
export const round = (value) => base.round(value);
export const getattr = (thing, name, usual) => thing?.[name] ?? usual ?? null;
export const hasattr = (thing, name) => !isMissing(thing?.[name]);
export const type = (thing) => thing.constructor;
export const class_name = (thing) => thing.className ?? thing.constructor.name;
const KINDS = {
  bool: isFlag, int: Number.isInteger, float: (value) => typeof value === "number", str: (value) => typeof value === "string",
  list: Array.isArray, tuple: Array.isArray, dict: (value) => value instanceof Map, Mapping: (value) => value instanceof Map,
  type: (value) => typeof value === "function" && "prototype" in value, Sequence: Array.isArray, ndarray: isArray,
};
export const isinstance = (value, kinds) => [kinds].flat(2).some((kind) => (typeof kind === "string" ? KINDS[kind](value) : value instanceof kind));
export const search = (pattern, text) => new RegExp(pattern).exec(text);

// -- texts ------------------------------------------------------------------------------------------

export function repr(value) {
  if (isMissing(value)) return "None";
  if (isFlag(value)) return value ? "True" : "False";
  if (typeof value === "string") return value.includes("'") && !value.includes('"') ? `"${value}"` : `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  if (typeof value === "number") return written(value);
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  return value.text ?? String(value);
}
/** A number as Python writes it; a whole one without a point. */
function written(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [digits, power] = value.toExponential().split("e");
  if (value !== 0 && (Number(power) < -4 || Number(power) >= 16)) return scientific(digits, power);
  return String(value);
}
const scientific = (digits, power) => `${digits}e${power[0] === "-" ? "-" : "+"}${power.replace(/[+-]/, "").padStart(2, "0")}`;
function general(value, digits) {
  if (!Number.isFinite(value)) return written(value);
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [head, power] = rounded(value, Math.max(digits, 1) - 1), trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (Number(power) < -4 || Number(power) >= digits) return scientific(trimmed(head), power);
  return trimmed(fixed(value, Math.max(digits - 1 - Number(power), 0)));
}
/** Return the digits of a number with one before the point, and the power of ten. */
function rounded(value, places) {
  const [head, power] = value.toExponential(places).split("e");
  return [evenly(head, value.toExponential(100).split("e")[0]), power];
}
const grouped = (text) => text.replace(/^(-?)(\d+)/, (_, sign, whole) => sign + whole.replace(/\B(?=(\d{3})+$)/g, ","));
/** Format a value, as Python's format specifications say. */
export function format(value, spec = "", conversion = "") {
  if (conversion === "r") return repr(value);
  if (spec === "") return typeof value === "string" ? value : Array.isArray(value) ? `(${value.map(repr).join(", ")}${value.length === 1 ? "," : ""})` : repr(value);
  const [, comma, digits, kind] = /^(,?)(?:\.(\d+))?([gfe%]?)$/.exec(spec) ?? [];
  if (kind === undefined) throw new TypeError(`the format ${spec} has no counterpart`);
  const number = Number(value), places = digits === undefined ? 6 : Number(digits);
  if (!Number.isFinite(number)) return written(number) + (kind === "%" ? "%" : "");
  const text = kind === "g" ? general(number, places) : kind === "f" ? fixed(number, places)
    : kind === "%" ? `${fixed(100 * number, places)}%` : kind === "e" ? scientific(...rounded(number, places)) : written(number);
  return comma ? grouped(text) : text;
}
/** Fixed digits. */
const fixed = (value, places) => evenly(value.toFixed(places), value.toFixed(100));

/** Return rounded digits; of two numbers that are equally near, Python takes the one whose last digit is even. */
function evenly(text, exact) {
  const isHalf = /^50*$/.test(exact.slice(text.length).replace(".", "")), last = Number(text.at(-1));
  return isHalf && last % 2 ? text.slice(0, -1) + (last - 1) : text;
}

// -- methods of arrays, texts, lists and dicts -------------------------------------------------------

const OF_TEXTS = {
  join: (text, values) => [...iter(values)].join(text), startswith: (text, start) => text.startsWith(start), strip: (text) => text.trim(),
  rstrip: (text) => text.trimEnd(), splitlines: (text) => text.split("\n"), lower: (text) => text.toLowerCase(),
  removeprefix: (text, start) => (text.startsWith(start) ? text.slice(start.length) : text),
  removesuffix: (text, end) => (text.endsWith(end) ? text.slice(0, text.length - end.length) : text),
  replace: (text, one, other, count) => (count === 1 ? text.replace(one, () => other) : text.replaceAll(one, () => other)),
};
const OF_DICTS = {
  get: (values, key, usual = null) => values.get(key) ?? usual, items: (values) => [...values], keys: (values) => [...values.keys()],
  values: (values) => [...values.values()],
  setdefault: (values, key, usual) => { if (!values.has(key)) values.set(key, usual); return values.get(key); },
};
const OF_LISTS = {
  append: (values, one) => { values.push(one); }, index: (values, one) => values.findIndex((value) => equalValues(value, one)),
  remove: (values, one) => { values.splice(values.indexOf(one), 1); }, copy: (values) => [...values],
};
const OF_SETS = { isdisjoint: (values, others) => ![...iter(others)].some((one) => values.has(one)) };

/** Call a method. */
export function call(owner, name, ...args) {
  const methods = typeof owner === "string" ? OF_TEXTS : owner instanceof Map ? OF_DICTS : Array.isArray(owner) ? OF_LISTS
    : owner instanceof Set ? OF_SETS : isArray(owner) || typeof owner === "number" || isFlag(owner) ? np.methods : null;
  if (methods === null) return owner[name](...args);
  if (!(name in methods)) throw new TypeError(`${name} has no counterpart`);
  return methods[name](owner, ...args);
}
