// One entry of a statement: its expression with the entries of the arrays that it reads, in place of the arrays.
import * as np from "./arrays.js";
import { valueOf } from "./syntax.js";

const MOST_TERMS = 5;

/** The place of an entry in an array's data. */
export const offset = (array, index) => (index.length === 2 ? index[0] * array.shape[1] + index[1] : index[0]);
export const entryOf = (value, index) => (np.isArray(value) ? value.data[offset(value, index)] : value);

// The place in a smaller array from which broadcasting takes an entry.
const fitted = (place, shape) => place.slice(place.length - shape.length).map((at, axis) => (shape[axis] === 1 ? 0 : at));
const plain = (value) => ["number", String(value), Number(value)];

/**
 * Return the expression of one entry.  A leaf is a number with the name and the index of its array:
 * ["number", text, value, name, index].
 */
export function entryTree(node, place, values) {
  const [kind, first, ...rest] = node;
  const value = valueOf(node, values);
  const own = fitted(place, np.shape(value));
  const at = (child, where = own) => entryTree(child, fitted(where, np.shape(valueOf(child, values))), values);
  switch (kind) {
    case "number": return node;
    case "name": return [...plain(entryOf(value, own)), first, own];
    case "minus": return ["minus", at(first)];
    case "compare": return [kind, first, ...rest.map((child) => at(child))];
    case "binary": return first === "MatMult" ? product(rest, own, values) : [kind, first, ...rest.map((child) => at(child))];
    case "np": case "call": return [kind, first, ...rest.map((child) => at(child))];
    case "attribute": return first === "T" ? entryTree(rest[0], [...own].reverse(), values) : plain(value);
    case "method": return first === "sum" ? summed(rest[0], rest[2].axis ?? null, own, values) : plain(entryOf(value, own));
    default: return plain(entryOf(value, own));
  }
}

function product([left, right], [row, column], values) {
  const inner = np.shape(valueOf(left, values))[1];
  const term = (k) => ["binary", "Mult", entryTree(left, [row, k], values), entryTree(right, [k, column], values)];
  return sumOf(inner, term);
}

function summed(owner, axis, place, values) {
  const [rows, columns = 1] = np.shape(valueOf(owner, values));
  if (rows === undefined) return entryTree(owner, [], values);
  if (axis === 0) return sumOf(rows, (k) => entryTree(owner, [k, place.at(-1)], values));
  if (axis === 1) return sumOf(columns, (k) => entryTree(owner, [place[0], k], values));
  const isTable = np.shape(valueOf(owner, values)).length === 2;
  return sumOf(rows * columns, (k) => entryTree(owner, isTable ? [Math.floor(k / columns), k % columns] : [k], values));
}

// A sum of terms; of a long one the first few, and the worth of the others.
function sumOf(count, term) {
  const shown = count > MOST_TERMS ? MOST_TERMS - 2 : count;
  const terms = Array.from({ length: shown }, (_, k) => term(k));
  if (shown < count) {
    const others = Array.from({ length: count - shown }, (_, k) => valueOf(term(shown + k), {}));
    terms.push(["omitted", count - shown, np.total(others)]);
  }
  return terms.reduce((sum, one) => ["binary", "Add", sum, one]);
}
