// A small table of your own as data: text with one column of numbers for each input, and a target.
// The version with Python reads more: texts and dates as inputs, other notations of numbers, and Parquet.
import * as np from "./arrays.js";
import { Random } from "./data.js";
import { limits } from "./settings.js";
import { table as words } from "./strings.js";

const ENDS = /\.(csv|tsv|txt)$/i, SEPARATORS = [",", ";", "\t"];
const GAPS = new Set(["", "na", "n/a", "nan", "null", "none"]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, WHOLE = /^[+-]?\d+$/;

/** Return a text with visible escapes in place of control characters. */
const visible = (text) => text.replace(/\p{C}/gu, (one) => `\\u${one.codePointAt(0).toString(16).padStart(4, "0")}`);

/** Return the names of a table's columns. */
export const columnsOf = (name, bytes) => rowsOf(name, bytes)[0].map(visible);

/** Return a table as data: numbers standardized, the rows in a random order. */
export function tableOf(name, bytes, target, isFilled) {
  const [header, ...rows] = rowsOf(name, bytes), names = header.map(visible), place = names.indexOf(target);
  if (place < 0) throw new Error(words.no_column(name, target));
  if (rows.length < 2 || rows.length > limits.rows) throw new Error(words.row_count(name, rows.length, limits.rows));
  const cells = (k) => rows.map((row) => row[k]);
  const { y, classes, reason } = targetOf(target, cells(place));
  const known = names.map((column, k) => (k === place ? null : inputOf(column, cells(k), isFilled)));
  const columns = names.filter((_, k) => known[k]?.values), left = header.filter((_, k) => known[k]?.why);
  if (!columns.length) throw new Error(words.no_inputs(name));
  if (columns.length > limits.features) throw new Error(words.too_many_columns(columns.length, limits.features));
  const order = np.permutation(rows.length, new Random(0).next), inputs = known.filter((one) => one?.values);
  const raw = np.array(order.map((row) => inputs.map(({ values }) => values[row])));
  const why = known.flatMap((one, k) => (one?.why ? [words.left_out(names[k], one.why)] : []));
  const without = why.length ? words.without(why.join(", ")) : "";
  return {
    name: `table: ${target}`, words: `${words.about(rows.length, columns.length, reason)}${without}.`, columns, offered: columns,
    features: columns, classes, raw, y: order.map((row) => y[row]), rows: rows.length, training: rows.length,
    file: { name, target: header[place], left, isFilled },
  };
}

// -- reading -----------------------------------------------------------------------------------------

/** Return the rows of a delimited text, the header first; each has as many cells. */
function rowsOf(name, bytes) {
  if (!ENDS.test(name)) throw new Error(words.ends(name));
  const text = decode(name, bytes), [first] = text.split(/\r?\n/, 1);
  const separator = SEPARATORS.reduce((best, one) => (first.split(one).length > first.split(best).length ? one : best));
  const rows = cellsOf(name, text, separator).filter((row) => row.length > 1 || row[0] !== "");
  const [header] = rows;
  if (!header || header.length < 2) throw new Error(words.one_column(name));
  const wrong = rows.findIndex((row) => row.length !== header.length);
  if (wrong > 0) throw new Error(words.ragged(name, wrong + 1, rows[wrong].length, header.length));
  const twice = header.find((one, k) => one === "" || header.indexOf(one) < k);
  if (twice !== undefined) throw new Error(words.header(name, twice));
  return separator === "," ? rows : rows.map((row) => row.map((cell) => cell.replace(/^([+-]?\d+),(\d+)$/, "$1.$2")));
}

function decode(name, bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(words.encoding(name));
  }
}

/** Return the cells of all lines; a cell in quotes may hold separators, line ends, and doubled quotes. */
function cellsOf(name, text, separator) {
  const pattern = new RegExp(`(?:"((?:[^"]|"")*)"|([^"${separator}\\r\\n]*))(${separator}|\\r?\\n|$)`, "y"), rows = [[]];
  while (pattern.lastIndex < text.length || rows.at(-1).length) {
    const found = pattern.exec(text);
    if (!found) throw new Error(words.quotes(name, rows.length));
    rows.at(-1).push(found[1] === undefined ? found[2].trim() : found[1].replaceAll('""', '"'));
    if (found[3] === "") break;
    if (found[3] !== separator) rows.push([]);
  }
  return rows.filter((row) => row.length);
}

const isGap = (cell) => GAPS.has(cell.toLowerCase());

// -- columns -----------------------------------------------------------------------------------------

/** Return a column's numbers, standardized; or why it is left out. */
function inputOf(name, cells, isFilled) {
  const given = cells.filter((cell) => !isGap(cell));
  if (!given.length) return { why: words.empty };
  if (!given.every((cell) => NUMBER.test(cell))) return { why: words.texts };
  if (given.length < cells.length && !isFilled) throw new Error(words.gaps(name, cells.length - given.length));
  const numbers = cells.map((cell) => (isGap(cell) ? NaN : Number(cell)));
  if (new Set(numbers).size === 1) return { why: words.constant };
  if (numbersTheRows(cells, numbers)) return { why: words.row_numbers };
  return { values: standardized(name, numbers.map((value) => (Number.isNaN(value) ? median(given.map(Number)) : value))) };
}

function numbersTheRows(cells, numbers) {
  if (cells.length < limits.fewest_rows || !cells.every((cell) => WHOLE.test(cell))) return false;
  const [low, high] = [numbers[0], numbers.at(-1)].sort((a, b) => a - b), up = numbers[0] < numbers.at(-1);
  const isInOrder = numbers.every((value, k) => k === 0 || (up ? value > numbers[k - 1] : value < numbers[k - 1]));
  return isInOrder && !(low >= limits.years[0] && high <= limits.years[1]);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function standardized(name, values) {
  const x = np.array(values), [mean, spread] = [np.mean(x), np.std(x)];
  if (!Number.isFinite(mean + spread)) throw new Error(words.too_large(name));
  return Array.from(np.divide(np.subtract(x, mean), spread || 1).data);
}

/** Return the targets: class numbers, or numbers standardized. */
function targetOf(name, cells) {
  const gap = cells.findIndex(isGap);
  if (gap >= 0) throw new Error(words.no_target(name, gap + 1));
  const isNumber = cells.every((cell) => NUMBER.test(cell)), isWhole = cells.every((cell) => WHOLE.test(cell));
  const labels = [...new Set(isWhole ? cells.map(Number) : cells)].sort(isWhole ? (a, b) => a - b : undefined), { length } = labels;
  if (length === 1) throw new Error(words.one_class(name));
  const areClasses = !isNumber || (isWhole && 2 * length <= cells.length && (length <= 10 || (length <= 20 && length < 0.05 * cells.length)));
  if (!areClasses) return { y: standardized(name, cells.map(Number)), classes: [], reason: words.regression(name) };
  if (length > limits.classes || length > cells.length / 2) throw new Error(words.too_many_classes(name, length, cells.length));
  const number = new Map(labels.map((label, k) => [label, k]));
  return { y: cells.map((cell) => number.get(isWhole ? Number(cell) : cell)), classes: labels.map((one) => visible(String(one))),
    reason: words.classification(name, length) };
}
