// The network as files, and from files: safetensors and JSON, as the library writes and reads them.
import * as np from "./arrays.js";
import { catalogue } from "./formulas.js";
import { neededFor } from "./program.js";
import { templates, version } from "./settings.js";
import { refusals } from "./strings.js";

const FORMAT = "workings network", VERSION = 1;
export const FORMATS = ["safetensors", "json"];

/** Return the network as a file: its name and its bytes. */
export function exported(session, kind) {
  const bytes = kind === "json" ? new TextEncoder().encode(jsonOf(session)) : safetensorsOf(session);
  return { name: `network.${kind}`, bytes };
}

/** Return what describes the network in a file, as `description_of` of the library does. */
function about({ run: { network, inputs }, data }) {
  const layers = network.layers.map(({ kind, units, activation, rate }) => ({
    ...templates.layers[kind],
    ...(units === undefined ? {} : { units }), ...(rate === undefined ? {} : { rate }),
    ...(activation === undefined ? {} : { activation: templates.activations[activation] }),
  }));
  const { regularizer } = network;
  return {
    version: VERSION, written_by: version, versions: { workings: version },
    network: {
      n_in: inputs, dtype: "float64", layers, loss: templates.losses[network.loss.name],
      regularizers: regularizer ? [{ kind: regularizer.name, lam: regularizer.value }] : [],
      classes: data.classes.length ? np.range(data.classes.length) : null, preprocessing: null,
    },
  };
}

const arraysOf = ({ run: { program, values } }) =>
  Object.fromEntries([...program.parameters, ...program.statistics].map((name) => [name, values[name]]));

function jsonOf(session) {
  const { run: { inference } } = session, arrays = Object.entries(arraysOf(session));
  const prediction = neededFor(inference, ["p"]).statements.map(({ target, code }) => `${target} = ${code}`);
  const listed = arrays.map(([name, value]) => [name, { shape: value.shape, values: np.tolist(value) }]);
  return `${JSON.stringify({ format: FORMAT, ...about(session), prediction, arrays: Object.fromEntries(listed) })}\n`;
}

// Eight bytes with the length of the header, the header as JSON, and all numbers, each array after the other.
function safetensorsOf(session) {
  const header = { __metadata__: { workings: JSON.stringify(about(session)) } }, arrays = arraysOf(session);
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(arrays)) {
    header[name] = { dtype: "F64", shape, data_offsets: [end, end += 8 * data.length] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header)), length = 8 * Math.ceil(text.length / 8);
  const bytes = new Uint8Array(8 + length + end).fill(0x20, 8, 8 + length), view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(length), true);
  bytes.set(text, 8);
  let at = 8 + length;
  for (const { data } of Object.values(arrays)) for (const value of data) { view.setFloat64(at, value, true); at += 8; }
  return bytes;
}

// -- reading ---------------------------------------------------------------------------------------

/** Return the settings and the arrays of the network in a file. */
export function opened(name, bytes) {
  const kind = /\.(safetensors|json)$/i.exec(name)?.[1].toLowerCase();
  if (!kind) throw new Error(refusals.model_kind(name));
  let found;
  try {
    found = kind === "json" ? fromJson(bytes) : fromSafetensors(bytes);
  } catch { throw new Error(refusals.damaged(name)); }
  if (found.about.version !== VERSION) throw new Error(refusals.model_version(name));
  const { network } = found.about;
  try {
    return { ...settingsOf(network, name), inputs: network.n_in, arrays: found.arrays };
  } catch (error) { throw error instanceof TypeError ? new Error(refusals.damaged(name)) : error; }
}

function fromJson(bytes) {
  const found = JSON.parse(new TextDecoder().decode(bytes));
  if (found.format !== FORMAT) throw new TypeError(found.format);
  const arrays = Object.entries(found.arrays).map(([name, { shape, values }]) => [name,
    np.ndarray(shape, Float64Array.from(values.flat()))]);
  return { about: found, arrays: Object.fromEntries(arrays) };
}

const READERS = { F64: [8, "getFloat64"], F32: [4, "getFloat32"] };

function fromSafetensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset), start = 8 + Number(view.getBigUint64(0, true));
  const { __metadata__: { workings }, ...arrays } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const read = ({ dtype, shape, data_offsets: [from, to] }) => {
    const [size, method] = READERS[dtype];
    return np.ndarray(shape, Float64Array.from({ length: (to - from) / size }, (_, k) =>
      view[method](start + from + size * k, true)));
  };
  const named = Object.entries(arrays).map(([name, one]) => [name, read(one)]);
  return { about: JSON.parse(workings), arrays: Object.fromEntries(named) };
}

// Each Dense layer takes the BatchNorm and the Dropout after it.
function settingsOf({ layers, loss, regularizers, preprocessing }, name) {
  const refuse = () => { throw new Error(refusals.model_layers(name)); };
  const rest = [...layers], last = rest.pop(), hidden = [];
  const isPlain = (layer) => layer.kind === "Dense" && layer.bias === true;
  if (!last || !isPlain(last) || last.activation.name !== "identity" || preprocessing !== null) refuse();
  while (rest.length) {
    const dense = rest.shift(), found = { units: dense.units, dropout: 0, batch_norm: false };
    if (!isPlain(dense)) refuse();
    let { activation } = dense;
    if (rest[0]?.kind === "BatchNorm" && activation.name === "identity") {
      ({ activation } = rest[0]);
      if (!isSame({ ...templates.layers.BatchNorm, activation }, rest.shift())) refuse();
      found.batch_norm = true;
    }
    if (rest[0]?.kind === "Dropout") found.dropout = rest.shift().rate;
    if (!isSame(templates.activations[activation.name], activation)) refuse();
    hidden.push({ ...found, activation: activation.name });
  }
  const penalty = regularizers[0], isKnown = !penalty || Object.hasOwn(catalogue.regularizers, penalty.kind);
  if (!isSame(templates.losses[loss.kind], loss) || regularizers.length > 1 || !isKnown) refuse();
  const penalties = penalty ? { regularizer: penalty.kind, lam: penalty.lam } : { regularizer: "" };
  return { settings: { hidden, loss: loss.kind, ...penalties } };
}

const sorted = (value) => (value && typeof value === "object" && !Array.isArray(value)
  ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])) : value);
const isSame = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/** Check that a file has the network's arrays: names, shapes, and finite numbers. */
export function checkArrays(expected, arrays, name) {
  const isFine = ([key, { shape }]) => Object.hasOwn(arrays, key) && isSame(arrays[key].shape, shape)
    && arrays[key].data.length === np.size(expected[key]) && arrays[key].data.every(Number.isFinite);
  if (!Object.entries(expected).every(isFine)) throw new Error(refusals.model_arrays(name));
}
