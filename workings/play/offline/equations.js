// Equations in MathML, from the syntax of statements.  Every name in them is one of the program's own.
const GREEK = {
  alpha: "α", beta: "β", gamma: "γ", delta: "δ", theta: "θ", rho: "ρ", lam: "λ", lr: "η", eps: "ε", momentum: "μ",
};
const tag = (kind, ...parts) => `<${kind}>${parts.join("")}</${kind}>`;
const sign = (text) => `<mo>${text.replace("<", "&lt;").replace(">", "&gt;")}</mo>`;
const group = (...parts) => tag("mrow", sign("("), ...parts, sign(")"));
const SUM = 1, PRODUCT = 2, POWER = 4, ATOM = 5;

/** Return a name as MathML: dW1 is the gradient with respect to W₁. */
export function symbol(name, program) {
  const isGradient = name.startsWith("d") && program.statements.some((statement) => statement.target === name)
    && (name.slice(1) in program.constants || program.names.has(name.slice(1)));
  if (isGradient) {
    return tag("mfrac", tag("mrow", tag("mi", "∂"), tag("mi", "J")), tag("mrow", tag("mi", "∂"), symbol(name.slice(1), program)));
  }
  const [, letters, hat, number, rest] = /^([A-Za-z]+?)(_hat)?(\d*)(_.*)?$/.exec(name) ?? [];
  if (letters === undefined) return tag("mi", name);
  const base = hat ? `<mover accent="true">${tag("mi", GREEK[letters] ?? letters)}<mo stretchy="false">^</mo></mover>`
    : tag("mi", GREEK[letters] ?? letters);
  const below = [number && tag("mn", number), rest && tag("mtext", rest.slice(1).replaceAll("_", " "))].filter(Boolean);
  return below.length ? tag("msub", base, tag("mrow", ...below)) : base;
}

/** Return a statement as an equation, or with an arrow if it changes the value of a name. */
export function equation({ target, tree, stage }, program) {
  const carried = [...program.parameters ?? [], ...program.statistics ?? [], ...program.states ?? []];
  const becomes = stage === "update" && (carried.includes(target) || JSON.stringify(tree).includes(`["name","${target}"]`));
  return block(tag("mrow", symbol(target, program), sign(becomes ? "←" : "="), piece(tree, program)[0]));
}

/** Return one entry with names, with numbers, and its value, as aligned equations. */
export function entryEquation(target, index, tree, value, program) {
  const forms = [named(tree, program), counted(tree), numberText(value)];
  const lines = forms.filter((form, k) => k === forms.length - 1 || !forms.slice(k + 1).includes(form));
  const rows = lines.map((line, k) => tag("mtr", tag("mtd", k ? "" : entrySymbol(target, index, program)),
    tag("mtd", sign("=")), tag("mtd", line)));
  return block(`<mtable class="worked" displaystyle="true">${rows.join("")}</mtable>`);
}

const entrySymbol = (name, index, program) =>
  tag("mrow", symbol(name, program), index.length ? tag("mrow", sign("["), tag("mn", index.join(", ")), sign("]")) : "");
const named = (tree, program) => piece(tree, { ...program, named: true,
  leaf: ([, , value, name, index]) => (name ? entrySymbol(name, index, program) : numberText(value)) })[0];
const counted = (tree) => piece(tree, { leaf: ([, , value]) => numberText(value) })[0];

const block = (text) => `<math display="block">${text}</math>`;

export function numberText(value) {
  if (!Number.isFinite(value)) return tag("mi", String(value));
  const [digits, power] = Number(value.toPrecision(6)).toString().split("e");
  const plain = `${digits.startsWith("-") ? sign("−") : ""}${tag("mn", digits.replace("-", ""))}`;
  return tag("mrow", plain, power ? sign("·") + tag("msup", tag("mn", "10"), tag("mrow", tag("mn", power.replace("+", "")))) : "");
}

// An expression as [MathML, precedence].
function piece(node, program) {
  const [kind, first, ...rest] = node;
  const inner = (one) => piece(one, program);
  const within = (one, least) => { const [text, own] = inner(one); return own < least ? group(text) : text; };
  const called = (name, args) => [tag("mrow", tag("mi", name.replaceAll("_", " ")),
    group(args.map((one) => inner(one)[0]).join(sign(",")))), ATOM];
  switch (kind) {
    case "number": return [program.leaf?.(node) ?? numberText(rest[0]), rest[0] < 0 && !(program.named && node[3]) ? SUM : ATOM];
    case "omitted": return [tag("mrow", tag("mtext", `[${first} more: `), numberText(rest[0]), tag("mtext", "]")), ATOM];
    case "name": return [symbol(first, program), ATOM];
    case "minus": return [tag("mrow", sign("−"), within(first, PRODUCT)), SUM];
    case "compare": return [tag("mrow", sign("["), inner(rest[0])[0],
      sign({ Gt: ">", GtE: "≥", Lt: "<", LtE: "≤", Eq: "=", NotEq: "≠" }[first]), inner(rest[1])[0], sign("]")), ATOM];
    case "binary": return binary(first, rest[0], rest[1], inner, within);
    case "np": return array(first, rest, inner, called);
    case "call": return called(first.replace(/^\./, ""), rest);
    case "list": return [node.slice(1).map((one) => inner(one)[0]).join(sign("+")), SUM];
    case "attribute": return first === "T" ? [tag("msup", within(rest[0], POWER + 1), sign("⊤")), POWER]
      : [tag("mrow", tag("mi", first), group(inner(rest[0])[0])), ATOM];
    case "item": return [tag("msub", inner(first)[0], tag("mn", rest[0])), ATOM];
    default: return reduction(first, rest[0], rest[2], within);
  }
}

function binary(op, a, b, inner, within) {
  switch (op) {
    case "Add": return [tag("mrow", within(a, SUM), sign("+"), within(b, b[0] === "number" ? PRODUCT : SUM)), SUM];
    case "Sub": return [tag("mrow", within(a, SUM), sign("−"), within(b, PRODUCT)), SUM];
    case "Div": return [tag("mfrac", tag("mrow", inner(a)[0]), tag("mrow", inner(b)[0])), ATOM];
    case "Pow": return [tag("msup", within(a, ATOM), tag("mrow", inner(b)[0])), POWER];
    case "MatMult": return [tag("mrow", within(a, PRODUCT), "<mspace width='0.15em'></mspace>", within(b, PRODUCT)), PRODUCT];
    default: return [tag("mrow", within(a, PRODUCT), sign(isArray(a) && isArray(b) ? "⊙" : "·"), within(b, PRODUCT)), PRODUCT];
  }
}

const isArray = (node) => node[0] !== "number" && !hasEntries(node) && !(node[0] === "name" && node[1] in GREEK);

// Whether an expression is one of single entries.
const hasEntries = (node) => Array.isArray(node) && ((node[0] === "number" && node.length > 3) || node.some(hasEntries));

function array(name, args, inner, called) {
  switch (name) {
    case "exp": return [tag("msup", tag("mi", "e"), tag("mrow", inner(args[0])[0])), POWER];
    case "sqrt": return [tag("msqrt", inner(args[0])[0]), ATOM];
    case "abs": return [tag("mrow", sign("|"), inner(args[0])[0], sign("|")), ATOM];
    case "maximum": return called("max", args);
    case "minimum": return called("min", args);
    case "where": {
      const [condition, yes, no] = args.map((one) => inner(one)[0]);
      const line = (value, words) => tag("mtr", tag("mtd", value), tag("mtd", words));
      return [tag("mrow", sign("{"), tag("mtable", line(yes, tag("mtext", "if ") + condition), line(no, tag("mtext", "else")))), ATOM];
    }
    default: return called(name, args);
  }
}

function reduction(kind, owner, { axis = null } = {}, within) {
  const index = axis === 0 ? tag("mi", "i") : axis === null ? "" : tag("mi", "j");
  if (kind === "sum") return [tag("mrow", index ? tag("munder", sign("∑"), index) : sign("∑"), within(owner, PRODUCT)), PRODUCT];
  const name = tag("mi", kind);
  return [tag("mrow", index ? tag("munder", name, index) : name, group(within(owner, SUM))), ATOM];
}
