/**
 * Return targets of shape (n, N_OUT) from numbers.
 * @param {Array | NDArray} y  a number, or N_OUT of them, for each row
 * @returns {NDArray}
 */
export function encode(y) {
  const given = np.array(y);
  return checkedTargets(given.shape.length === 1 ? np.as_column(given) : given);
}
