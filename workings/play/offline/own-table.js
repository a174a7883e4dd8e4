// A small table of your own as data: numbers and texts as inputs, and a target.
// Formulas, thresholds and the encoding of a column come from `columns.js`, which is written from the library.
// The version with Python reads more: dates, other notations of numbers, and Parquet.
import * as np from "./arrays.js";
import { are_classes, encodedColumn, filled, mostly_numbers, rules, standard, too_many_categories } from "./columns.js";
import { Random } from "./data.js";
import { limits } from "./settings.js";
import { table as words } from "./strings.js";

const ENDS = /\.(csv|tsv|txt)$/i, SEPARATORS = [",", ";", "\t"];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i, WHOLE = /^[+-]?\d+$/, DIGITS = /^\d+$/, PADDED = /^0\d/;
const DATE = /^\d{1,4}[-./:]\d{1,2}([-./: T].*)?$/, AMOUNT = /[-+\u2212]?\d[\d.,'\s]*/u, CURRENCY = /^\p{Sc}$/u;
const GAPS = new Set(rules.gaps), UNITS = new Set(rules.units);
const IDENTIFIERS = rules.identifiers.map(([pattern, flags]) => new RegExp(`^(?:${pattern})$`, flags));

/** Return a text with visible escapes in place of control characters. */
const visible = (text) => text.replace(/\p{C}/gu, (one) => `\\u${one.codePointAt(0).toString(16).padStart(4, "0")}`);

/** Return the names of a table's columns. */
export const columnsOf = (name, bytes) => rowsOf(name, bytes)[0].map(visible);

/** Return a table as data: its columns encoded as inputs, the rows in a random order. */
export function tableOf(name, bytes, target, isFilled) {
  const [header, ...rows] = rowsOf(name, bytes), names = header.map(visible), place = names.indexOf(target);
  if (place < 0) throw new Error(words.no_column(name, target));
  if (rows.length < 2 || rows.length > limits.rows) throw new Error(words.row_count(name, rows.length, limits.rows));
  const cells = (k) => rows.map((row) => row[k].trim().normalize("NFC"));
  const { y, classes, reason } = targetOf(target, cells(place));
  const others = names.map((column, k) => ({ column, cells: cells(k), header: header[k] })).filter((_, k) => k !== place);
  const { kept, left } = screened(others);
  if (!kept.length) throw new Error(words.no_inputs(name));
  const columns = kept.map((one) => inputOf(one.column, one.cells, isFilled));
  const inputs = columns.flatMap(namesOf), X = np.hstack(columns.map((column) => encodedColumn(column.given, column)));
  if (inputs.length > limits.features) throw new Error(words.too_many_columns(inputs.length, limits.features));
  const order = np.permutation(rows.length, new Random(0).next);
  const without = left.length ? words.without(left.map(({ column, why }) => words.left_out(column, why)).join(", ")) : "";
  return {
    name: `table: ${target}`, words: `${words.about(rows.length, inputs.length, reason)}${without}.`, columns: inputs, offered: inputs,
    features: inputs, classes, raw: np.take(X, order), y: order.map((row) => y[row]), rows: rows.length, training: rows.length,
    file: { name, target: header[place], left: left.map((one) => one.header), isFilled },
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

// -- columns -----------------------------------------------------------------------------------------

const isMark = (cell) => cell === "" || GAPS.has(cell.toLowerCase());
const isLogical = (cell) => /^(true|false)$/i.test(cell);
const different = (cells) => new Set(cells).size;

/** Whether a column holds codes such as 007, which are texts. */
const isPadded = (given) => given.every((cell) => DIGITS.test(cell)) && given.some((cell) => PADDED.test(cell));

/** Return the numbers in cells, NaN for a gap, true as 1 and false as 0; or null for a column of texts. */
function numbersIn(cells) {
  const given = cells.filter((cell) => !isMark(cell));
  if (!given.length) return null;
  const isTruth = given.some(isLogical) && given.every((cell) => isLogical(cell) || cell === "0" || cell === "1");
  if (isTruth) return cells.map((cell) => (isMark(cell) ? NaN : Number(cell === "1" || cell.toLowerCase() === "true")));
  const isText = isPadded(given) && !too_many_categories(different(given), cells.length);
  return isText || !given.every((cell) => NUMBER.test(cell)) ? null : cells.map((cell) => (isMark(cell) ? NaN : Number(cell)));
}

/** Whether texts are dates, or numbers in another notation: all with the same unit. */
function isNotation(given) {
  if (given.every((cell) => DATE.test(cell))) return true;
  const [unit, ...others] = new Set(given.map((cell) => (AMOUNT.test(cell) ? cell.replace(AMOUNT, " ").replace(/[()-]/g, "").trim() : cell)));
  return others.length === 0 && (unit === "" || UNITS.has(unit) || CURRENCY.test(unit));
}

/** Return the columns to learn from, and those that are left out, with the reason. */
function screened(columns) {
  const found = columns.map((one) => ({ ...one, ...leftOut(one) })), kept = found.filter(({ why }) => !why);
  if (kept.length) return { kept, left: found.filter(({ why }) => why) };
  const known = ({ cells }) => cells.filter((cell) => cell !== ""), isReadable = (one) => !one.isUnread && !one.isEmpty;
  const varied = found.filter((one) => isReadable(one) && different(known(one)) > 1); // used, if no other column is left
  const used = varied.length ? varied : found.filter(isReadable);
  return { kept: used, left: found.filter((one) => !used.includes(one)) };
}

/** Return why a column is left out, as the library does; `isUnread` if the version with Python reads it. */
function leftOut({ column, cells }) {
  const known = cells.filter((cell) => cell !== ""), gaps = cells.length - known.length, values = different(known);
  if (!known.length) return { why: words.empty, isEmpty: true };
  if (cells.length >= rules.fewest_rows && gaps >= rules.nearly_empty * cells.length) return { why: words.nearly_empty, isEmpty: true };
  if (values === 1 && !gaps) return { why: words.constant };
  const given = known.filter((cell) => !isMark(cell)), numbers = numbersIn(cells);
  if (numbers === null && given.length && !isPadded(given) && isNotation(given)) return { why: words.notation, isUnread: true };
  const isDifferent = known.length >= rules.fewest_rows && values === known.length;
  if (isDifferent && !gaps && numbersTheRows(column, cells)) return { why: words.row_numbers };
  return numbers === null && namesTheRows(known, cells.length, isDifferent) ? { why: words.row_names } : {};
}

function numbersTheRows(name, cells) {
  if (!cells.every((cell) => WHOLE.test(cell)) || isPadded(cells)) return false;
  if (IDENTIFIERS.some((pattern) => pattern.test(name))) return true;
  const numbers = cells.map(Number), up = numbers[0] < numbers.at(-1), [low, high] = rules.years;
  const isInOrder = numbers.every((value, k) => k === 0 || (up ? value > numbers[k - 1] : value < numbers[k - 1]));
  return isInOrder && !(Math.min(...numbers) >= low && Math.max(...numbers) <= high);
}

function namesTheRows(known, rows, isDifferent) {
  if (!isPadded(known) && 2 * known.filter((cell) => NUMBER.test(cell)).length > known.length) return false;
  if (isDifferent) return true;
  return Boolean(too_many_categories(different(known), rows)) && Math.max(...counted(known).values()) < rules.least_rows_of_word;
}

function counted(texts) {
  const counts = new Map();
  for (const word of texts) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** Learn the encoding of a column, as the library stores it; `given` holds its values. */
function inputOf(name, cells, isFilled) {
  const numbers = numbersIn(cells);
  if (numbers !== null) return numberColumn(name, numbers, isFilled);
  refuseStrays(name, cells);
  const known = cells.filter((cell) => cell !== ""), counts = counted(known.sort()), gaps = cells.length - known.length;
  const most = too_many_categories(counts.size, cells.length) ? rules.usual_categories : counts.size;
  const kept = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, most);
  const fill = isFilled ? kept[0] : gaps ? gapCategory(counts) : null;
  if (!isFilled && gaps) kept.push(fill);
  return { name, given: cells, categories: kept.sort(), fill, unknown: most < counts.size ? "zeros" : "error" };
}

function numberColumn(name, numbers, isFilled) {
  const known = numbers.filter((value) => !Number.isNaN(value)), hasGaps = known.length < numbers.length;
  const fill = isFilled || hasGaps ? median(known) : null, indicator = !isFilled && hasGaps;
  return { name, given: numbers, ...scaleOf(name, hasGaps ? filled(np.array(numbers), fill) : np.array(numbers)), fill, indicator };
}

/** Return the names of the inputs that a column becomes. */
const namesOf = ({ name, categories, indicator }) =>
  categories?.map((one) => `${visible(name)}=${visible(one)}`) ?? (indicator ? [name, rules.indicator_name.replace("@", () => name)] : [name]);

function gapCategory(counts) {
  let name = rules.missing_category;
  for (let k = 2; counts.has(name); k += 1) name = `${rules.missing_category.slice(0, -1)} ${k})`;
  return name;
}

/** Raise for a column of numbers in which a few values are none. */
function refuseStrays(name, cells) {
  const isStray = (cell) => cell !== "" && !NUMBER.test(cell), row = cells.findIndex(isStray);
  const strays = cells.filter((cell) => isStray(cell) && !isMark(cell)).length, count = cells.filter((cell) => NUMBER.test(cell)).length;
  if (row >= 0 && mostly_numbers(count, strays) && !isPadded(cells.filter((cell) => cell !== ""))) {
    throw new Error(words.stray(name, visible(cells[row]), row + 1));
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Return the mean and the standard deviation of numbers; 1 if all are equal. */
function scaleOf(name, x) {
  const mean = np.mean(x), std = np.std(x);
  if (!Number.isFinite(mean + std)) throw new Error(words.too_large(name));
  return np.min(x) === np.max(x) ? { mean: x.data[0], std: 1 } : { mean, std: std || 1 };
}

/** Return the targets: class numbers, or numbers standardized. */
function targetOf(name, cells) {
  const gap = cells.indexOf(""), isNumber = cells.every((cell) => NUMBER.test(cell));
  if (gap >= 0) throw new Error(words.no_target(name, gap + 1));
  if (!isNumber) refuseStrays(name, cells);
  if (!isNumber && !isPadded(cells) && isNotation(cells)) throw new Error(words.target_notation(name));
  const isCode = isPadded(cells) && !too_many_categories(different(cells), cells.length);
  const isWhole = !isCode && cells.every((cell) => WHOLE.test(cell)), isTruth = cells.every((cell) => cell === "true" || cell === "false");
  const titled = isTruth ? cells.map((cell) => cell[0].toUpperCase() + cell.slice(1)) : cells; // as Python writes them
  const labels = [...new Set(isWhole ? cells.map(Number) : titled)].sort(isWhole ? (a, b) => a - b : undefined), { length } = labels;
  if (length === 1) throw new Error(words.one_class(name));
  const areClasses = !isNumber || isCode || (isWhole && are_classes(length, cells.length));
  if (!areClasses) {
    const numbers = np.array(cells.map(Number)), { mean, std } = scaleOf(name, numbers);
    return { y: Array.from(standard(numbers, mean, std).data), classes: [], reason: words.regression(name) };
  }
  if (length > limits.classes || too_many_categories(length, cells.length)) throw new Error(words.too_many_classes(name, length, cells.length));
  const number = new Map(labels.map((label, k) => [label, k]));
  return { y: titled.map((cell) => number.get(isWhole ? Number(cell) : cell)), classes: labels.map((one) => visible(String(one))),
    reason: words.classification(name, length) };
}
