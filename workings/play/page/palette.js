// Colours of values: blue below zero, orange above; and of classes, safe for colour-blind readers (Okabe & Ito).
const themes = {
  light: { low: [32, 111, 178], middle: [246, 245, 241], high: [222, 118, 20], ink: "#1b1e23", rim: "#ffffff", edge: "#6b7280" },
  dark: { low: [82, 156, 222], middle: [32, 36, 41], high: [238, 148, 56], ink: "#eceef0", rim: "#101214", edge: "#9aa2ac" },
};
const many = [[0, 114, 178], [213, 122, 20], [0, 148, 110], [190, 100, 150], [90, 90, 200], [150, 120, 20],
  [80, 160, 200], [180, 70, 60], [110, 110, 110], [60, 140, 60]];
export const theme = (name) => themes[name];
export const css = (c) => `rgb(${c[0]},${c[1]},${c[2]})`;

// Tables of 256 colours for bytes: 0 is low, 128 the middle, 255 high.  The pale one lies behind points.
const tables = new Map();
export const diverging = (name) => table(name, 1);
export const pale = (name) => table(name, name === "light" ? 0.5 : 0.46);
function table(name, depth) {
  const key = `${name} ${depth}`;
  if (!tables.has(key)) {
    const { low, middle, high } = themes[name];
    tables.set(key, Uint32Array.from({ length: 256 }, (_, byte) => {
      const t = Math.max(-1, Math.min(1, (byte - 128) / 127)), end = t < 0 ? low : high;
      return pixel(middle.map((m, k) => Math.round(m + (end[k] - m) * depth * Math.abs(t) ** 0.9)));
    }));
  }
  return tables.get(key);
}
// A colour as one number, in the order of the bytes of a canvas; and back.
export const pixel = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
export const cssOf = (p) => `rgb(${p & 255},${(p >> 8) & 255},${(p >> 16) & 255})`;
export function classColour(name, k, classes) {
  if (classes === 2) return k === 0 ? themes[name].low : themes[name].high;
  return many[k % many.length];
}
