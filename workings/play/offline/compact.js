// The formulas of `formulas.js` as nested lists: there, a name and a number stand for themselves, and an operator for
// its operation, so that the file is small.
const OPERATORS = { "+": "Add", "-": "Sub", "*": "Mult", "/": "Div", "@": "MatMult", "**": "Pow" };

/** Return an expression as nested lists whose first entry says what each is. */
export function expression(node) {
  if (typeof node === "string") return ["name", node];
  if (typeof node === "number") return ["number", String(node), node];
  const [kind, ...rest] = node;
  if (kind in OPERATORS) return ["binary", OPERATORS[kind], ...rest.map(expression)];
  switch (kind) {
    case "number": return node;
    case "compare": case "np": case "call": return [kind, rest[0], ...rest.slice(1).map(expression)];
    case "minus": case "list": return [kind, ...rest.map(expression)];
    case "method": return [kind, rest[0], expression(rest[1]), rest[2].map(expression), rest[3] ?? {}];
    case "attribute": return [kind, rest[0], expression(rest[1])];
    default: return [kind, expression(rest[0]), rest[1]]; // an item
  }
}

/** Return a formula; one without lines and results is a function that is not straight-line code. */
export function formula([words, letters, results, lines = [], own = letters]) {
  if (!results) return { words, letters };
  return {
    words, letters, own, results: results.map(expression),
    lines: lines.map(([letter, tree, said = "", called = null]) => [letter, expression(tree), said, called]),
  };
}

/** Return an object with each value changed. */
export const each = (values, change) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));

/** Return the catalogue of all formulas. */
export function catalogueOf(found) {
  const withConstants = (entry) => ({ ...entry, constants: each(entry.constants, expression) });
  return {
    ...found, formulas: each(found.formulas, formula), layers: each(found.layers, withConstants),
    activations: each(found.activations, withConstants), initializers: each(found.initializers, expression),
    features: each(found.features, expression),
  };
}
