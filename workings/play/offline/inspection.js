// What the page shows of a weight, a unit or the loss: their statements, the objective as a function of a weight, paths.
import * as np from "./arrays.js";
import { entryOf, offset } from "./entries.js";
import { pathsOf } from "./paths.js";
import { neededFor, stepProgram } from "./program.js";
import { run } from "./syntax.js";
import { drawMasks, randomOf } from "./training.js";
import { number, Walk } from "./walk.js";

const POINTS = 61;

/** All training rows as one batch, to inspect a weight, a unit or the loss. */
export class Inspection {
  constructor(trained, row) {
    this.trained = trained;
    const { X, y } = trained.rows;
    const n = np.len(X);
    const program = stepProgram({ ...trained.network, optimizer: null });
    const masks = drawMasks(trained.network.layers, trained.inputs, n, randomOf(0));
    this.given = { ...program.constants, ...trained.values, ...masks, X, y, n };
    this.walk = new Walk(program, this.given, Math.min(row, n - 1), 0);
    this.statements = program.statements;
  }

  weightNow(name, index) {
    const found = run(this.statements, this.given);
    const J = number(found.J);
    return {
      entry: `${name}[${index.join(",")}]`, name, index, value: entryOf(this.given[name], index),
      gradient: number(entryOf(found[`d${name}`], index)), J,
    };
  }

  weight(name, index) {
    const { walk, statements } = this;
    const last = statements.findIndex((statement) => statement.target === `d${name}`);
    const described = walk.describe(last, index);
    const slope = walk.difference(name, offset(this.given[name], index));
    return {
      ...this.weightNow(name, index), gradient_statement: described, slope: number(slope), profile: this.profile(name, index),
      course: this.trained.course.map((moment) => [moment.step, number(entryOf(moment.values[name], index))]),
      why: pathsOf(walk.program, run(statements, this.given), name, index),
    };
  }

  // The objective as a function of one weight, all others as they are.
  profile(name, index) {
    const { shape, data } = this.given[name];
    const at = offset(this.given[name], index);
    const reach = Math.max(2, 1.5 * Math.abs(data[at]));
    const places = Array.from({ length: POINTS }, (_, k) => data[at] - reach + (2 * reach * k) / (POINTS - 1));
    const forward = neededFor({ statements: this.statements }, ["J"]).statements;
    const J = places.map((value) => {
      const moved = data.slice();
      moved[at] = value;
      return number(run(forward, { ...this.given, [name]: np.ndarray(shape, moved) }).J);
    });
    return { at: places, J };
  }

  unit(layer, unit) {
    this.walk.unit = unit;
    const found = [];
    let isInside = false;
    for (const [place, statement] of this.forward()) {
      const described = this.walk.describe(place);
      const weights = [...statement.reads].filter((name) => /^W\d+$/.test(name));
      if (weights.length) isInside = weights.includes(`W${layer}`) && statement.target === `z${layer}`;
      if (isInside && !["losses", "J"].includes(statement.target)) found.push(described);
    }
    return { layer, unit, row: this.walk.row, statements: found };
  }

  loss() {
    const found = this.forward().filter(([, { part }]) => !part.startsWith("layer"));
    return { row: this.walk.row, statements: found.map(([place]) => this.walk.describe(place)) };
  }

  forward() {
    return [...this.statements.entries()].filter(([, { stage }]) => stage === "forward");
  }
}
