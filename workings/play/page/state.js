// The one state object: everything that the page shows is a function of it.
export const initial = () => ({
  choices: null, settings: null, data: null, network: null, frame: null, // from the session
  running: false, speed: 10, walking: false,
  tab: "statement", statement: null, statementUnit: 0, detail: null, doctor: null, code: null, notice: "", // what the inspector shows
  row: null, current: [0, 0], // the chosen row; the unit that has the focus
  hint: "", problem: "", closed: false, help: false, table: null, adding: null, showValidation: true,
  theme: "light", width: 0, netWidth: 0,
});

const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
export function base64(array) {
  let text = "";
  for (let k = 0; k < array.length; k += 8192) text += String.fromCharCode(...array.subarray(k, k + 8192));
  return btoa(text);
}
export const bytes = memo(bytesOf);
export const floats = memo((text) => new Float32Array(bytesOf(text).buffer));

function memo(decode) {
  const known = new Map();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) {
      if (known.size > 300) known.clear();
      found = decode(text);
      known.set(text, found);
    }
    return found;
  };
}

// The course of the run as columns: step, loss, score, validation loss, validation score.
export function course(frame) {
  const flat = floats(frame.course);
  return Array.from({ length: frame.moments }, (_, k) => flat.subarray(5 * k, 5 * k + 5));
}

export const layersOf = (network) => [
  { units: network.is_image ? 1 : network.inputs.length }, ...network.hidden, { units: network.outputs.length, W: `W${network.hidden.length + 1}` },
];
export const weightsInto = (network, frame, layer) => {
  const found = frame.weights[`W${layer}`];
  return { rows: found.shape[0], columns: found.shape[1], at: floats(found.data) };
};
export const isClassification = (state) => state.data.classes.length > 0;
