/**
 * Return the values with which a training starts: the parameters, and the optimizer's state, which is 0.
 * @param {Object<string, NDArray>} [values]  the parameters, and the running statistics of layers, by name
 * @returns {Object<string, NDArray>}
 */
export function start(values = weights) {
  const zeros = Object.entries(states).map(([name, parameter]) => [name, np.zeros_like(values[parameter])]);
  return { ...Object.fromEntries(zeros), ...values };
}

/**
 * Run one step of the training on one batch.
 * @param {Object<string, NDArray>} values  what `start` or the last step returned
 * @param {{ X: NDArray, y: NDArray, w?: NDArray, lr: number, t: number, masks?: Object<string, NDArray> }} batch
 *   rows of shape (n, N_IN) and targets of shape (n, N_OUT); the learning rate; the number of the step, from 1
 * @returns {{ values: Object<string, NDArray>, J: number, trace: Object<string, NDArray | number> }}
 *   the new values, the objective before the step, and every value of the step by name
 */
export function step(values, { X, y, w, lr, t, masks }) {
  const batch = { ...values, X, y, w, n: np.len(X), lr, t, ...checkedMasks(masks) };
  const before = forwardAndBackward(batch);
  const after = update({ ...batch, ...before });
  const next = carried.filter((name) => name in after).map((name) => [name, after[name]]);
  return { values: { ...values, ...Object.fromEntries(next) }, J: before.J, trace: { ...before, ...after } };
}

/**
 * Train epoch by epoch: a generator, so that the caller decides when the next epoch runs.
 * @param {object} [options]  those of `train`
 * @yields {{ epoch: number, loss: number, lr: number, val_loss?: number, values: Object<string, NDArray> }}
 */
export function* epochs(options = {}) {
  const given = { random: Math.random, values: weights, ...settings, ...data, ...options };
  const [X, y] = [rowsOf(given.X), encode(given.y)];
  const { w } = weightsOf(given.w, X);
  const n = np.len(X);
  const size = Math.min(given.batchSize ?? n, n);
  checkBatches(n, size, np.len(y));
  let values = start(given.values);
  let [t, plateau] = [0, {}];
  for (let epoch = 0; epoch < given.epochs; epoch += 1) {
    const begun = size < n && !given.runningLoss ? objective(X, y, { values, w }) : null;
    const order = size < n && given.shuffle ? orderOf(given, epoch, n) : np.range(n);
    const objectives = [];
    let lr = NaN;
    for (let first = 0; first < n; first += size) {
      const rows = order.slice(first, first + size);
      lr = learningRate(t, plateau);
      const masks = masksOf(given, t, rows.length);
      const batch = { X: np.take(X, rows), y: np.take(y, rows), w: w && np.take(w, rows), lr, t: t + 1, masks };
      const result = step(values, batch);
      t += 1;
      checkFinite(result, t);
      objectives.push(settings.isSum ? result.J : result.J * rows.length);
      values = result.values;
    }
    const loss = begun === null ? np.sum(np.array(objectives)) / n : begun / (settings.isSum ? n : 1);
    const measured = { epoch: epoch + 1, loss, lr, ...validationLoss(given.validation, values) };
    plateau = follow(plateau, measured);
    yield { ...measured, values };
  }
}

/**
 * Train, and return the new values and the history.
 * @param {object} [options]
 * @param {NDArray | number[][]} options.X  rows of samples, of shape (n, N_IN)
 * @param {NDArray | Array} options.y  a label or target for each row, or targets of shape (n, N_OUT)
 * @param {number[]} [options.w]  a weight for each row
 * @param {number} [options.epochs]  how many times to go through all rows
 * @param {number | null} [options.batchSize]  rows of a step; null for all
 * @param {number[][] | function(number, number): number[]} [options.order]
 *   the order of the rows in each epoch, or a function of the epoch (from 0) and n; random by default
 * @param {Object<string, NDArray>[] | function(number, number): object} [options.masks]
 *   the dropout masks of each step by name, or a function of the step (from 0) and its rows; random by default
 * @param {{ X: NDArray | number[][], y: NDArray | Array }} [options.validation]  rows whose loss is measured, too
 * @param {function(): number} [options.random]  returns a random number from 0 to 1; Math.random by default
 * @param {Object<string, NDArray>} [options.values]  the values to start with
 * @param {function(object): boolean | void} [options.onEpoch]  called after each epoch; `false` ends the training
 * @returns {{ values: Object<string, NDArray>, history: Object<string, number[]> }}
 */
export function train(options = {}) {
  let values = options.values ?? weights;
  const history = { loss: [], lr: [] };
  for (const { values: next, epoch, ...measured } of epochs(options)) {
    values = next;
    for (const [name, value] of Object.entries(measured)) (history[name] ??= []).push(value);
    if (options.onEpoch?.({ values, epoch, ...measured }) === false) break;
  }
  return { values, history };
}

/** Raise an error if there are no rows, or if a batch is too small for a layer. */
function checkBatches(n, size, targets) {
  if (n !== targets) throw new RangeError(`X has ${n} rows, but y has ${targets}`);
  const smallest = n % size || size;
  if (!(smallest >= settings.fewestRows)) {
    throw new RangeError(`the last batch has ${smallest || 0} rows, but a layer needs ${settings.fewestRows}`);
  }
}

/** Return the order of the rows in an epoch: as handed in, or random. */
function orderOf({ order, random }, epoch, n) {
  if (order === undefined) return np.permutation(n, random);
  const given = typeof order === "function" ? order(epoch, n) : order[epoch];
  if (given?.length !== n) throw new RangeError(`the order of epoch ${epoch} must hold ${n} row numbers`);
  return Array.from(given);
}

/** Return the masks of a step: as handed in, or random. */
function masksOf({ masks, random }, place, n) {
  if (draws.length === 0) return {};
  if (masks === undefined) return drawMasks(n, random);
  return typeof masks === "function" ? masks(place, n) : masks[place];
}

/** Return the loss of validation rows, without weights. */
function validationLoss(validation, values) {
  if (validation === undefined) return {};
  const n = np.len(rowsOf(validation.X));
  const options = { values, w: settings.weighted ? Array(n).fill(1) : undefined };
  return { val_loss: objective(validation.X, validation.y, options) / (settings.isSum ? n : 1) };
}

/** Raise an error that names the first value of a step that is not finite, if there is one. */
function checkFinite({ trace: found, values, J }, t) {
  const isFine = (value) => np.truth(np.all(np.isfinite(value)));
  if (Number.isFinite(J) && carried.every((name) => isFine(values[name]))) return;
  const name = Object.keys(found).find((one) => !isFine(found[one]));
  throw new RangeError(`training diverged: in step ${t}, ${name} is not finite`);
}

/** Return the value of an epoch that a learning rate follows. */
function monitored(measured, name) {
  if (!(name in measured)) throw new RangeError(`the learning rate follows ${name}: hand in validation rows`);
  return measured[name];
}
