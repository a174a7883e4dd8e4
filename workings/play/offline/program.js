// Composes the statements of a training step from formulas, without Python: the same statements, under the same names,
// as `workings/program/step.py` and `writer.py` write.  There is no mathematics here: formulas come from `formulas.js`.
import { catalogue } from "./formulas.js";
import { text } from "./syntax.js";

const { formulas } = catalogue;
const name = (id) => ["name", id];
const isName = (node, id) => node[0] === "name" && node[1] === id;
const plus = (a, b) => ["binary", "Add", a, b];
const sentence = (words) => (!words || /[.!?]$/.test(words) ? words : `${words}.`);
const wordsOf = (formula, subject) => formulas[formula].words.replaceAll("@", subject);
const ownWords = (formula) => {
  const words = wordsOf(formula, "");
  return words.startsWith(`${formula} `) ? words.slice(formula.length + 1) : words;
};

class Writer {
  statements = [];
  constants = {};
  owned = new Map(); // the names of each part's constants
  taken = new Set(["X", "y", "n", "w", "lr", "t", "np", "p", "losses", "loss", "J"]);
  added = new Map(); // added to a gradient by the statement that computes it
  functions = new Set();
  stage = "forward";
  part = "";

  unused(wanted) {
    let candidate = wanted;
    for (let number = 2; this.taken.has(candidate); number += 1) candidate = `${wanted}_${number}`;
    this.taken.add(candidate);
    return candidate;
  }

  emit(target, expression, words) {
    let [whole, said] = [expression, words];
    if (this.added.has(target)) {
      const [more, why] = this.added.get(target);
      this.added.delete(target);
      [whole, said] = [plus(whole, more), `${said.replace(/\.+$/, "")}; ${why}.`];
    }
    this.taken.add(target);
    const code = text(whole);
    this.statements.push({ target, tree: whole, code, stage: this.stage, part: this.part, words: sentence(said) });
  }

  // The name of an equal expression that was computed before any update.
  already(expression) {
    if (this.stage === "update") return undefined;
    const code = text(expression);
    return this.statements.find((statement) => statement.code === code)?.target;
  }

  constant(letter, value, owner) {
    const key = `${letter} of ${owner}`;
    if (!this.owned.has(key)) {
      const isOther = this.taken.has(letter) && this.constants[letter] !== value;
      this.owned.set(key, isOther ? this.unused(`${letter}_${owner.toLowerCase()}`) : letter);
    }
    const known = this.owned.get(key);
    this.taken.add(known);
    this.constants[known] = value;
    return name(known);
  }

  bind(formula, scope, results, names, suffix) {
    const found = this.write(formula, scope, names, suffix);
    const wanted = results.map((letter) => names[letter]);
    const open = wanted.map((target, k) => [target, found[k]]).filter(([, r]) => !wanted.some((w) => isName(r, w)));
    const several = open.length > 1;
    for (const [target, result] of open) this.emit(several ? `${target}_new` : target, result, wordsOf(formula, target));
    for (const [target] of several ? open : []) {
      this.emit(target, name(`${target}_new`), `${target} is set to its new value`);
    }
  }

  // Write a formula's lines, and return its results as expressions; the formula's own letters join the scope.
  write(id, scope, names, suffix) {
    const formula = formulas[id];
    const letters = this.lettersOf(formula, scope);
    if (formula.lines === undefined) {
      this.functions.add(this.unusedFunction(id));
      return [["call", id, ...letters.map((letter) => scope[letter])]];
    }
    const inner = Object.fromEntries(formula.own.map((letter, k) => [letter, scope[letters[k]]]));
    this.nameLongArguments(formula, inner, suffix);
    for (const [letter, tree, words, called] of formula.lines) {
      const expression = this.renamed(tree, inner, suffix);
      let known = names[letter] === undefined ? this.already(expression) : undefined;
      if (known === undefined) {
        known = names[letter] ?? this.unused(letter + suffix);
        this.emit(known, expression, words || (called ? wordsOf(called, known) : ""));
      }
      inner[letter] = scope[letter] = name(known);
    }
    return formula.results.map((result) => this.renamed(result, inner, suffix));
  }

  lettersOf(formula, scope) {
    const [only] = formula.letters;
    return formula.letters.length === 1 && !(only in scope) && "z" in scope ? ["z"] : formula.letters;
  }

  unusedFunction(id) {
    this.taken.add(id);
    return id;
  }

  nameLongArguments(formula, inner, suffix) {
    for (const letter of formula.own) {
      if (["name", "number"].includes(inner[letter][0])) continue;
      const pieces = [...formula.results, ...formula.lines.map(([, tree]) => tree)];
      if (pieces.reduce((uses, piece) => uses + usesOf(piece, letter), 0) <= 1) continue;
      let known = this.already(inner[letter]);
      if (known === undefined) {
        known = this.unused(letter + suffix);
        this.emit(known, inner[letter], `${known} is an input that is used more than once`);
      }
      inner[letter] = name(known);
    }
  }

  // Replace letters by their expressions, and calls of formulas by the formulas.
  renamed(node, scope, suffix) {
    const inner = (one) => this.renamed(one, scope, suffix);
    switch (node[0]) {
      case "name": return scope[node[1]] ?? node;
      case "number": return node;
      case "binary": case "compare": return [node[0], node[1], inner(node[2]), inner(node[3])];
      case "minus": return ["minus", inner(node[1])];
      case "np": return ["np", node[1], ...node.slice(2).map(inner)];
      case "list": return ["list", ...node.slice(1).map(inner)];
      case "method": return ["method", node[1], inner(node[2]), node[3].map(inner), node[4]];
      case "attribute": return ["attribute", node[1], inner(node[2])];
      case "item": return ["item", inner(node[1]), node[2]];
      default: return this.calledFormula(node[1], node.slice(2).map(inner), suffix);
    }
  }

  calledFormula(id, args, suffix) {
    if (id.startsWith(".")) return ["call", id, ...args];
    const formula = formulas[id];
    if (formula.lines === undefined || formula.results.length !== 1 || formula.own.length !== args.length) {
      this.functions.add(this.unusedFunction(id));
      return ["call", id, ...args];
    }
    const passed = Object.fromEntries(formula.letters.map((letter, k) => [letter, args[k]]));
    return this.write(id, passed, {}, suffix)[0];
  }
}

function usesOf(node, letter) {
  if (!Array.isArray(node)) return 0;
  return (isName(node, letter) ? 1 : 0) + node.slice(1).reduce((uses, part) => uses + usesOf(part, letter), 0);
}

// The names that an expression reads.
export function readsOf(node, found = new Set()) {
  if (node[0] === "name") found.add(node[1]);
  else for (const part of node.slice(1)) if (Array.isArray(part)) (Array.isArray(part[0])
    ? part.map((p) => readsOf(p, found)) : part.length && readsOf(part, found));
  return found;
}

// -- layers --------------------------------------------------------------------------------------

// Number the layers of each kind from 1.
export function numbered(layers) {
  const counts = {};
  const taken = new Set();
  return layers.map((layer) => {
    const { parameters, statistics, draws } = catalogue.layers[layer.kind];
    const letters = [...parameters, ...Object.keys(statistics), ...draws];
    counts[layer.kind] = (counts[layer.kind] ?? 0) + 1;
    while (letters.some((letter) => taken.has(letter + counts[layer.kind]))) counts[layer.kind] += 1;
    for (const letter of letters) taken.add(letter + counts[layer.kind]);
    return [layer, String(counts[layer.kind])];
  });
}

const outputName = (layer, x, suffix) =>
  layer.kind === "Dense" ? `z${suffix}` : layer.kind === "Dropout" ? `${x}_drop` : `${x}_norm`;

function writeForward(writer, layers, mode) {
  let [x, dense] = ["X", "0"];
  return numbered(layers).map(([layer, suffix], place) => {
    const entry = catalogue.layers[layer.kind];
    writer.part = `layer ${place + 1}: ${(layer.brief ?? layer.text)}`;
    dense = layer.kind === "Dense" ? suffix : dense;
    const scope = { x: name(x), n: name("n"), ...entry.constants };
    for (const letter of [...entry.parameters, ...Object.keys(entry.statistics), ...entry.draws]) {
      scope[letter] = name(letter + suffix);
      writer.taken.add(letter + suffix);
    }
    const z = settle(writer, entry.formulas[mode], scope, "z", outputName(layer, x, suffix), suffix);
    const activation = catalogue.activations[layer.activation ?? "identity"];
    const activationScope = { ...activation.constants, z: name(z) };
    const a = `a${dense}`;
    const target = writer.taken.has(a) ? `${z}_activated` : a;
    const result = settle(writer, activation.function, activationScope, "a", target, suffix);
    const placed = { layer, entry, activation, part: writer.part, suffix, x, z, a: result, scope, activationScope };
    x = result;
    return placed;
  });
}

function settle(writer, id, scope, letter, target, suffix) {
  const formula = formulas[id];
  const lines = new Set((formula.lines ?? []).map(([line]) => line));
  const named = (formula.results ?? []).some((r) => r[0] === "name" && r[1] === letter && lines.has(letter));
  const [result] = writer.write(id, scope, named ? { [letter]: target } : {}, suffix);
  if (result[0] === "name" && !named) {
    scope[letter] = result;
    return result[1];
  }
  if (!named) writer.emit(target, result, wordsOf(id, target));
  scope[letter] = name(target);
  return target;
}

// -- the loss and its gradient -------------------------------------------------------------------

function writeLoss(writer, loss, regularizer, placed) {
  writer.part = `loss: ${loss.brief}`;
  const uses = new Set(Object.values(loss.formulas).flatMap((id) => formulas[id].letters));
  const scope = {};
  for (const [letter, value] of Object.entries(loss.constants)) {
    if (uses.has(letter)) scope[letter] = writer.constant(letter, value, "loss");
  }
  const last = placed.at(-1).a;
  Object.assign(scope, { z: name(last), y: name("y"), n: name("n"), w: name("w") });
  const [p] = writer.write(loss.formulas.link, scope, {}, "");
  const words = isName(p, last) ? "The prediction is the output of the last layer" : wordsOf(loss.formulas.link, "p");
  writer.emit("p", p, words);
  scope.p = name("p");
  const [losses] = writer.write(loss.formulas.value, scope, {}, "");
  const each = `Each ${loss.target === "classes" ? "row" : "output"}'s loss is`;
  writer.emit("losses", losses, wordsOf(loss.formulas.value, "losses").replace("losses is", each));
  scope.losses = name("losses");
  const [total] = writer.write(loss.reduce, scope, {}, "");
  if (regularizer === null) writer.emit("J", total, wordsOf(loss.reduce, "The objective J"));
  else {
    writer.emit("loss", total, wordsOf(loss.reduce, "The loss"));
    writePenalty(writer, regularizer, placed);
  }
  return scope;
}

function writePenalty(writer, regularizer, placed) {
  writer.part = regularizer.text;
  let J = name("loss");
  for (const place of placed) {
    for (const letter of place.entry.regularized) {
      J = plus(J, writer.write(regularizer.penalty, penaltyScope(writer, regularizer, place, letter), {}, "")[0]);
    }
  }
  writer.emit("J", J, `The objective J is the loss plus, for each W, ${ownWords(regularizer.penalty)}`);
}

function penaltyScope(writer, regularizer, place, letter) {
  const constant = writer.constant(regularizer.letter, regularizer.value, "regularizer");
  return { W: place.scope[letter], n: name("n"), w: name("w"), [regularizer.letter]: constant };
}

function writeBackward(writer, loss, regularizer, placed, scope) {
  writer.stage = "backward";
  writer.part = `loss: ${loss.brief}`;
  const { gradient } = loss.formulas;
  const [d] = writer.write(gradient, scope, {}, "");
  const [scaled] = writer.write(loss.scale, { ...scope, z: d, dlosses: d }, {}, "");
  const target = `d${placed.at(-1).a}`;
  const isSame = text(scaled) === text(d);
  writer.emit(target, scaled, wordsOf(gradient, target) + (isSame ? "" : `, ${ownWords(loss.scale)}`));
  for (const place of [...placed].reverse()) {
    writer.part = place.part;
    writeLayerBackward(writer, regularizer, place);
  }
}

function writeLayerBackward(writer, regularizer, place) {
  const { layer, entry, activation, scope, suffix } = place;
  if (place.a !== place.z) {
    const [slope] = writer.write(activation.derivative, place.activationScope, {}, suffix);
    const chain = catalogue.chain_rule;
    const [dz] = writer.write(chain, { da: name(`d${place.a}`), slope }, {}, suffix);
    const words = wordsOf(activation.derivative, `the derivative of ${layer.activation}`);
    writer.emit(`d${place.z}`, dz, `${wordsOf(chain, `d${place.z}`)}; ${words}`);
  }
  for (const letter of regularizer === null ? [] : entry.regularized) {
    const [pull] = writer.write(regularizer.gradient, penaltyScope(writer, regularizer, place, letter), {}, "");
    writer.added.set(`d${letter}${suffix}`, [pull, ownWords(regularizer.gradient)]);
  }
  const names = { dx: `d${place.x}` };
  const results = entry.parameters.map((letter) => `d${letter}`);
  for (const letter of results) names[letter] = `${letter}${suffix}`;
  const given = { ...scope, dz: name(`d${place.z}`) };
  writer.bind(entry.formulas.backward, given, [...results, "dx"], names, suffix);
}

// -- the update ----------------------------------------------------------------------------------

function writeUpdate(writer, optimizer, parameters) {
  writer.stage = "update";
  writer.part = `optimizer: ${optimizer.text}`;
  const constants = {};
  for (const [letter, value] of Object.entries(optimizer.constants)) {
    constants[letter] = writer.constant(letter, value, optimizer.kind);
  }
  const states = [];
  for (const parameter of parameters) {
    const own = Object.fromEntries(optimizer.state.map((letter) => [letter, `${letter}_${parameter}`]));
    const names = { theta: parameter, g: `d${parameter}`, ...own };
    states.push(...Object.values(own));
    const scope = { ...constants, lr: name("lr"), t: name("t") };
    for (const [letter, id] of Object.entries(names)) scope[letter] = name(id);
    for (const rule of optimizer.rules) {
      const { letters } = formulas[rule];
      const results = letters.includes("theta") ? ["theta", ...optimizer.state.filter((s) => letters.includes(s))] : ["g"];
      writer.bind(rule, { ...scope }, results, names, `_${parameter}`);
    }
  }
  return states;
}

function writeStatistics(writer, placed) {
  writer.stage = "update";
  const names = [];
  for (const place of placed) {
    writer.part = place.part;
    for (const [letter, formula] of Object.entries(place.entry.statistics)) {
      const target = letter + place.suffix;
      const [moved] = writer.write(formula, place.scope, {}, place.suffix);
      const words = wordsOf(formula, target);
      const own = words.startsWith(`${formula} `) ? `${target} ${words.slice(formula.length + 1)}` : words;
      writer.emit(target, moved, own);
      names.push(target);
    }
  }
  return names;
}

// -- programs ------------------------------------------------------------------------------------

/** Return the program without the statements that these results do not need. */
export function neededFor(program, results) {
  let live = new Set(results);
  const kept = [];
  for (const statement of [...program.statements].reverse()) {
    if (!live.has(statement.target)) continue;
    live.delete(statement.target);
    for (const read of statement.reads) live.add(read);
    kept.push(statement);
  }
  return { ...program, statements: kept.reverse() };
}

function finished(writer, placed, states = [], statistics = []) {
  const statements = writer.statements.map((statement) => ({ ...statement, reads: readsOf(statement.tree) }));
  const letters = (kind) => placed.flatMap(({ entry, suffix }) => entry[kind].map((letter) => letter + suffix));
  return {
    statements, states, statistics, constants: { ...writer.constants }, parameters: letters("parameters"),
    draws: letters("draws"), functions: [...writer.functions],
  };
}

/** Return the program of one training step: forward, backward and, with an optimizer, update. */
export function stepProgram({ layers, loss, regularizer = null, optimizer = null }) {
  const writer = new Writer();
  const placed = writeForward(writer, layers, "forward");
  const scope = writeLoss(writer, loss, regularizer, placed);
  writeBackward(writer, loss, regularizer, placed, scope);
  const parameters = placed.flatMap(({ entry, suffix }) => entry.parameters.map((letter) => letter + suffix));
  const states = optimizer === null ? [] : writeUpdate(writer, optimizer, parameters);
  const statistics = optimizer === null ? [] : writeStatistics(writer, placed);
  const program = finished(writer, placed, states, statistics);
  const results = optimizer === null ? parameters.map((one) => `d${one}`) : [...parameters, ...states, ...statistics];
  return neededFor(program, ["J", ...results]);
}

/** Return the program of a prediction and its objective, without random values. */
export function inferenceProgram({ layers, loss, regularizer = null }) {
  const writer = new Writer();
  const placed = writeForward(writer, layers, "inference");
  writeLoss(writer, loss, regularizer, placed);
  return finished(writer, placed);
}
