/**
 * Encode the columns of a table as rows X: numbers are standardized, categories become columns of 0 and 1.
 * @param {Object<string, Array>} table  the values of each column by its name; null or NaN where one is missing
 * @returns {NDArray} X, of shape (n, N_IN)
 */
export function features(table) {
  return np.hstack(columns.map((column) => encodedColumn(table[column.name], column)));
}

/**
 * Predict a label, or a number in the target's original unit, for each row of a table.
 * @param {Object<string, Array>} table  the values of each column by its name; null or NaN where one is missing
 * @param {Object<string, NDArray>} [values]  the parameters, and the running statistics of layers, by name
 * @returns {Array} one prediction for each row
 */
export function predictTable(table, values = weights) {
  return np.tolist(inOriginalUnit(decode(outputs(features(table), values))));
}

/** Encode one column of a table. */
function encodedColumn(given, { name, mean, std, fill, categories, unknown }) {
  if (given === undefined) throw new RangeError(`the table has no column ${JSON.stringify(name)}`);
  if (categories !== undefined) {
    const words = Array.from(given, (word) => (isMissing(word) ? fill : String(word).trim() || fill) ?? "");
    const part = np.positive(one_hot(np.array(words), np.array(categories)));
    const place = unknown === "zeros" ? -1 : np.any(part, { axis: 1 }).data.indexOf(0);
    if (place >= 0) throw new RangeError(`${JSON.stringify(name)} has an unknown category in row ${place}`);
    return part;
  }
  const numbers = np.array(Array.from(given, (value) => (isMissing(value) ? NaN : Number(value))));
  const x = fill === null ? numbers : filled(numbers, fill);
  const place = np.isfinite(x).data.indexOf(0);
  if (place >= 0) throw new RangeError(`${JSON.stringify(name)} has no finite number in row ${place}`);
  return standard(x, mean, std);
}

/** Whether a cell of a table is empty. */
function isMissing(value) {
  return value === null || value === undefined || Number.isNaN(value);
}
