// The training of one network in the browser: steps forwards, and back again to any moment of the run.
import * as np from "./arrays.js";
import { Random } from "./data.js";
import { catalogue, rates } from "./formulas.js";
import { inferenceProgram, neededFor, numbered, stepProgram } from "./program.js";
import { offline, refusals } from "./strings.js";
import { run, valueOf } from "./syntax.js";

const MOST_MOMENTS = 240, FEWEST_MOMENTS = 12, NUMBERS_KEPT = 2 ** 21;

/** A number as Python writes it: 1 becomes 1.0. */
const python = (value) => (Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value));

/** Return the layers, the loss, the regularizer and the optimizer that settings describe. */
export function described(settings, outputs, loss) {
  const dense = (units, activation) => ({
    kind: "Dense", units, activation, text: `Dense(${units}, '${activation}')`,
    brief: activation === "identity" ? `Dense(${units})` : `Dense(${units}, '${activation}')`,
  });
  const layers = settings.hidden.flatMap(({ units, activation, dropout, batch_norm: isNormed }) => [
    dense(units, isNormed ? "identity" : activation),
    ...(isNormed ? [{
      kind: "BatchNorm", activation, text: `BatchNorm('${activation}')`,
      brief: activation === "identity" ? "BatchNorm()" : `BatchNorm('${activation}')`,
    }] : []),
    ...(dropout ? [{ kind: "Dropout", rate: dropout, text: `Dropout(rate=${python(dropout)})` }] : []),
  ]);
  const regularizer = settings.regularizer && settings.lam ? catalogue.regularizers[settings.regularizer] : null;
  const optimizer = catalogue.optimizers[settings.optimizer];
  return {
    layers: [...layers, dense(outputs, "identity")],
    loss: { ...catalogue.losses[loss], name: loss },
    regularizer: regularizer && {
      ...regularizer, name: settings.regularizer, value: settings.lam,
      text: regularizer.brief.replace("@", python(settings.lam)), code: regularizer.repr.replace("@", python(settings.lam)),
    },
    optimizer: {
      ...optimizer, kind: settings.optimizer, text: optimizer.brief.replace("@", rateText(settings, "brief")),
      code: optimizer.repr.replace("@", rateText(settings, "repr")),
    },
  };
}

function rateText({ schedule, lr, schedule_steps: steps }, kind) {
  const text = catalogue.schedules[schedule][kind];
  return text.replace("%", python(0.5 ** (1 / steps))).replace("@", python(lr)).replace("#", String(steps));
}

/** Return the initial parameters and running statistics, drawn from a random generator. */
export function initialValues(layers, inputs, random) {
  const values = {};
  let width = inputs;
  for (const [layer, suffix] of numbered(layers)) {
    if (layer.kind === "Dense") {
      const { initializer } = catalogue.activations[layer.activation];
      values[`W${suffix}`] = valueOf(catalogue.initializers[initializer], { rng: random, shape: [width, layer.units] });
      values[`b${suffix}`] = np.full([layer.units], 0);
      width = layer.units;
    } else if (layer.kind === "BatchNorm") {
      for (const [letter, value] of [["gamma", 1], ["beta", 0], ["running_mean", 0], ["running_variance", 1]]) {
        values[letter + suffix] = np.full([width], value);
      }
    }
  }
  return values;
}

/** Draw the dropout masks of a batch of n rows. */
export function drawMasks(layers, inputs, n, random) {
  const masks = {};
  let width = inputs;
  for (const [layer, suffix] of numbered(layers)) {
    if (layer.kind === "Dropout") {
      const [letters, [result]] = [catalogue.formulas[catalogue.dropout_mask].own, catalogue.formulas.dropout_mask.results];
      const given = [np.uniform([n, width], random.next), layer.rate];
      masks[`mask${suffix}`] = valueOf(result, Object.fromEntries(letters.map((letter, k) => [letter, given[k]])));
    }
    width = layer.units ?? width;
  }
  return masks;
}

const isFinite = (value) => np.truth(np.all(np.isfinite(value)));

/** The training of one network: its values, its course, and the way back. */
export class Run {
  constructor(network, settings, data, rows, held, random, values) {
    Object.assign(this, { network, settings, rows, held, random, classes: data.classes.length });
    this.inputs = rows.X.shape[1];
    this.step = this.epoch = this.batch = 0;
    this.stopped = "";
    this.order = null;
    this.course = [];
    this.values = values;
    this.setTraining(network, settings);
    this.record();
  }

  /** Change the optimizer and the batch size; the state of an optimizer of the same kind is kept. */
  setTraining(network, settings) {
    const n = np.len(this.rows.X);
    const size = settings.batch_size === 0 ? n : Math.min(settings.batch_size, n), smallest = n % size || size;
    if (smallest < 2 && network.layers.some((layer) => layer.kind === "BatchNorm")) {
      throw new Error(refusals.batch(n, smallest));
    }
    const before = this.network.optimizer.kind;
    Object.assign(this, { network, settings, size, stopped: "" });
    this.program = stepProgram(network);
    this.inference = inferenceProgram(network);
    this.prediction = neededFor(this.inference, ["p"]);
    this.carried = [...this.program.parameters, ...this.program.statistics, ...this.program.states];
    this.batches = Math.ceil(n / this.size);
    this.values = this.known(this.values, before);
    if (this.batch > 0) [this.batch, this.epoch] = [0, this.epoch + 1];
  }

  /** Return values for the present program; the state of another kind of optimizer begins anew. */
  known(values, kind) {
    if (kind === this.network.optimizer.kind) return this.withStates(values);
    return this.withStates(Object.fromEntries(Object.entries(values).filter(([name]) => !this.program.states.includes(name))));
  }

  withStates(values) {
    const found = {};
    for (const name of this.carried) {
      const parameter = this.program.parameters.find((one) => name === one || name.endsWith(`_${one}`));
      found[name] = values[name] ?? np.zeros_like(values[parameter]);
    }
    return found;
  }

  get parameters() {
    return Object.fromEntries(this.program.parameters.map((name) => [name, this.values[name]]));
  }

  rate(step = this.step) {
    return rates[this.settings.schedule](step, this.settings.lr, this.settings.schedule_steps);
  }

  /** Return all inputs of the next step by name; the random generator moves on. */
  nextInputs() {
    const n = np.len(this.rows.X);
    if (this.batches > 1 && (this.batch === 0 || this.order === null)) this.order = np.permutation(n, this.random.next);
    const whole = this.batches > 1 ? this.order : np.range(n);
    const places = whole.slice(this.batch * this.size, (this.batch + 1) * this.size);
    const masks = drawMasks(this.network.layers, this.inputs, places.length, this.random);
    return {
      ...this.program.constants, ...this.values, ...masks, places, X: np.take(this.rows.X, places),
      y: np.take(this.rows.y, places), n: places.length, lr: this.rate(), t: this.step + 1,
    };
  }

  /** Return all inputs of the next step by name, without making it. */
  peek() {
    const { order } = this;
    const { state } = this.random;
    const found = this.nextInputs();
    this.order = order;
    this.random.state = state;
    return found;
  }

  /** Make steps, fewer if a value is not finite. */
  advance(steps) {
    this.course = this.course.filter((moment) => moment.step <= this.step);
    let made = 0;
    while (made < steps && !this.stopped) made += this.makeStep();
    if (made) this.record();
    return made;
  }

  makeStep() {
    const found = run(this.program.statements, this.nextInputs());
    if (!this.carried.every((name) => isFinite(found[name]))) {
      const { target } = this.program.statements.find((statement) => !isFinite(found[statement.target]));
      this.stopped = offline.diverged(this.step + 1, target);
      return 0;
    }
    this.values = Object.fromEntries(this.carried.map((name) => [name, found[name]]));
    this.step += 1;
    this.batch += 1;
    if (this.batch === this.batches) [this.epoch, this.batch] = [this.epoch + 1, 0];
    return 1;
  }

  // -- measures and the course ---------------------------------------------------------------------

  /** Return the values of a prediction for rows. */
  predicted(rows, program = this.inference) {
    return run(program.statements, { ...this.inference.constants, ...this.values, ...rows, n: np.len(rows.X) });
  }

  /** Return objective and score of the training rows, then of the held-out rows; NaN without any. */
  measure() {
    return [this.rows, this.held].flatMap((rows) => {
      if (rows === null) return [NaN, NaN];
      const { J, p } = this.predicted(rows);
      return [J, this.score(rows.y, p)];
    });
  }

  /** Return the accuracy, or R² for numbers. */
  score(y, p) {
    if (this.classes > 0) {
      const choice = this.network.loss.target === "classes" ? "most_probable" : "more_probable";
      return np.mean(np.equal(this.formula(choice, y), this.formula(choice, p)));
    }
    const error = np.mean(this.formula("squared_error", p, y));
    const spread = np.mean(this.formula("squared_error", np.mean(y), y));
    return spread > 0 ? 1 - error / spread : Number(error === 0);
  }

  formula(id, ...given) {
    const { own, results } = catalogue.formulas[id];
    return valueOf(results[0], Object.fromEntries(own.map((letter, k) => [letter, given[k]])));
  }

  record() {
    this.course = this.course.filter((moment) => moment.step < this.step);
    const { step, batch, epoch, order, values } = this, { kind } = this.network.optimizer;
    this.course.push({ step, batch, epoch, order, values, kind, random: this.random.state, measured: this.measure() });
    const size = Object.values(values).reduce((sum, value) => sum + np.size(value), 0);
    const most = Math.min(Math.max(Math.floor(NUMBERS_KEPT / Math.max(size, 1)), FEWEST_MOMENTS), MOST_MOMENTS);
    if (this.course.length > most) {
      this.course = this.course.filter((_, k) => k % 2 === 0 || k === this.course.length - 1);
    }
  }

  travel(place) {
    const { step, batch, epoch, order, values, kind, random } = this.course[place];
    Object.assign(this, { step, batch, epoch, order, stopped: "" });
    this.random.state = random;
    this.values = this.known(values, kind);
  }

  /** Return to the moment that is nearest to a step. */
  travelNear(step) {
    const gaps = this.course.map((moment) => Math.abs(moment.step - step));
    this.travel(gaps.indexOf(Math.min(...gaps)));
  }

  /** Return a copy that trains by itself; rows and values are shared, because they do not change. */
  copy() {
    const random = randomOf(0);
    random.state = this.random.state;
    return Object.assign(Object.create(Run.prototype), this, { random, course: [...this.course] });
  }

  /** Begin a new epoch with the optimizer's state at 0 and the step counted from 1 again. */
  restart() {
    const kept = Object.entries(this.values).filter(([name]) => !this.program.states.includes(name));
    this.values = this.withStates(Object.fromEntries(kept));
    Object.assign(this, { step: 0, epoch: 0, batch: 0, order: null, course: [], stopped: "" });
    this.record();
  }

  setEntry(name, index, value) {
    const { shape, data } = this.values[name];
    const changed = data.slice();
    changed[index.length === 2 ? index[0] * shape[1] + index[1] : index[0]] = value;
    this.values = { ...this.values, [name]: np.ndarray(shape, changed) };
    this.stopped = "";
  }
}

/** Return the initial random generator of a seed. */
export const randomOf = (seed) => new Random(seed);
