// The one state object: everything that the page shows is a function of it.
export const initial = () => ({
  choices: null, settings: null, data: null, network: null, frame: null, // from the session
  running: false, speed: 10, walking: false,
  tab: "statement", statement: null, statementUnit: 0, detail: null, doctor: null, code: null, notice: "", // what the inspector shows
  row: null, current: [0, 0], // the chosen row; the unit that has the focus
  cursor: null, // the cross on the plane, while it has the focus: from 0 to 1, to the right and down
  hint: "", problem: "", busy: false, closed: false, help: false, table: null, adding: null, lessons: null,
    lesson: null, invite: false, showValidation: true,
  other: null, // settings and network that are kept for comparison
  picture: "network", landscape: null, directions: "path",
  museum: null, exhibit: null, findings: null, game: null, // the museum
  theme: "light", width: 0, netWidth: 0, loaded: 0, // how many parts of the page were loaded later
});

export function base64(array) {
  let text = "";
  for (let k = 0; k < array.length; k += 8192) text += String.fromCharCode(...array.subarray(k, k + 8192));
  return btoa(text);
}
export function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const plain = atob(text), found = new Uint8Array(plain.length);
  for (let k = 0; k < plain.length; k++) found[k] = plain.charCodeAt(k);
  return found;
}
const floats = (text) => new Float32Array(bytes(text).buffer);

// Replies hold arrays as base64 text; each is decoded once, when it arrives.
export function decoded(reply) {
  if (reply.weights) return decodeFrame(reply);
  for (const { picture } of reply.networks ?? []) if (picture) decodePicture(picture);
  if (reply.losses && reply.alphas) reply.losses = floats(reply.losses);
  const { data, network, frame } = reply;
  if (data) { data.points = floats(data.points); data.targets = floats(data.targets); }
  if (network?.input_maps) network.input_maps = bytes(network.input_maps);
  if (reply.other?.network?.input_maps) reply.other.network.input_maps = bytes(reply.other.network.input_maps);
  if (frame) decodeFrame(frame);
  return reply;
}
function decodePicture(picture) {
  picture.map = bytes(picture.map);
  picture.data.points = floats(picture.data.points);
  picture.data.targets = floats(picture.data.targets);
}
export function decodeFrame(frame) {
  if (frame.other) decodeFrame(frame.other);
  for (const weight of Object.values(frame.weights)) weight.data = floats(weight.data);
  if (frame.maps) frame.maps = { units: frame.maps.units.map(bytes), output: bytes(frame.maps.output) };
  const flat = floats(frame.course); // step, loss, score, validation loss, validation score
  frame.course = Array.from({ length: frame.moments }, (_, k) => flat.subarray(5 * k, 5 * k + 5));
  return frame;
}

export const layersOf = (network) => [
  { units: network.is_image ? 1 : network.inputs.length }, ...network.hidden,
    { units: network.outputs.length, W: `W${network.hidden.length + 1}` },
];
export const weightsInto = (network, frame, layer) => {
  const found = frame.weights[`W${layer}`];
  return { rows: found.shape[0], columns: found.shape[1], at: found.data };
};
// What a canvas shows of a prediction: of the present network, or of one in the museum.
export function screenOf(state, key) {
  const [kind, k] = key.split(",");
  if (kind === "exhibit") return state.exhibit?.networks[k].picture;
  if (kind === "game") return state.game?.networks[k].picture;
  const { data, network, frame, row, showValidation, cursor } = kind === "other" ? otherState(state) : state;
  return { data, outputs: network.outputs, side: network.side, map: frame.maps.output, row, showValidation, cursor };
}
// The state as the kept network would have it, to draw that one.
export const otherState = (state) => ({ ...state, ...state.other, frame: state.frame.other, running: true, detail: null, cursor: null });
// The part of the page that a step of a lesson is about.
export const partOf = (step) => step.point || (step.open ? ".card.inspector" : ".card.output");
export const isClassification = (state) => state.data.classes.length > 0;
