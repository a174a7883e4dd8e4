// How one weight affects the objective, path by path: the chain rule, by the statements of the backward pass.
//
// The statements between two gradients are a linear map.  Applied to a gradient with one column, they tell what this
// unit passes on to each unit before it.  All paths together, and the penalty, must give the gradient.
import * as np from "./arrays.js";
import { entryOf } from "./entries.js";
import { valueOf } from "./syntax.js";

const MOST_PATHS = 1024, MOST_SHOWN = 8;

/** Return the paths from an entry of a parameter to J, the strongest first; `values` are those of the whole step. */
export function pathsOf(program, values, name, index) {
  const backward = program.statements.filter((statement) => statement.stage === "backward");
  const segments = segmentsTo(backward, `d${name}`);
  const [last] = segments;
  const penalty = entryOf(passed(last, values, np.zeros_like(values[last.source])), index);
  let paths = [{ stations: [], gradient: values[backward[0].target] }];
  for (const segment of [...segments].reverse().slice(0, -1)) {
    paths = strongest(paths.flatMap((path) => extended(path, segment, values)));
  }
  const found = paths.flatMap((path) => columns(path.gradient).map(([unit, gradient]) => ({
    stations: [station(last.source, unit), ...path.stations],
    adds: entryOf(passed(last, values, gradient), index) - penalty,
  }))).filter(({ adds }) => adds !== 0).sort((a, b) => Math.abs(b.adds) - Math.abs(a.adds));
  const entry = `${name}[${index.join(",")}]`;
  return {
    paths: found.slice(0, MOST_SHOWN).map(({ stations, adds }) => ({ path: [entry, ...stations, "J"].join(" → "), adds })),
    more: Math.max(found.length - MOST_SHOWN, 0), penalty,
    total: found.reduce((sum, { adds }) => sum + adds, penalty), words: "",
  };
}

const station = (gradient, unit) => `${gradient.slice(1)}[·,${unit}]`;

// Split the backward pass to a gradient into segments, from the parameter to the end of the network.
function segmentsTo(backward, target) {
  const flow = new Set([backward[0].target]);
  for (const { target: name, reads } of backward.slice(1)) if ([...reads].some((read) => flow.has(read))) flow.add(name);
  const segments = [];
  for (let end = target; end !== backward[0].target; end = segments.at(-1).source) {
    segments.push(lastSegment(backward, flow, end));
  }
  return segments;
}

// The segment from the nearest gradient on which the target depends alone.
function lastSegment(backward, flow, target) {
  const end = backward.findIndex((statement) => statement.target === target);
  const needed = new Set(backward[end].reads);
  const kept = [backward[end]];
  for (const statement of backward.slice(0, end).reverse()) {
    if (!needed.has(statement.target)) continue;
    const flowing = [...needed].filter((name) => flow.has(name));
    if (flowing.length === 1 && flowing[0] === statement.target) {
      return { source: statement.target, target, statements: kept.reverse() };
    }
    needed.delete(statement.target);
    for (const read of statement.reads) needed.add(read);
    kept.push(statement);
  }
  throw new Error(`The gradient of ${target.slice(1)} does not come from that of the network's last value.`);
}

// The gradient that a segment makes of another gradient of its source.
function passed({ source, target, statements }, values, gradient) {
  const found = { ...values, [source]: gradient };
  for (const { target: name, tree } of statements) found[name] = valueOf(tree, found);
  return found[target];
}

function extended({ stations, gradient }, segment, values) {
  return columns(gradient).map(([unit, column]) => ({
    stations: [station(segment.source, unit), ...stations], gradient: passed(segment, values, column),
  }));
}

// The columns of a gradient that are not 0, each with zeros in place of the others.
function columns(gradient) {
  const units = np.range(gradient.shape[1]);
  const places = np.array(units);
  return units
    .map((unit) => [unit, np.multiply(gradient, np.equal(places, unit))])
    .filter(([, column]) => np.any(column));
}

function strongest(paths) {
  if (paths.length <= MOST_PATHS) return paths;
  const sizes = new Map(paths.map((path) => [path, np.sum(np.abs(path.gradient))]));
  return [...paths].sort((a, b) => sizes.get(b) - sizes.get(a)).slice(0, MOST_PATHS);
}
