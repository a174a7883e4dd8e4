// Parts of the page that are loaded when they are first shown.
const modules = {
  doctor: () => import("./doctor.js"), landscape: () => import("./landscape.js"), museum: () => import("./museum.js"),
  pad: () => import("./pad.js"), table: () => import("./table.js"), taking: () => import("./taking.js"),
  unit: () => import("./unit.js"), weight: () => import("./weight.js"),
};
const loaded = new Map();

/** Load a part of the page, if it is not there yet. */
export async function load(name) {
  if (!loaded.get(name)) loaded.set(name, await modules[name]());
}

/** Return a part of the page from one of these modules; nothing while the module is on its way. */
export function later(name, part, state, act) {
  const known = loaded.get(name);
  if (known) return known[part](state, act);
  if (!loaded.has(name)) {
    loaded.set(name, null);
    load(name).then(() => act.set({ loaded: state.loaded + 1 }), act.failed);
  }
  return "";
}
