// The network, its training and its data as the translated checks of the doctor see them (`doctor-checks.js`): the
// names of the library's classes, around the programs that the page runs.
import * as np from "./arrays.js";
import { catalogue, functions as computed, rates } from "./formulas.js";
import { inferenceProgram, neededFor, numbered, stepProgram } from "./program.js";
import { format, Record, split } from "./python.js";
import { Generator } from "./random.js";
import { float64 } from "./more-arrays.js";
import { importable } from "./doctor-tables.js";
import { run, valueOf } from "./syntax.js";
import { described, drawMasks, initialValues, randomOf, Run } from "./training.js";

const isFinite = (value) => (np.isArray(value) ? value.data.every(Number.isFinite) : Number.isFinite(value));

/** A number as Python writes a float: 1 becomes 1.0. */
const float = (value) => (Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : format(value));

// -- rows --------------------------------------------------------------------------------------------

export class Rows extends Record {
  static fields = ["X", "y", "w"];
  static defaults = { w: () => null };
  get weights() { return this.w === null ? null : np.column(this.w, 0); }
  take(chosen) {
    const places = chosen.data instanceof Uint8Array ? np.range(chosen.data.length).filter((k) => chosen.data[k]) : chosen;
    return Rows.of(...[this.X, this.y, this.w].map((one) => (one === null ? null : np.take(one, places))));
  }
  /** Return a random sample of at most `most` rows. */
  some(most) {
    if (np.len(this.X) <= most) return this;
    const chosen = Array.from(new Generator(0).permutation(np.len(this.X)).data).slice(0, most);
    return this.take(chosen.sort((a, b) => a - b));
  }
}
/** Keys of rows; equal rows have equal keys. */
export function row_keys(X, y = null) {
  const list = np.tolist(np.add(y === null ? X : np.hstack([X, np.shape(y).length === 1 ? np.as_column(y) : y]), 0));
  return list.map((row) => row.join());
}
export const dense = (rows) => rows;
export const as_random = (seed) => new Generator(seed);

// -- layers, losses, penalties -------------------------------------------------------------------------

const functions = new Map();
/** Return an activation: a function with its name and its derivative. */
function activationOf(name) {
  if (!functions.has(name)) {
    const { function: value, derivative, constants } = catalogue.activations[name];
    const own = Object.fromEntries(Object.entries(constants).map(([letter, node]) => [letter, valueOf(node, {})]));
    const found = (z) => formula(value, { ...own, z });
    Object.defineProperty(found, "name", { value: name });
    functions.set(name, Object.assign(found, { slope: (z) => formula(derivative, { ...own, z, a: found(z) }) }));
  }
  return functions.get(name);
}
/** Compute a formula with values for its letters; a single letter stands for z. */
function formula(id, values) {
  const { own, letters, lines, results } = catalogue.formulas[id];
  const scope = Object.fromEntries(own.map((letter, k) => [letter, letters[k] in values ? values[letters[k]] : values.z]));
  for (const [name, tree] of lines) scope[name] = valueOf(tree, scope);
  return valueOf(results[0], scope);
}
export const ACTIVATIONS = new Map(Object.keys(catalogue.activations).map((name) => [name, activationOf(name)]));

class Layer {
  constructor(values) {
    Object.assign(this, { activation: "identity", bias: true, weights: null, biases: null, ...values });
    const { parameters, draws, regularized } = catalogue.layers[this.kind];
    Object.assign(this, { parameters, draws, regularized });
  }
  get className() { return this.kind; }
  get activation_function() { return activationOf(this.activation); }
  equals(other) { return other instanceof Layer && other.text === this.text; }
}
export class FullyConnected extends Layer {}
export class Dense extends FullyConnected {
  static of(...args) {
    const [[units, activation], { weights = null, biases = null, activation: name = activation }] = split(args);
    return new Dense({ kind: "Dense", units, activation: typeof name === "function" ? name.name : name ?? "identity", weights, biases });
  }
  get text() { return `Dense(${this.units}, '${this.activation}')`; }
  effective_weights(W) { return W; }
}
export class BatchNorm extends Layer {
  static of(activation = "identity") { return new BatchNorm({ kind: "BatchNorm", activation }); }
  get text() { return `BatchNorm('${this.activation}')`; }
}
export class Dropout extends Layer {
  static of(rate) { return new Dropout({ kind: "Dropout", rate }); }
  get text() { return `Dropout(rate=${float(this.rate)})`; }
}
const layerOf = (layer) => (layer.kind === "Dense" ? Dense.of(layer.units, layer.activation)
  : layer.kind === "BatchNorm" ? BatchNorm.of(layer.activation) : Dropout.of(layer.rate));
export const number_layers = (layers) => numbered(layers);

class Loss {
  constructor(name) { Object.assign(this, catalogue.losses[name], { name, text: catalogue.losses[name].repr, reduction: "mean" }); }
  get className() { return this.name; }
  get takes_any_number() { return this.target === "numbers"; }
  get takes_counts() { return this.target === "counts"; }
  divisor() { return 1; }
}
export class SquaredError { static [Symbol.hasInstance](loss) { return loss.name === "SquaredError"; } }

class Penalty {
  static fields = ["lam"];
  constructor(name, lam) { Object.assign(this, catalogue.regularizers[name], { name, lam }); }
  get value() { return this.lam; }
  get text() { return this.repr.replace("@", float(this.lam)); }
}
export const L2 = { of: (lam) => new Penalty("L2", lam) };

// -- optimizers and learning rates ---------------------------------------------------------------------

/** A schedule of the learning rate: a function of the step. */
function scheduleOf({ kind, lr, steps, text }) {
  const found = (t) => rates[kind](t, lr, steps);
  return Object.assign(found, { kind, lr, steps, text, fields: ["lr"], replaced: (changes) => scheduleOf({ kind, lr, steps, ...changes, text: text.replace(float(lr), float(changes.lr ?? lr)) }) });
}
const kindOfSchedule = (test) => ({ [Symbol.hasInstance]: (thing) => typeof thing === "function" && "steps" in thing && test(thing.kind) });
export const Schedule = kindOfSchedule(() => true), Constant = kindOfSchedule((kind) => kind === "constant"), WarmUp = kindOfSchedule((kind) => kind === "warm-up");
export const schedule_of = (rate) => (typeof rate === "function" ? rate : scheduleOf({ kind: "constant", lr: rate, steps: 1, text: float(rate) }));
export const monitor_of = () => null; // no schedule of the page follows a measure
export const twelve_digits = (value) => Number(value.toPrecision(12));

export class Part {
  static of(lr = 1e-3) { return optimizerOf(this.kind, lr); }
  get schedule() { return schedule_of(this.lr); }
  get parts() { return [this]; }
  get takes_batches() { return true; }
  get text() { return this.repr.replace("@", typeof this.lr === "function" ? this.lr.text : float(this.lr)); }
  chosen(names) { return names; }
  equals(other) { return other.text === this.text; }
}
export class SGD extends Part { static kind = "SGD"; }
export class Adam extends Part { static kind = "Adam"; }
export class Chain { static of() { throw new TypeError("the page has no chains of optimizers"); } }
export class Freeze {}
export class RateFactors {}
export class LBFGS {}
function optimizerOf(kind, lr) {
  const Kind = { SGD, Adam }[kind] ?? Part, entry = catalogue.optimizers[kind];
  return Object.assign(Object.create(Kind.prototype), entry, entry.constants, { kind, lr });
}

// -- networks --------------------------------------------------------------------------------------------

class Targets {
  constructor(loss, outputs, classes) {
    const is = loss.target === "labels" || loss.target === "classes";
    Object.assign(this, { loss, count: outputs, is_classification: is, has_labels: is, is_multiclass: loss.target === "classes" });
    this.classes = is && classes ? Object.assign(np.array(np.range(classes)), { kind: { name: "int64", kind: "i" } }) : null;
  }
  score(y, p) { // that of the page, for these targets
    return Run.prototype.score.call({ classes: this.is_classification ? 2 : 0, network: this, formula: Run.prototype.formula }, y, p);
  }
}

class Values extends Map {
  static of(values, names) { return new Values(names.map((name) => [name, values[name]])); }
  get object() { return Object.fromEntries(this); }
}

class Statement {
  constructor({ target, code, part }) { Object.assign(this, { target, part, text: `${target} = ${code}` }); }
}
class Program {
  constructor(program) { Object.assign(this, program, { program }); }
  get(name) { return new Statement(this.statements.find((one) => one.target === name)); }
  stage(name) { return this.statements.filter((one) => one.stage === name).map((one) => new Statement(one)); }
  needed_for(...names) { return new Program(neededFor(this.program, names)); }
}
/** A function that runs a program and returns some of its values. */
export class Runner {
  static of(program, names) {
    return (values) => {
      const found = run(program.statements, { ...program.constants, ...Object.fromEntries(values) });
      return names.map((name) => found[name]);
    };
  }
}
export class Model {
  static of(layers, options) { return new Model(layers, options); }
  constructor(layers, { loss, regularizer = null, classes = null, seed = 0 }) {
    const penalties = regularizer === null ? [] : [regularizer].flat();
    Object.assign(this, { layers, loss, regularizers: penalties, seed, edits: [], dtype: float64, dtype_given: false, rng_made: null, n_in: null, is_fresh: false });
    this.n_out = layers.at(-1).units;
    this.targets = new Targets(loss, this.n_out, classes);
  }
  get network() { return { layers: this.layers, loss: this.loss, regularizer: this.regularizers[0] ?? null }; }
  get program_() { return (this.kept ??= new Program(inferenceProgram(this.network))); }
  get inference() { return this.program_; }
  get theta() { return { size: [...this.parameters.values()].reduce((sum, value) => sum + np.size(value), 0) }; }
  build(inputs) {
    if (this.n_in !== null) return this;
    const values = initialValues(this.layers, inputs, randomOf(this.seed));
    for (const [layer, number] of numbered(this.layers)) {
      if (layer.weights === "zeros") values[`W${number}`] = np.zeros_like(values[`W${number}`]);
      if (layer.biases !== null && layer.kind === "Dense") values[`b${number}`] = np.positive(layer.biases);
    }
    return Object.assign(this.placed(inputs, values), { is_fresh: true });
  }
  placed(inputs, values) {
    const statistics = numbered(this.layers).flatMap(([layer, number]) => Object.keys(catalogue.layers[layer.kind].statistics).map((letter) => letter + number));
    this.parameters = Values.of(values, this.program_.parameters);
    this.statistics = Values.of(values, statistics);
    return Object.assign(this, { n_in: inputs });
  }
  copy() {
    const found = Object.assign(Object.create(Model.prototype), this);
    if (this.n_in !== null) Object.assign(found, { parameters: new Values(this.parameters), statistics: new Values(this.statistics) });
    return found;
  }
  with_classes() { return this.copy(); }
  astype() { return this.copy(); }
  built_for() { return this; }
  prepare(X, y, w = null) { return [X, np.shape(y).length === 1 ? np.as_column(y) : y, w]; }
  set_values(values) {
    for (const [name, value] of values) (this.parameters.has(name) ? this.parameters : this.statistics).set(name, value);
    this.is_fresh = false;
  }
  without({ regularizers = false, dropout = false }) {
    const found = this.copy();
    if (regularizers) found.regularizers = [];
    if (dropout) found.layers = this.layers.filter((layer) => layer.kind !== "Dropout");
    delete found.kept;
    return found;
  }
  measure(X, y) {
    const { statements, constants } = this.program_;
    const { J, p } = run(statements, { ...constants, ...this.values, X, y, n: np.len(X) });
    return [J, p];
  }
  get values() { return { ...this.parameters.object, ...this.statistics.object }; }
  program() { return new Program(stepProgram(this.network)); }
  start_values() { return new Map([...this.parameters, ...this.statistics]); }
  draw_masks(n) { return new Map(Object.entries(drawMasks(this.layers, this.n_in, n, randomOf(0)))); }
  trace(X, y, w = null) { return trace_of(this, Rows.of(X, y, w)); }
}

/** The values of one step by name. */
class Trace {
  constructor(program, before, after) {
    Object.assign(this, { program: new Program(program), before, values: { ...after, ...before } });
    const carried = [...program.parameters, ...program.statistics, ...program.states];
    this.after = new Map(carried.map((name) => [name, after[name]]));
  }
  get(name) {
    if (name in this.values) return this.values[name];
    return this.values[name.replace(/^(d?)z(?=\d)/, "$1a")]; // a layer without an activation
  }
  first_not_finite() {
    return Object.keys(this.values).find((name) => np.isArray(this.values[name]) || typeof this.values[name] === "number" ? !isFinite(this.values[name]) : false) ?? null;
  }
}
/** Compute the trace of one step; the dropout masks are the same in each call. */
export function trace_of(network, rows, optimizer = null, lr = 0) {
  const program = stepProgram({ ...network.network, optimizer }), n = np.len(rows.X);
  const states = Object.fromEntries(program.states.map((name) => [name, np.zeros_like(network.values[program.parameters.find((one) => name.endsWith(`_${one}`))])]));
  const before = { ...program.constants, ...network.values, ...states, ...drawMasks(network.layers, network.n_in, n, randomOf(0)), X: rows.X, y: rows.y, n, lr, t: 1 };
  return new Trace(program, before, run(program.statements, before));
}

/** Compute the largest curvature of the objective at the network's parameters. */
export function sharpness(network, X, y, rounds = 60) {
  const program = neededFor(stepProgram(network.network), network.program_.parameters.map((name) => `d${name}`)), names = network.program_.parameters;
  const [, targets] = network.prepare(X, y), shapes = names.map((name) => np.shape(network.parameters.get(name)));
  const vector = (arrays) => np.array(arrays.flatMap((one) => Array.from(one.data)));
  const gradient = (theta) => {
    let start = 0;
    const values = names.map((name, k) => {
      const count = shapes[k].reduce((a, b) => a * b, 1);
      return [name, np.ndarray(shapes[k], theta.data.slice(start, (start += count)))];
    });
    const found = run(program.statements, { ...program.constants, ...network.values, ...Object.fromEntries(values), X, y: targets, n: np.len(X) });
    return vector(names.map((name) => found[`d${name}`]));
  };
  const here = vector(names.map((name) => network.parameters.get(name)));
  return computed.largest_curvature(gradient, here, randomOf(0).standard_normal([np.size(here)]), rounds);
}

// -- training -----------------------------------------------------------------------------------------------

export class Recipe extends Record {
  static fields = ["optimizer", "epochs", "batch_size", "shuffle", "validation", "sample_weight", "class_weight"];
  static defaults = { shuffle: () => true };
}
export class History extends Map {
  static of() { return Object.assign(new History(), { settings: new Map(), stopped: "", terms: null, opening: "" }); }
}
export class DivergenceError extends Error {
  constructor(losses) { super("training diverged"); this.history = new History([["loss", losses]]); }
}
const LONG = 5000; // epochs: only the search for a rate that settles trains for so long
/** How many milliseconds long trainings may take in a diagnosis, and whether one was ended. */
export const patience = { left: Infinity, ended: false };
/** Train a network; the loss of an epoch is that of the parameters at its beginning. */
export function train(network, X, y, { optimizer, epochs, batch_size: batch }) {
  network.build(X.shape[1]);
  const targets = np.shape(y).length === 1 ? np.as_column(y) : y, n = np.len(X), size = Math.min(batch ?? n, n);
  const program = stepProgram({ ...network.network, optimizer }), random = randomOf(1), losses = [];
  const carried = [...program.parameters, ...program.statistics, ...program.states];
  const states = Object.fromEntries(program.states.map((name) => [name, np.zeros_like(network.values[program.parameters.find((one) => name.endsWith(`_${one}`))])]));
  let values = { ...network.values, ...states }, t = 0;
  const begun = performance.now(), most = epochs < LONG ? Infinity : patience.left;
  const keep = () => network.set_values(Object.entries(values).filter(([name]) => network.parameters.has(name) || network.statistics.has(name)));
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    if (epoch % 100 === 0 && performance.now() - begun > most) {
      Object.assign(patience, { left: 0, ended: true });
      throw new DivergenceError(losses);
    }
    const order = size < n ? np.permutation(n, random.next) : null;
    if (order) { keep(); losses.push(network.measure(X, targets)[0]); }
    for (let start = 0; start < n; start += size, t += 1) {
      const rows = order?.slice(start, start + size), masks = drawMasks(network.layers, network.n_in, rows?.length ?? n, random);
      const found = run(program.statements, {
        ...program.constants, ...values, ...masks, X: rows ? np.take(X, rows) : X, y: rows ? np.take(targets, rows) : targets,
        n: rows?.length ?? n, lr: optimizer.schedule(t), t: t + 1,
      });
      if (!Number.isFinite(found.J) || !carried.every((name) => isFinite(found[name]))) throw new DivergenceError(losses);
      if (!order) losses.push(found.J);
      values = Object.fromEntries(carried.map((name) => [name, found[name]]));
    }
  }
  keep();
  if (epochs >= LONG) patience.left -= performance.now() - begun;
  return new History([["loss", losses]]);
}

// -- code -----------------------------------------------------------------------------------------------------

/** A piece of code, which is written as it is. */
export class Code {
  static of(text) { return Object.assign(new Code(), { text }); }
}
export const of_the_library = () => true;

/** Return code with the imports that it needs. */
export function with_imports(code) {
  const plain = code.replace(/#.*|"[^"]*"|'[^']*'/g, " "), names = new Set(plain.match(/(?<![\w.])[A-Za-z_]\w*/g));
  const lines = names.has("np") ? ["import numpy as np"] : [];
  for (const [path, known] of Object.entries(importable)) {
    const needed = known.filter((name) => names.has(name)).sort();
    if (needed.length) lines.push(`from ${path} import ${needed.join(", ")}`);
  }
  return [...lines, code].join("\n");
}

/** Return the network of a run as the doctor sees it. */
export function networkOf(trained, settings) {
  const { network, inputs, values, classes } = trained, penalty = network.regularizer;
  const found = new Model(network.layers.map(layerOf), {
    loss: new Loss(network.loss.name), regularizer: penalty && new Penalty(penalty.name, penalty.value), classes,
  });
  const { birth } = trained, isOwn = birth?.network === network; // whether nothing but steps has changed the network
  return Object.assign(found.placed(inputs, values), {
    is_fresh: isOwn && birth.values === values, rng_made: isOwn ? `np.random.default_rng(${settings.seed})` : null,
  });
}
/** Return the optimizer of settings as the doctor sees it. */
export function optimizerFor(settings) {
  const { schedule: kind, lr, schedule_steps: steps } = settings;
  const { optimizer } = described({ ...settings, hidden: [], regularizer: "" }, 1, "SquaredError");
  if (kind === "constant") return optimizerOf(settings.optimizer, lr);
  const [before, after] = catalogue.optimizers[settings.optimizer].repr.split("@");
  return optimizerOf(settings.optimizer, scheduleOf({ kind, lr, steps, text: optimizer.code.slice(before.length, optimizer.code.length - after.length) }));
}
