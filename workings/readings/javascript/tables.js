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
