/** Return targets of one row for each sample; raise an error for another shape. */
function checkedTargets(y) {
  if (y.shape.length !== 2 || y.shape[1] !== N_OUT) {
    throw new RangeError(`y has shape (${y.shape}), but this network has outputs of shape (n, N_OUT)`);
  }
  return np.positive(y);
}

/** Return rows X as an array, and check their shape: (n, N_IN). */
function rowsOf(X) {
  const rows = np.array(X);
  if (rows.shape.length !== 2 || rows.shape[1] !== N_IN) {
    throw new RangeError(`X has shape (${rows.shape}), but this network takes rows of shape (n, N_IN)`);
  }
  return rows;
}

/**
 * Return the outputs p for rows X.
 * @param {NDArray | number[][]} X  rows of samples, of shape (n, N_IN)
 * @param {Object<string, NDArray>} [values]  the parameters, and the running statistics of layers, by name
 * @returns {NDArray} p, of shape (n, N_OUT)
 */
export function outputs(X, values = weights) {
  const rows = rowsOf(X);
  return inferenceForward({ ...values, X: rows, n: np.len(rows) }).p;
}

/**
 * Predict a label or a number for each row.
 * @param {NDArray | number[][]} X  rows of samples, of shape (n, N_IN)
 * @param {Object<string, NDArray>} [values]  the parameters, and the running statistics of layers, by name
 * @returns {Array} one prediction for each row
 */
export function predict(X, values = weights) {
  return np.tolist(decode(outputs(X, values)));
}

/**
 * Return the objective J of rows in inference mode: without dropout, with the running statistics.
 * @param {NDArray | number[][]} X  rows of samples, of shape (n, N_IN)
 * @param {NDArray | Array} y  a label or target for each row, or targets of shape (n, N_OUT)
 * @param {{ values?: Object<string, NDArray>, w?: number[] }} [options]  parameters, and a weight for each row
 * @returns {number}
 */
export function objective(X, y, { values = weights, w } = {}) {
  const batch = { ...values, X: rowsOf(X), y: encode(y), n: np.len(rowsOf(X)), ...weightsOf(w, X) };
  return inferenceObjective({ ...batch, ...inferenceForward(batch) }).J;
}

/** Return the weights of rows as one column; a module that was written without weights takes none. */
function weightsOf(w, X) {
  if (settings.weighted && w === undefined) return { w: np.full([np.len(X), 1], 1) };
  if (!settings.weighted && w !== undefined) throw new TypeError("this module was written without weights of rows");
  if (w === undefined) return {};
  const column = np.array(w);
  return { w: column.shape.length === 1 ? np.as_column(column) : column };
}
