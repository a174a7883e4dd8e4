// The loss landscape of a run: the loss over a plane through the parameters, and the largest curvature of the loss.
// Losses and gradients come from the network's statements, the formulas of directions, axes and curvature from the library.
// Here is what the library takes from NumPy: the first two terms of a singular value decomposition.
import * as np from "./arrays.js";
import { largest_curvature, margin_of, shares_of, towards_end, with_norms_of } from "./landscape-formulas.js";
import { neededFor, stepProgram } from "./program.js";
import { refusals } from "./strings.js";
import { run } from "./syntax.js";
import { randomOf } from "./training.js";

const POINTS = 27, FEWEST_POINTS = 9, MOST_ROWS = 1000;
const MOST_WORK = 2e8, WORK_OF_STATEMENT = 200; // multiplications, and how many of them a statement takes for each row
const ROUNDS = 60, MOST_ROUNDS = 2000;

/** Return the loss around the present parameters, the path of the run, and the edge of stability. */
export function landscape(trained, directions) {
  const objective = new Objective(trained);
  const plane = directions === "path" ? alongPath(trained, objective) : aroundPresent(trained, objective);
  const losses = plane.alphas.flatMap((a) => plane.betas.map((b) =>
    objective.at(plane.end.map((v, k) => v + a * plane.directions[0][k] + b * plane.directions[1][k]))));
  const rate = trained.rate(), isRandom = trained.program.draws.length > 0;
  return {
    directions, step: trained.step, losses, alphas: plane.alphas, betas: plane.betas, path: plane.path ?? null,
    shares: plane.shares ?? null, J: objective.at(objective.vectorOf(trained.values)), rows: objective.n,
    curvature: isRandom ? null : sharpness(objective, objective.vectorOf(trained.values)),
    limit: rate > 0 ? 2 / rate : null, rate,
  };
}

/** The objective and its gradient as functions of one vector with all parameters. */
export class Objective {
  constructor(trained) {
    const count = Math.min(np.len(trained.rows.X), MOST_ROWS);
    this.names = trained.program.parameters;
    this.shapes = this.names.map((name) => trained.values[name].shape);
    this.gradientProgram = stepProgram({ ...trained.network, optimizer: null });
    this.lossProgram = neededFor(trained.inference, ["J"]);
    this.n = count;
    const rows = { X: np.take(trained.rows.X, np.range(count)), y: np.take(trained.rows.y, np.range(count)), n: count };
    this.given = { ...trained.inference.constants, ...trained.program.constants, ...trained.values, ...rows };
  }

  vectorOf(values, prefix = "") {
    return this.names.flatMap((name) => Array.from(values[prefix + name].data));
  }

  valuesOf(vector) {
    let start = 0;
    return Object.fromEntries(this.names.map((name, k) => {
      const size = this.shapes[k].reduce((a, b) => a * b, 1);
      start += size;
      return [name, np.ndarray(this.shapes[k], Float64Array.from(vector.slice(start - size, start)))];
    }));
  }

  at(vector) {
    return run(this.lossProgram.statements, { ...this.given, ...this.valuesOf(vector) }).J;
  }

  gradient(vector) {
    return this.vectorOf(run(this.gradientProgram.statements, { ...this.given, ...this.valuesOf(vector) }), "d");
  }

  /** Return how many points along each side the limit of work allows; an odd number. */
  get points() {
    const parameters = this.shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const work = this.n * (2 * parameters + WORK_OF_STATEMENT * this.lossProgram.statements.length);
    const most = Math.trunc(Math.sqrt(MOST_WORK / work));
    return 2 * Math.trunc(Math.min(Math.max(most, FEWEST_POINTS), POINTS) / 2) + 1;
  }
}

const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
const minus = (a, b) => a.map((value, k) => value - b[k]);
const scaled = (a, factor) => a.map((value) => value * factor);
const unit = (a) => scaled(a, 1 / Math.max(Math.sqrt(dot(a, a)), 1e-300));
const spaced = (low, high, count) => Array.from({ length: count }, (_, k) => low + ((high - low) * k) / (count - 1));

/** Two random directions, in which the weights of each unit have the norm of the unit's own (Li et al. 2018). */
function aroundPresent(trained, objective) {
  const random = randomOf(0), around = spaced(-1, 1, objective.points);
  around[(around.length - 1) / 2] = 0;
  const directions = [0, 1].map(() => objective.names.flatMap((name) => {
    const own = trained.values[name], drawn = random.standard_normal(own.shape);
    return Array.from(own.shape.length === 1 ? np.zeros_like(own).data : with_norms_of(own, drawn).data);
  }));
  return { end: objective.vectorOf(trained.values), directions, alphas: around, betas: around };
}

/** The plane of the first two principal directions of the run so far. */
function alongPath(trained, objective) {
  const moments = trained.course.filter((moment) => moment.step <= trained.step);
  const thetas = moments.map((moment) => objective.vectorOf(moment.values)), end = thetas.at(-1);
  const gaps = thetas.map((theta) => minus(theta, end));
  if (!gaps.some((gap) => gap.some((value) => value !== 0))) throw new Error(refusals.no_path);
  if (end.length < 2) throw new Error(refusals.one_parameter);
  const { spread, directions: found } = firstTerms(gaps);
  const turned = towards_end(np.array(found), np.array(gaps[0])), directions = np.tolist(turned);
  const path = np.tolist(np.matmul(np.array(gaps), np.transpose(turned))), shares = Array.from(shares_of(np.array(spread)).data).slice(0, 2);
  const axes = [0, 1].map((k) => axisAround(path.map((place) => place[k]), objective.points, path.flat()));
  return { end, directions, path, shares, alphas: axes[0], betas: axes[1] };
}

/** Return the first two singular values of rows, the rest as a third one, and the first two right singular vectors. */
function firstTerms(rows) {
  const products = rows.map((a) => rows.map((b) => dot(a, b)));
  const total = products.reduce((sum, row, k) => sum + row[k], 0), found = [];
  for (const _ of [0, 1]) { // eslint-disable-line no-unused-vars
    const [value, vector] = largestEigenvector(products);
    products.forEach((row, i) => row.forEach((_, j) => { row[j] -= value * vector[i] * vector[j]; }));
    const direction = rows[0].map((_, k) => vector.reduce((sum, v, i) => sum + v * rows[i][k], 0));
    const isStraight = value < 1e-20 * total; // the rows have one direction: any other one is the second
    found.push({ direction: isStraight ? randomOf(0).standard_normal([direction.length]).data : direction, value: Math.max(value, 0) });
  }
  const first = unit(found[0].direction), second = Array.from(found[1].direction);
  const values = [...found.map(({ value }) => value), Math.max(total - found[0].value - found[1].value, 0)];
  return { spread: values.map(Math.sqrt), directions: [first, unit(minus(second, scaled(first, dot(first, second))))] };
}

// The largest eigenvalue of a symmetric matrix with its eigenvector, by power iteration.
function largestEigenvector(matrix) {
  let vector = unit(Array.from(randomOf(0).standard_normal([matrix.length]).data)), value = 0;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const next = matrix.map((row) => dot(row, vector)), change = minus(unit(next), vector);
    value = dot(next, vector);
    vector = unit(next);
    if (dot(change, change) < 1e-24) break;
  }
  return [value, vector];
}

/** Return evenly spaced points over the range of values, with a margin; the point closest to 0 becomes 0. */
function axisAround(values, count, longest) {
  const range = (list) => Math.max(...list) - Math.min(...list), margin = margin_of(range(values), range(longest));
  const axis = spaced(Math.min(...values) - margin, Math.max(...values) + margin, count);
  const sizes = axis.map(Math.abs);
  axis[sizes.indexOf(Math.min(...sizes))] = 0;
  return axis;
}

/** The largest curvature of the objective; the power iteration is that of the library. */
export function sharpness(objective, here) {
  const gradient = (theta) => np.array(objective.gradient(theta.data));
  return largest_curvature(gradient, np.array(here), randomOf(0).standard_normal([here.length]), ROUNDS);
}
