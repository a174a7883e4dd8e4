// What the page shows of a statement: code, equation, numbers, finite differences.
import * as np from "./arrays.js";
import { entryOf, entryTree, offset } from "./entries.js";
import { entryEquation, equation } from "./equations.js";
import { neededFor } from "./program.js";
import { stageWords } from "./settings.js";
import { offline } from "./strings.js";
import { run, valueOf } from "./syntax.js";

const MOST_CELLS = 144, MOST_ROWS_SHOWN = 12, FEW_SLOPES = 64, TOLERANCE = 1e-5;
export const number = (value) => (Number.isFinite(value) ? value : null);
const shapeText = (shape) => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;

/** Add the names that gradients may be of. */
export function withNames(program) {
  const names = new Set([...program.parameters, ...program.statements.map((statement) => statement.target)]);
  return { ...program, names };
}

/** Runs statements one by one, and describes each for the page. */
export class Walk {
  constructor(program, given, row, unit) {
    Object.assign(this, { program: withNames(program), given, row, unit, moments: [{ ...given }] });
    this.forward = neededFor(program, ["J"]);
  }

  describe(index, entry = null) {
    const { statements } = this.program;
    for (let k = this.moments.length - 1; k <= index; k += 1) {
      const { target, tree } = statements[k];
      this.moments.push({ ...this.moments[k], [target]: valueOf(tree, this.moments[k]) });
    }
    [this.before, this.values] = [this.moments[index], this.moments[index + 1]];
    return {
      ...this.described(statements[index], entry), index,
      outline: statements.map(({ target, stage }) => ({ target, stage })), off: this.dropped(),
    };
  }

  /** Return the units that dropout sets to 0 in the chosen row of this step, by the number of their mask. */
  dropped() {
    const masks = Object.entries(this.given).filter(([name]) => name.startsWith("mask"));
    return Object.fromEntries(masks.map(([name, mask]) => {
      const [, units] = mask.shape;
      return [name.slice(4), np.range(units).filter((unit) => mask.data[this.row * units + unit] === 0)];
    }));
  }

  described(statement, entry = null) {
    const { target, code, stage, part, words } = statement;
    const value = this.values[target];
    const place = entry ?? this.shown(value, target);
    const tree = entryTree(statement.tree, place, this.before);
    const slopes = stage === "backward" ? this.slopes(target, value, place) : null;
    const reads = [...statement.reads].sort();
    return {
      target, code: `${target} = ${code}`, stage, stage_words: stageWords[stage], part, words, reads,
      equation: equation(statement, this.program),
      entry: entryEquation(target, place, tree, entryOf(value, place), this.program),
      index_shown: place, value: number(entryOf(value, place)), shapes: this.shapes(reads, target, value),
      slope: slopes?.text ?? "", agrees: slopes?.agrees ?? true, table: tableOf(value),
    };
  }

  // The entry that is shown: the chosen row and unit, as far as the array has them.
  shown(value, target) {
    const shape = np.shape(value);
    const ofRow = shape.length === 2 && shape[0] === this.given.n && !this.isParameter(target);
    const last = Math.min(this.unit, (shape.at(-1) ?? 1) - 1);
    if (shape.length === 0) return [];
    return shape.length === 1 ? [last] : [ofRow ? Math.min(this.row, shape[0] - 1) : 0, last];
  }

  isParameter(target) {
    return this.program.parameters.some((name) => target === name || target === `d${name}` || target.endsWith(`_${name}`));
  }

  shapes(reads, target, value) {
    const shapeOf = (name) => np.shape(this.values[name]);
    const read = reads.filter((name) => shapeOf(name).length).map((name) => `${name} ${shapeText(shapeOf(name))}`);
    const result = `${target} ${np.isArray(value) ? shapeText(value.shape) : "scalar"}`;
    return read.length ? `${read.join(", ")} → ${result}` : result;
  }

  // The gradient of a named value beside finite differences of J.
  slopes(target, gradient, place) {
    const name = target.slice(1);
    const known = this.values[name];
    if (!target.startsWith("d") || !np.isArray(known) || !np.isArray(gradient) || `${known.shape}` !== `${gradient.shape}`) return null;
    const all = gradient.data.length <= FEW_SLOPES ? np.range(gradient.data.length) : [offset(gradient, place)];
    const found = all.map((at) => this.difference(name, at));
    const size = Math.max(...found.map(Math.abs), 1e-3);
    const error = Math.max(...all.map((at, k) => Math.abs(found[k] - gradient.data[at]))) / size;
    const there = found[all.indexOf(offset(gradient, place))];
    const agrees = error <= TOLERANCE;
    const count = all.length > 1 && agrees ? offline.all_agree(all.length, error.toExponential(0)) : "";
    const differs = agrees ? "" : offline.differ(error.toExponential(0));
    return { agrees, text: offline.slope(`${name}[${place}]`, there.toPrecision(6)) + count + differs, there };
  }

  /** The central difference of J by one entry of a value, in a step that balances truncation and rounding. */
  difference(name, at) {
    const { shape, data } = this.values[name];
    const step = 6e-6 * Math.max(Math.abs(data[at]), 1);
    const later = this.after(name);
    const J = (value) => {
      const moved = data.slice();
      moved[at] = value;
      return run(later, { ...this.values, [name]: np.ndarray(shape, moved) }).J;
    };
    return (J(data[at] + step) - J(data[at] - step)) / (2 * step);
  }

  // The statements from a name to J.
  after(name) {
    const forward = this.program.statements.filter((statement) => statement.stage === "forward");
    const last = forward.findLastIndex((statement) => statement.target === name);
    return neededFor({ statements: forward.slice(last + 1) }, ["J"]).statements;
  }
}

function tableOf(value) {
  if (!np.isArray(value)) return null;
  const list = np.tolist(value);
  const rows = value.shape.length === 2 ? list : [list];
  const shown = rows.slice(0, MOST_ROWS_SHOWN);
  if (shown.length * shown[0].length > MOST_CELLS) return null;
  return { rows: shown.map((row) => row.map((entry) => number(Number(entry)))), more: rows.length - shown.length };
}
