// Expressions as nested lists, written as Python code and evaluated with arrays.
import * as np from "./arrays.js";
import { functions } from "./formulas.js";

const OPERATORS = { Add: ["+", 9], Sub: ["-", 9], Mult: ["*", 10], Div: ["/", 10], MatMult: ["@", 10], Pow: ["**", 12] };
const COMPARISONS = { Gt: ">", GtE: ">=", Lt: "<", LtE: "<=", Eq: "==", NotEq: "!=" };
const COMPARE = 4, SIGN = 11, ATOM = 14; // precedence as in Python's own ast.unparse
const written = new WeakMap();

/** Return an expression as Python code, with the spaces and parentheses of `ast.unparse`. */
export function text(node) {
  if (!written.has(node)) written.set(node, unparsed(node, 0).replace(/(\w) \*\* (\w)/g, "$1**$2"));
  return written.get(node);
}

function unparsed(node, outer) {
  const [kind, first, ...rest] = node;
  const list = (nodes) => nodes.map((one) => unparsed(one, 0)).join(", ");
  const grouped = (own, code) => (outer > own ? `(${code})` : code);
  switch (kind) {
    case "number": case "name": return first;
    case "binary": {
      const [sign, own] = OPERATORS[first];
      const [left, right] = first === "Pow" ? [own + 1, own] : [own, own + 1];
      return grouped(own, `${unparsed(rest[0], left)} ${sign} ${unparsed(rest[1], right)}`);
    }
    case "compare": {
      const [left, right] = rest.map((one) => unparsed(one, COMPARE + 1));
      return grouped(COMPARE, `${left} ${COMPARISONS[first]} ${right}`);
    }
    case "minus": return grouped(SIGN, `-${unparsed(first, SIGN)}`);
    case "np": return `np.${first}(${list(rest)})`;
    case "call": return `${first.replace(/^\./, "")}(${list(rest)})`;
    case "list": return `[${list(node.slice(1))}]`;
    case "attribute": return `${unparsed(rest[0], ATOM)}.${first}`;
    case "item": return `${unparsed(first, ATOM)}[${rest[0]}]`;
    default: {
      const [owner, args, keywords] = rest;
      const named = Object.entries(keywords).map(([key, value]) => `${key}=${value === true ? "True" : value}`);
      return `${unparsed(owner, ATOM)}.${first}(${[...args.map((one) => unparsed(one, 0)), ...named].join(", ")})`;
    }
  }
}

const APPLIED = {
  Add: np.add, Sub: np.subtract, Mult: np.multiply, Div: np.divide, MatMult: np.matmul, Pow: np.power,
  Gt: np.greater, GtE: np.greater_equal, Lt: np.less, LtE: np.less_equal, Eq: np.equal, NotEq: np.not_equal,
};
const OWN = { ".sum": np.total, ".abs": np.abs, ".float": np.positive };
const ATTRIBUTES = { T: np.transpose, size: np.size, shape: np.shape };

/** Return the value of an expression, with values by name. */
export function valueOf(node, values) {
  const [kind, first, ...rest] = node;
  switch (kind) {
    case "number": case "omitted": return rest[0];
    case "name":
      if (!(first in values)) throw new ReferenceError(`no statement computes ${first}`);
      return values[first];
    case "binary": case "compare": return APPLIED[first](valueOf(rest[0], values), valueOf(rest[1], values));
    case "minus": return np.negative(valueOf(first, values));
    case "np": return np[first](...rest.map((one) => valueOf(one, values)));
    case "call": return (OWN[first] ?? functions[first])(...rest.map((one) => valueOf(one, values)));
    case "list": return node.slice(1).map((one) => valueOf(one, values));
    case "attribute": return ATTRIBUTES[first](valueOf(rest[0], values));
    case "item": return np.item(valueOf(first, values), rest[0]);
    default: {
      const [owner, args, keywords] = rest;
      const given = valueOf(owner, values), more = args.map((one) => valueOf(one, values));
      if (typeof given?.[first] === "function") return given[first](...more);
      return np[first === "var" ? "variance" : first](given, ...more, keywords);
    }
  }
}

/** Run statements; return all values by name, the given ones among them. */
export function run(statements, given) {
  const values = { ...given };
  for (const { target, tree } of statements) values[target] = valueOf(tree, values);
  return values;
}
