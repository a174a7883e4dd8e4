// Python code that trains the network of the page with the library; Python has written the templates.
import * as np from "./arrays.js";
import { code, generated } from "./settings.js";

const filled = (name, values) => code[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const python = (value) => (Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value));
const kindOf = (text) => text.split("(")[0];
const list = (values) => `[${values.join(", ")}]`;
const numbers = (values) => list(values.map((value) => (Array.isArray(value) ? list(value.map(python)) : python(value))));
const texts = (values) => `(${values.map((one) => `'${one}'`).join(", ")}${values.length === 1 ? "," : ""})`;

/** Return Python code that trains the same network on the same kind of data with the library. */
export function libraryCode({ run, data, settings }) {
  const { layers, loss, regularizer, optimizer } = run.network, { training } = data;
  const names = ["Network", ...layers.map(({ kind }) => kind), kindOf(loss.repr), kindOf(optimizer.code),
    ...(regularizer ? [regularizer.name] : [])];
  return filled("training", {
    names: [...new Set(names)].sort().join(", "), data: dataCode(data, settings), layers: list(layers.map(({ text }) => text)),
    schedule: settings.schedule === "constant" ? "" : filled("schedule", { name: /lr=(\w+)\(/.exec(optimizer.code)[1] }),
    parts: [`loss=${loss.repr}`, ...(regularizer ? [`regularizer=${regularizer.code}`] : [])].join(", "),
    seed: settings.seed, training, optimizer: optimizer.code, epochs: Math.max(run.epoch, 100),
    batch_size: settings.batch_size || "None", validation: training < data.rows ? filled("validation", { training }) : "",
  });
}

function dataCode(data, settings) {
  const { source, file, features } = data;
  if (Object.hasOwn(generated, data.name)) {
    return filled("generated", { ...settings, data: `'${settings.data}'`, noise: python(settings.noise), features: texts(features) });
  }
  const made = source?.join("\n") ?? (file ? filled("table", ofTable(file))
    : filled("literal", { X: numbers(np.tolist(data.raw)), y: numbers(data.y) }));
  if (features.join() === data.columns.join()) return made;
  if (source || file) return made + filled("columns", { places: list(features.map((name) => data.columns.indexOf(name))) });
  return made + filled("features", { features: texts(features) });
}

/** Return what the code that reads a table depends on. */
const ofTable = ({ name, target, left, isFilled }) => ({
  file: JSON.stringify(name), target: JSON.stringify(target), impute: isFilled ? "True" : "False",
  dropped: left.length ? `.drop([${left.map((column) => JSON.stringify(column)).join(", ")}])` : "",
});
