/**
 * Return every value of the forward and the backward pass by name.
 * @param {NDArray | number[][]} X  rows of samples, of shape (n, N_IN)
 * @param {NDArray | Array} y  a label or target for each row, or targets of shape (n, N_OUT)
 * @param {{ values?: Object<string, NDArray>, w?: number[], masks?: Object<string, NDArray> }} [options]
 *   parameters, a weight for each row, and the dropout masks by name
 * @returns {Object<string, NDArray | number>}
 */
export function trace(X, y, { values = weights, w, masks } = {}) {
  const rows = rowsOf(X);
  return forwardAndBackward({
    ...values, X: rows, y: encode(y), n: np.len(rows), ...weightsOf(w, rows), ...checkedMasks(masks),
  });
}

/**
 * Return the objective J and its gradient with respect to each parameter, such as dW1, of the shape of W1.
 * @param {NDArray | number[][]} X  rows of samples, of shape (n, N_IN)
 * @param {NDArray | Array} y  a label or target for each row, or targets of shape (n, N_OUT)
 * @param {{ values?: Object<string, NDArray>, w?: number[], masks?: Object<string, NDArray> }} [options]
 *   parameters, a weight for each row, and the dropout masks by name
 * @returns {Object<string, NDArray | number>}
 */
export function gradients(X, y, options = {}) {
  const found = trace(X, y, options);
  return Object.fromEntries(["J", ...parameters.map((name) => `d${name}`)].map((name) => [name, found[name]]));
}

/** Return the dropout masks as arrays; raise an error if one is missing. */
function checkedMasks(masks = {}) {
  for (const name of draws) {
    if (!(name in masks)) throw new TypeError(`hand in the random values ${name}, as drawMasks(n) returns them`);
  }
  return Object.fromEntries(draws.map((name) => [name, np.array(masks[name])]));
}
