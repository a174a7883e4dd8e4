// Which parts of the drawing a statement touches: the names of the program end with the number of their layer.
export function litParts(state) {
  if (!state.walking || state.running || state.tab !== "statement" || !state.statement) return null;
  const units = new Set(), edges = new Set(), off = {}, { hidden } = state.settings, last = hidden.length + 1;
  const parameters = Object.keys(state.frame.weights);
  // Batch normalizations and dropouts are numbered by themselves: mask1 is that of the first layer with dropout.
  const having = (what) => hidden.map((layer, k) => (layer[what] ? k + 1 : 0)).filter(Boolean);
  const normed = having("batch_norm"), dropping = having("dropout");
  for (const name of [state.statement.target, ...state.statement.reads]) {
    if (/^d?X$/.test(name)) units.add(0);
    if (["p", "y", "losses", "J", "dp"].includes(name)) units.add(last);
    const own = parameters.find((one) => name === one || name === `d${one}` || name.endsWith(`_${one}`)) ?? name;
    const number = Number(/\d+/.exec(own)?.[0] ?? NaN);
    if (/^W\d+$/.test(own)) edges.add(number);
    else if (/^b\d+$|^d?[az]\d/.test(own)) units.add(number);
    else if (/^mask\d/.test(own)) units.add(dropping[number - 1]);
    else if (parameters.includes(own) || /^(d?x_hat|mean|variance|running_mean|running_variance)\d/.test(own)) units.add(normed[number - 1]);
  }
  for (const [mask, places] of Object.entries(state.statement.off)) off[dropping[mask - 1]] = places;
  return units.size || edges.size ? { units, edges, off } : null;
}
