/**
 * Encode one column of a table: a number becomes one column of X, and a second one that marks missing values if it has
 * an indicator; a category becomes one column for each.
 */
function encodedColumn(given, { name, mean, std, fill, indicator, categories, unknown }) {
  if (given === undefined) throw new RangeError(`the table has no column ${JSON.stringify(name)}`);
  if (categories !== undefined) {
    const words = Array.from(given, (word) => (isMissing(word) ? fill : String(word).trim()) ?? "");
    const part = np.positive(one_hot(np.array(words), np.array(categories)));
    const place = unknown === "zeros" ? -1 : np.any(part, { axis: 1 }).data.indexOf(0);
    if (place >= 0) throw new RangeError(`${JSON.stringify(name)} has an unknown category in row ${place}`);
    return part;
  }
  const numbers = np.array(Array.from(given, (value) => (isMissing(value) ? NaN : Number(value))));
  const x = fill === null ? numbers : filled(numbers, fill);
  const place = np.isfinite(x).data.indexOf(0);
  if (place >= 0) throw new RangeError(`${JSON.stringify(name)} has no finite number in row ${place}`);
  const part = np.as_column(standard(x, mean, std));
  return indicator ? np.hstack([part, missing(numbers)]) : part;
}

/** Whether a cell of a table is empty. */
function isMissing(value) {
  return value === null || value === undefined || Number.isNaN(value) || (typeof value === "string" && !value.trim());
}
