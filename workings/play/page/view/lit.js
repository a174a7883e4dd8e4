// Which parts of the drawing a statement touches: the names of the program end with the number of their layer.
export function litParts(state) {
  if (!state.walking || state.running || state.tab !== "statement" || !state.statement) return null;
  const units = new Set(), edges = new Set(), last = state.network.hidden.length + 1;
  for (const name of [state.statement.target, ...state.statement.reads]) {
    const number = Number(/(\d+)/.exec(name.replace(/^beta\d(?=_)|^beta\d$/, ""))?.[1] ?? NaN);
    if (/^d?X$/.test(name)) units.add(0);
    if (["p", "y", "losses", "J", "dp"].includes(name)) units.add(last);
    if (Number.isNaN(number) || number > last) continue;
    if (/(^|_)d?W\d+$/.test(name)) edges.add(number); else if (/^d?[az]\d|^mask|_hat\d|^mean\d|^variance\d|(^|_)d?b\d+$/.test(name)) units.add(number);
  }
  return units.size || edges.size ? { units, edges } : null;
}
