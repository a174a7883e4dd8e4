// The backend of the page without a server: a session in the browser, with the actions of the server's session.
import * as np from "./arrays.js";
import { featuresOf, inputsOf, loadData, makeData, planeOf } from "./data.js";
import { neededFor } from "./program.js";
import { choices, first, generated, side, tables, unitSide, version } from "./settings.js";
import { bytes, decoded } from "./state.js";
import { offline, refusals } from "./strings.js";
import { run } from "./syntax.js";
import { described, initialValues, randomOf, Run } from "./training.js";
import { number, Walk } from "./walk.js";

const KEEPS_WEIGHTS = ["lr", "schedule", "schedule_steps", "optimizer", "batch_size", "regularizer", "lam"];
const OF_ROWS = ["data", "rows", "noise", "data_seed", "held_out"];
const DRAWN = "your points", MOST_POINTS = 5000;
const MIDDLE = 128, LARGEST = 127, LARGEST_SINGLE = 3.4028234663852886e38;

/** Load a module of actions that few visitors use. */
const later = (name) => import(`./${name}.js`);

/** Answer the page's questions, as `connect` of the version with a server does. */
export function connect() {
  const begun = loadData(first.data).then(() => new Session());
  let waiting = 0;
  return {
    get waiting() { return waiting; },
    async ask(action, fields = {}) {
      if (!Session.actions.has(action)) throw new Error(refusals.action(JSON.stringify(action)));
      waiting += 1;
      try {
        await new Promise((resolve) => setTimeout(resolve));
        const session = await begun;
        if (action === "configure") await loadData(fields.settings?.data);
        return decoded(await session[action](fields));
      } finally {
        waiting -= 1;
      }
    },
  };
}

export class Session {
  static actions = new Set([
    "hello", "view", "configure", "reset", "frame", "advance", "epoch", "travel", "choose_row", "statement", "weight",
    "set_weight", "unit", "loss", "restart", "add_point", "draw", "choose_axes", "open_table", "doctor", "code", "export",
    "open_model", "lessons", "museum", "exhibit", "exhibit_doctor", "game", "game_hint", "game_guess", "game_reveal",
    "keep", "swap", "end_comparison", "landscape", "replay",
  ]);

  constructor(settings = first) {
    this.row = 0;
    this.own = {}; // the points that were drawn, and tables of the user, by name
    this.other = null; // the network that is kept for comparison, on the same data
    this.given = null; // the weights of a file, for the settings that describe its network
    this.begin(settings);
  }

  /** All lessons; those on images and tables need the server, and are left out. */
  async lessons() {
    return { lessons: structuredClone((await later("lessons")).lessons) };
  }

  // -- beginnings --------------------------------------------------------------------------------

  /** Begin with new data, new weights and a new run; nothing changes if the settings are refused. */
  begin(settings, kept = null) {
    const own = Object.hasOwn(this.own, settings.data) ? this.own[settings.data] : null;
    const data = own ? split(own, settings) : makeData(settings);
    const loss = usualLoss(settings, data);
    const outputs = loss === "CrossEntropy" ? data.classes.length : 1;
    const network = described(settings, outputs, loss);
    const X = inputsOf(data.raw, data.features, data.columns);
    const axes = this.data?.columns.join() === data.columns.join() ? this.axes : [0, Math.min(1, data.columns.length - 1)];
    const y = outputs > 1 ? np.positive(np.equal(np.as_column(np.array(data.y)),
      np.array(data.classes.map((_, k) => k)))) : np.as_column(np.array(data.y));
    const rows = (from, to) => ({ X: np.take(X, np.range(from, to)), y: np.take(y, np.range(from, to)) });
    const held = data.training < data.rows ? rows(data.training, data.rows) : null;
    const random = randomOf(settings.seed);
    const drawn = initialValues(network.layers, data.features.length, random), { given } = this;
    const opens = kept === null && given !== null && given.structure === structureOf(settings);
    if (opens) given.check(drawn, given.arrays, given.name);
    const values = kept ?? (opens ? given.arrays : drawn);
    const begun = new Run(network, settings, data, rows(0, data.training), held, random, values);
    if (values === drawn) begun.birth = { network, values: begun.values };
    Object.assign(this, { settings, data, loss_name: loss, run: begun, axes, drawing: null,
      plane: data.side ? null : planeOf(data, axes) });
    this.afterNewModel();
  }

  changeTraining(settings) {
    const network = described(settings, this.run.network.layers.at(-1).units, this.loss_name);
    this.run.setTraining(network, settings);
    this.run.record();
    this.settings = settings;
    this.afterNewModel();
  }

  afterNewModel() {
    this.walk = null;
    this.row = Math.min(this.row, this.data.training - 1);
    const units = [];
    for (const { tree } of this.run.inference.statements) multipliedFirst(tree, units);
    this.units = units.slice(1);
    this.mapProgram = neededFor(this.run.inference, [...this.units, "p"]);
  }

  // -- actions: settings ---------------------------------------------------------------------------

  hello() {
    return { version, choices, ...this.view() };
  }

  configure({ settings }) {
    const given = { ...this.settings, ...settings };
    if (given.data !== this.settings.data) {
      const known = choices.data.find((one) => one.name === given.data);
      if (!("noise" in settings) && known) given.noise = known.noise;
      if (!("features" in settings)) given.features = this.usualFeatures(given.data);
      if (!("loss" in settings)) given.loss = "auto";
    }
    Object.assign(given, checked(given, settings, this.own));
    const changed = Object.keys(given).filter((name) => JSON.stringify(given[name]) !== JSON.stringify(this.settings[name]));
    if (changed.some((name) => !KEEPS_WEIGHTS.includes(name))) this.beginBoth(given, changed.some((name) => OF_ROWS.includes(name)));
    else if (changed.length) this.changeTraining(given);
    return this.view();
  }

  usualFeatures(name) {
    if (Object.hasOwn(this.own, name)) return this.own[name].columns;
    return Object.hasOwn(tables, name) ? featuresOf(name) : ["x1", "x2"];
  }

  reset() {
    this.beginBoth(this.settings, false);
    return this.view();
  }

  /** Begin anew; so does the network that is kept for comparison, on the same data. */
  beginBoth(settings, isNew) {
    const other = this.other && this.other.copy();
    if (other) {
      other.own = this.own;
      const same = isNew ? Object.fromEntries(OF_ROWS.map((name) => [name, settings[name]])) : {};
      if (settings.data !== this.settings.data) Object.assign(same, { loss: "auto", features: settings.features });
      other.begin({ ...other.settings, ...same });
    }
    this.begin(settings);
    this.other = other;
  }

  copy() {
    return Object.assign(Object.create(Session.prototype), this, { other: null });
  }

  // -- actions: comparison -----------------------------------------------------------------------

  keep() {
    this.other = this.copy();
    this.other.run = this.run.copy();
    return this.view();
  }

  swap() {
    if (!this.other) throw new Error(refusals.not_kept);
    const [mine, theirs] = [this.copy(), this.other];
    Object.assign(this, theirs, { other: mine, row: mine.row, own: mine.own });
    this.afterNewModel();
    return this.view();
  }

  end_comparison() {
    this.other = null;
    return this.view();
  }

  shown() {
    return { settings: this.settings, network: this.networkView() };
  }

  view() {
    const own = Object.values(this.own).map(({ name, words }) => ({ name, words, noise: 0, own: true }));
    return {
      settings: this.settings, sets: [...choices.data, ...own], data: this.dataView(), network: this.networkView(),
      frame: this.frame(), other: this.other && this.other.shown(),
    };
  }

  dataView() {
    const { data, plane, axes } = this;
    return {
      name: data.name, words: data.words, columns: data.columns, classes: data.classes, features: data.features,
      offered: data.offered, training: data.training, rows: data.rows, axes, low: plane?.low ?? [0, 0], high: plane?.high ?? [1, 1],
      points: base64(Float32Array.from({ length: 2 * data.rows }, (_, k) => data.raw.data[(k >> 1) * data.columns.length + axes[k % 2]])),
      targets: base64(Float32Array.from(data.y)), image_side: data.side ?? 0,
      target_range: this.scale(),
    };
  }

  networkView() {
    const { settings, data, run: trained } = this;
    const parameters = Object.values(trained.parameters).reduce((sum, value) => sum + np.size(value), 0);
    const outputs = trained.network.layers.at(-1).units;
    return {
      inputs: data.features, is_image: Boolean(data.side), hidden: settings.hidden.map(({ units }, k) => ({ units, W: `W${k + 1}` })),
      outputs: outputs === data.classes.length ? data.classes : Array(outputs).fill("p"),
      loss: trained.network.loss.repr, parameters,
      description: trained.network.layers.map((layer) => layer.text).join("\n"), side, unit_side: unitSide,
      input_maps: this.plane && base64(signedBytes(thinned(this.plane.inputs))),
    };
  }

  scale() {
    return this.data.classes.length ? [0, 1] : [Math.min(...this.data.y), Math.max(...this.data.y)];
  }

  // -- actions: training ---------------------------------------------------------------------------

  frame() {
    const trained = this.run;
    const found = trained.course.findIndex((moment) => moment.step === trained.step);
    const here = found < 0 ? trained.course.length - 1 : found;
    const weights = Object.entries(trained.parameters).map(([name, { shape, data }]) => [name,
      { shape, data: base64(Float32Array.from(data)) }]);
    const course = trained.course.flatMap((moment) => [moment.step, ...moment.measured]);
    return {
      step: trained.step, epoch: trained.epoch, batch: trained.batch, batches: trained.batches,
      measured: trained.course[here].measured.map(number), latest: trained.course.at(-1).step, moment: here,
      weights: Object.fromEntries(weights), maps: this.maps(),
        activations: this.data.side ? this.activations() : null, course: base64(Float32Array.from(course)),
      moments: trained.course.length, rate: trained.rate(), stopped: trained.stopped,
      other: this.other && this.other.frame(),
    };
  }

  /** Return the values of all units for the drawing, or for the chosen row. */
  activations() {
    const pixels = this.drawing ?? Array.from(np.take(this.data.raw, [this.row]).data);
    const found = run(this.mapProgram.statements, { ...this.run.inference.constants, ...this.run.values, X: np.array([pixels]), n: 1 });
    return { pixels, units: this.units.map((name) => Array.from(found[name].data, number)), output: Array.from(found.p.data, number) };
  }

  maps() {
    if (!this.plane) return null;
    const given = { ...this.run.inference.constants, ...this.run.values, X: this.plane.inputs, n: side * side };
    const found = run(this.mapProgram.statements, given);
    const [low, high] = this.scale();
    const output = np.transpose(found.p).data.map((p) => (255 * (Math.min(Math.max(p, low), high) - low)) / Math.max(high - low, 1e-9));
    return { units: this.units.map((name) => base64(signedBytes(thinned(found[name])))), output: base64(asBytes(output)) };
  }

  advance({ steps }) {
    if (!(Number.isInteger(steps) && steps >= 1 && steps <= choices.most_steps)) {
      throw new Error(refusals.number("steps", true, 1, choices.most_steps, steps));
    }
    this.walk = null;
    this.run.advance(steps);
    this.other?.run.advance(steps);
    return this.frame();
  }

  epoch() {
    return this.advance({ steps: Math.min(this.run.batches - this.run.batch, choices.most_steps) });
  }

  travel({ moment }) {
    const { length } = this.run.course;
    if (!(moment >= 0 && moment < length)) throw new Error(refusals.moment(length, moment));
    this.walk = null;
    this.run.travel(moment);
    this.other?.run.travelNear(this.run.step);
    return this.frame();
  }

  /** Begin a new run from the present weights. */
  restart() {
    this.walk = null;
    this.run.restart();
    return this.frame();
  }

  /** Add a point to the data in the plane; the weights stay. */
  add_point({ x, y, target }) {
    const { data } = this;
    if (![x, y, target].every(Number.isFinite)) throw new Error(refusals.point);
    if (data.columns.join() !== "x1,x2") throw new Error(refusals.plane);
    if (data.classes.length && !(target in data.classes)) throw new Error(refusals.point_class(data.classes.length - 1));
    if (data.rows >= MOST_POINTS) throw new Error(refusals.points(MOST_POINTS));
    const before = this.own;
    const raw = np.array([[x, y], ...np.tolist(data.raw)]);
    const drawn = { ...data, name: DRAWN, words: offline.drawn, raw, y: [target, ...data.y], rows: data.rows + 1 };
    this.own = { ...before, [DRAWN]: drawn };
    try {
      this.begin({ ...this.settings, data: DRAWN }, this.run.values);
      if (this.other) {
        this.other.own = this.own;
        this.other.begin({ ...this.other.settings, data: DRAWN }, this.other.run.values);
      }
    } catch (error) {
      this.own = before;
      throw error;
    }
    return this.view();
  }

  draw({ pixels }) {
    const { side: width } = this.data;
    if (!width || ![0, width ** 2].includes(pixels.length)) throw new Error(refusals.not_images);
    for (const session of [this, this.other]) if (session) session.drawing = pixels.length ? pixels : null;
    return { ...this.activations(), other: this.other && this.other.activations() };
  }

  choose_axes({ first: across, second: up }) {
    const { length } = this.data.columns;
    if (across === up || !(across < length && up < length)) throw new Error(refusals.axes(length - 1));
    for (const session of [this, this.other]) if (session) Object.assign(session,
      { axes: [across, up], plane: planeOf(session.data, [across, up]) });
    return this.view();
  }

  /** Take a table of the user as data; without a target, return its columns to choose from. */
  async open_table({ name, content, target, impute }) {
    const { columnsOf, tableOf } = await later("own-table"), before = this.own;
    if (!target) return { columns: columnsOf(name, bytes(content)) };
    const data = tableOf(name, bytes(content), target, impute);
    this.own = { ...before, [data.name]: data };
    try {
      this.beginBoth({ ...this.settings, data: data.name, features: data.columns, loss: "auto" }, true);
    } catch (error) {
      this.own = before;
      throw error;
    }
    return this.view();
  }

  async doctor() { return (await later("doctor-session")).adviceOn(this.run, this.settings); }

  async replay({ kind }) {
    const { name, bytes: content } = await (await later("replay")).replayOf(this, kind);
    return { files: [{ name, content: base64(content) }] };
  }

  // -- actions: the museum -------------------------------------------------------------------------

  async museum() { return this.needMuseum() && (await later("museum")).mistakes(); }
  async exhibit({ name }) { return this.needMuseum() && (await later("museum")).exhibitOf(name); }
  async exhibit_doctor({ name }) { return this.needMuseum() && (await later("museum")).findingsOf(name); }

  async game({ seed }) {
    this.needMuseum();
    this.played = await (await later("museum")).Game.begin(seed);
    return this.played.networks;
  }

  game_hint() { return this.running().hint(); }
  game_guess({ choice }) { return this.running().guess(choice); }
  game_reveal() { return this.running().reveal(); }

  needMuseum() { return choices.museum || refuse(refusals.museum); }

  running() {
    this.needMuseum();
    if (!this.played) throw new Error(refusals.no_game);
    return this.played;
  }

  async code({ kind }) {
    return kind === "library" ? { kind, text: (await later("library-code")).libraryCode(this) } : refuse(refusals.code);
  }

  async export({ kind }) {
    const { exported, FORMATS } = await later("files");
    if (!FORMATS.includes(kind)) return refuse(refusals.exports);
    const { name, bytes: content } = exported(this, kind);
    return { files: [{ name, content: base64(content) }] };
  }

  /** Show the network of a file on the present data; nothing changes if it does not fit. */
  async open_model({ name, content }) {
    const { opened, checkArrays } = await later("files");
    const { settings: changes, inputs, arrays } = opened(name, bytes(content)), { features } = this.data;
    if (inputs !== features.length) throw new Error(refusals.model_inputs(name, inputs, features));
    const settings = { ...this.settings, ...changes }, before = this.given;
    Object.assign(settings, checked(settings, changes, this.own));
    this.given = { name, arrays, check: checkArrays, structure: structureOf(settings) };
    try {
      this.beginBoth(settings, false);
    } catch (error) {
      this.given = before;
      throw error;
    }
    return this.view();
  }

  async landscape({ directions }) {
    if (!["path", "random"].includes(directions)) throw new Error(refusals.directions(JSON.stringify(directions)));
    const found = (await later("landscape")).landscape(this.run, directions);
    const losses = base64(Float32Array.from(found.losses, (value) => Math.min(Math.max(value, -LARGEST_SINGLE), LARGEST_SINGLE)));
    return { ...found, losses, J: number(found.J), curvature: found.curvature === null ? null : number(found.curvature) };
  }

  // -- actions: inspection -------------------------------------------------------------------------

  choose_row({ row }) {
    if (!(row >= 0 && row < this.data.training)) throw new Error(refusals.row(this.data.training, row));
    this.row = row;
    this.walk = null;
    return { row, ...this.rowView() };
  }

  rowView() {
    const X = np.take(this.run.rows.X, [this.row]);
    const { p } = this.run.predicted({ X }, this.run.prediction);
    const label = this.data.y[this.row];
    const target = this.data.classes.length ? this.data.classes[label] : label;
    return { inputs: Array.from(X.data), target, prediction: Array.from(p.data, number) };
  }

  statement({ index, unit }) {
    if (this.walk === null || this.walk.step !== this.run.step || this.walk.unit !== unit) {
      const given = this.run.peek();
      const place = Math.max(given.places.indexOf(this.row), 0);
      this.walk = new Walk(this.run.program, given, place, unit);
      this.walk.rowShown = { place, row: given.places[place] };
      this.walk.step = this.run.step;
    }
    const { length } = this.walk.program.statements;
    if (!(index >= 0 && index < length)) throw new Error(refusals.statement(length, index));
    return { ...this.walk.describe(index), ...this.walk.rowShown };
  }

  async weight({ name, index }) {
    this.checkEntry(name, index);
    return (await this.inspection()).weight(name, index);
  }

  async set_weight({ name, index, value, final }) {
    this.checkEntry(name, index);
    if (!Number.isFinite(value)) throw new Error(refusals.finite(value));
    this.walk = null;
    this.run.setEntry(name, index, value);
    this.run.record();
    const inspection = await this.inspection();
    const found = { frame: this.frame(), weight: inspection.weightNow(name, index) };
    return final ? { ...found, details: inspection.weight(name, index) } : found;
  }

  checkEntry(name, index) {
    const { parameters } = this.run;
    if (!Object.hasOwn(parameters, name)) throw new Error(refusals.parameter(name, Object.keys(parameters)));
    const { shape } = parameters[name];
    if (index.length !== shape.length || !index.every((place, k) => Number.isInteger(place) && place >= 0 && place < shape[k])) {
      throw new Error(refusals.entry(name, shape, index));
    }
  }

  async unit({ layer, unit }) {
    return { ...(await this.inspection()).unit(layer, unit), ...this.rowView() };
  }

  async loss() {
    return { ...(await this.inspection()).loss(), ...this.rowView() };
  }

  async inspection() {
    const { Inspection } = await later("inspection");
    return new Inspection(this.run, this.row);
  }
}

function refuse(what) {
  throw new Error(refusals.needs_python(what));
}

/** Return data with another share held out, and other features. */
function split(data, { held_out: share, features }) {
  const training = Math.max(data.rows - Math.round(data.rows * share), Math.min(data.rows, 2));
  return { ...data, training, features };
}

/** Return what decides the shapes and the meaning of the parameters. */
const structureOf = ({ data, features, hidden, loss }) => JSON.stringify([data, features, hidden, loss]);

// -- settings --------------------------------------------------------------------------------------

function usualLoss({ loss }, { classes, name }) {
  if (loss === "auto") return classes.length === 0 ? "SquaredError" : classes.length === 2 ? "BinaryCrossEntropy" : "CrossEntropy";
  const isClassification = ["CrossEntropy", "BinaryCrossEntropy"].includes(loss);
  if (isClassification && classes.length === 0) throw new Error(refusals.needs_classes(loss, name));
  if (classes.length > 2 && loss !== "CrossEntropy") throw new Error(refusals.one_output(loss, classes.length));
  return loss;
}

/** Check changed settings: names that exist, and numbers in their ranges. */
function checked(given, changes, own) {
  for (const name of Object.keys(changes)) {
    if (!(name in first)) throw new Error(refusals.setting(JSON.stringify(name)));
    const range = choices.ranges[name];
    if (range) checkNumber(name, given[name], range);
  }
  const lists = { activation: "activations", loss: "losses", optimizer: "optimizers", schedule: "schedules", regularizer: "regularizers" };
  for (const [name, list] of Object.entries(lists)) {
    if (name in given && !choices[list].includes(given[name])) throw new Error(refusals.choice(name, JSON.stringify(given[name])));
  }
  const isKnown = Object.hasOwn(generated, given.data) || Object.hasOwn(tables, given.data) || Object.hasOwn(own, given.data);
  if (!isKnown) throw new Error(refusals.data(JSON.stringify(given.data)));
  if (!given.features.length) throw new Error(refusals.no_features);
  if (given.hidden.length > choices.most_layers) throw new Error(refusals.layers(choices.most_layers));
  const hidden = given.hidden.map((layer) => ({ units: 4, activation: "tanh", dropout: 0, batch_norm: false, ...layer }));
  for (const layer of hidden) {
    if (!choices.activations.includes(layer.activation)) throw new Error(refusals.choice("activation", JSON.stringify(layer.activation)));
    for (const [name, range] of Object.entries(choices.layer_ranges)) checkNumber(name, layer[name], range);
  }
  const offered = Object.hasOwn(own, given.data) ? own[given.data].offered : featuresOf(given.data);
  const other = given.features.find((name) => !offered.includes(name));
  if (other !== undefined) throw new Error(refusals.feature(JSON.stringify(other)));
  return { ...given, hidden, features: offered.filter((name) => given.features.includes(name)) };
}

function checkNumber(name, value, { low, high, whole }) {
  const isFine = typeof value === "number" && value >= low && value <= high && (!whole || Number.isInteger(value));
  if (!isFine) throw new Error(refusals.number(name, whole, low, high, JSON.stringify(value)));
}

// -- pictures --------------------------------------------------------------------------------------

function multipliedFirst(node, found) {
  if (node[0] === "binary" && node[1] === "MatMult" && node[2][0] === "name") found.push(node[2][1]);
  for (const part of node.slice(1)) if (Array.isArray(part) && typeof part[0] === "string") multipliedFirst(part, found);
}

/** Return every second point in both directions, of shape (units, unitSide²). */
function thinned({ shape: [, units], data }) {
  const stride = side / unitSide;
  const found = new Float64Array(units * unitSide * unitSide);
  for (let unit = 0; unit < units; unit += 1) {
    for (let i = 0; i < unitSide; i += 1) {
      for (let j = 0; j < unitSide; j += 1) {
        found[(unit * unitSide + i) * unitSide + j] = data[(i * stride * side + j * stride) * units + unit];
      }
    }
  }
  return np.ndarray([units, unitSide * unitSide], found);
}

/** Return maps as bytes: 128 is 0, each map uses the full range. */
function signedBytes(maps) {
  const finite = np.where(np.isfinite(maps), maps, 0);
  const largest = np.max(np.abs(finite), { axis: 1, keepdims: true });
  return asBytes(np.add(MIDDLE, np.multiply(LARGEST, np.divide(finite, np.maximum(largest, 1e-9)))).data);
}

/** Round to bytes; what is not a number becomes the middle. */
function asBytes(values) {
  const found = new Uint8Array(values.length);
  for (let k = 0; k < values.length; k += 1) {
    found[k] = Number.isNaN(values[k]) ? MIDDLE : Math.min(Math.max(Math.round(values[k]), 0), 255);
  }
  return found;
}

/** Return the bytes of numbers as base64 text. */
function base64(numbers) {
  const bytes = new Uint8Array(numbers.buffer);
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}
