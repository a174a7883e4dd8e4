// Python code that trains the network of the page with the library.
import * as np from "./arrays.js";
import { generated } from "./settings.js";

const python = (value) => (Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value));
const kindOf = (text) => text.split("(")[0];
const list = (values) => `[${values.join(", ")}]`;

/** Return Python code that trains the same network on the same kind of data with the library. */
export function libraryCode({ run, data, settings }) {
  const { layers, loss, regularizer, optimizer } = run.network;
  const schedule = settings.schedule === "constant" ? [] : [`from workings.schedules import ${/lr=(\w+)\(/.exec(optimizer.code)[1]}`];
  const names = ["Network", ...layers.map(({ kind }) => kind), kindOf(loss.repr), kindOf(optimizer.code),
    ...(regularizer ? [regularizer.name] : [])];
  const parts = [`loss=${loss.repr}`, ...(regularizer ? [`regularizer=${regularizer.code}`] : [])].join(", ");
  const held = data.training < data.rows ? `, validation=(X[${data.training}:], y[${data.training}:])` : "";
  return [
    `from workings import ${[...new Set(names)].sort().join(", ")}`, ...schedule, ...dataLines(data, settings),
    `net = Network(${list(layers.map(({ text }) => text))}, ${parts}, seed=${settings.seed})`,
    `history = net.fit(X[:${data.training}], y[:${data.training}], optimizer=${optimizer.code}, epochs=${Math.max(run.epoch, 100)},`,
    `                  batch_size=${settings.batch_size || "None"}${held})`, "",
  ].join("\n");
}

const numbers = (values) => list(values.map((value) => (Array.isArray(value) ? list(value.map(python)) : python(value))));
const texts = (values) => `(${values.map((one) => `'${one}'`).join(", ")}${values.length === 1 ? "," : ""})`;

function dataLines(data, settings) {
  if (Object.hasOwn(generated, data.name)) {
    return [
      "from workings.play.play_data import generate", "from workings.play.session_settings import Settings",
      `data = generate(Settings(data='${settings.data}', rows=${settings.rows}, noise=${python(settings.noise)}, ` +
        `data_seed=${settings.data_seed})).with_features(${texts(data.features)})`,
      "X, y = data.inputs(data.raw), data.y",
    ];
  }
  const made = data.source ?? (data.file ? tableLines(data.file) : null) ?? ["import numpy as np", `X = np.array(${numbers(np.tolist(data.raw))})`, `y = np.array(${numbers(data.y)})`];
  if (data.features.join() === data.columns.join()) return made;
  if (data.source || data.file) return [...made, `X = X[:, ${list(data.features.map((name) => data.columns.indexOf(name)))}]`];
  return [...made, "from workings.play.play_data import FEATURES",
    `X = np.column_stack([FEATURES[name](X[:, 0], X[:, 1]) for name in ${texts(data.features)}])`];
}

/** Return the lines that read the file of a table. */
function tableLines({ name, target, left, isFilled }) {
  const dropped = left.length ? `.drop([${left.map((column) => JSON.stringify(column)).join(", ")}])` : "";
  return [
    "import numpy as np", "from workings.tables import Preprocessing, read_table",
    `table = read_table(${JSON.stringify(name)})${dropped}`,
    `learned = Preprocessing.learn(table, ${JSON.stringify(target)}, impute=${isFilled ? "True" : "False"})`,
    "X, y = learned.transform(table), np.asarray(learned.targets(table))",
    "order = np.random.default_rng(0).permutation(len(y))", "X, y = X[order], y[order]",
  ];
}
