/**
 * Return targets of shape (n, N_OUT) from labels; an array with N_OUT columns is returned as it is.
 * @param {Array | NDArray} y  the label of each row
 * @returns {NDArray}
 */
export function encode(y) {
  const given = np.array(y);
  if (given.shape.length === 2) return checkedTargets(given);
  const unknown = np.any(one_hot(given, classes), { axis: 1 }).data.indexOf(0);
  if (unknown >= 0) {
    const known = np.tolist(classes).join(", ");
    throw new RangeError(`y has ${given.data[unknown]} at row ${unknown}; the labels are ${known}`);
  }
  return np.positive(one_hot(given, targetColumns));
}
