// A replay of the run so far as a file: an HTML page with a player, or an animated GIF.
// Each frame has what the page shows: the prediction, or the first weights of images, beside the curves of the run.
import { predictionOn, weightsOn } from "./paint.js";
import { imageOf, svgFrom } from "./picture.js";
import { film, page, player, script, style } from "./replay-page.js";
import { decoded, decodeFrame, isClassification, screenOf } from "./state.js";
import { output, replay as words } from "./strings.js";
import { gif } from "./gif.js";
import { render } from "./vendor/lit-html.js";
import { curves } from "./view/curves.js";
import { number, whole } from "./view/parts.js";

const KINDS = ["html", "gif"], WIDTH = 840, HEIGHT = 370, SIDE = 310, TOP = 44, MARGIN = 16, GAP = 44;
const PLOT = { x: 350, y: 44, width: 474, height: 133 };

/** Return the name and the bytes of a replay. */
export async function replayOf(session, kind) {
  if (!KINDS.includes(kind)) throw new Error(words.kind(JSON.stringify(kind)));
  const moments = chosen(session.run);
  if (moments.length < 2) throw new Error(words.nothing);
  const shown = session.copy();
  shown.run = session.run.copy();
  const state = { ...decoded(shown.view()), row: null, showValidation: true, theme: document.documentElement.dataset.theme ?? "light" };
  const canvases = [];
  for (const place of moments) {
    shown.run.travel(place);
    canvases.push(await frameOf({ ...state, frame: decodeFrame(shown.frame()) }));
  }
  const titles = moments.map((place) => words.step(whole(session.run.course[place].step)));
  const bytes = kind === "gif" ? gif(canvases, film) : new TextEncoder().encode(pageOf(canvases, titles));
  return { name: `replay.${kind}`, bytes };
}

/** Return the places of the moments up to the present one, evenly thinned. */
function chosen({ course, step }) {
  const { length } = course.filter((moment) => moment.step <= step), count = Math.min(length, film.most_frames);
  return [...new Set(Array.from({ length: count }, (_, k) => Math.round((k * (length - 1)) / Math.max(count - 1, 1))))];
}

async function frameOf(state) {
  const canvas = canvasOf(WIDTH, HEIGHT), context = canvas.getContext("2d", { willReadFrequently: true });
  const colours = getComputedStyle(document.documentElement), { data, frame } = state, isClasses = isClassification(state);
  context.fillStyle = colours.getPropertyValue("--surface");
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = colours.getPropertyValue("--ink");
  context.font = `15px ${getComputedStyle(document.body).fontFamily}`;
  context.drawImage(predictionOf(state), MARGIN, TOP);
  context.fillText(titleOf(state), MARGIN, TOP - 14);
  const isHeld = data.training < data.rows;
  const plots = [[output.loss, 1, 3, undefined], [isClasses ? output.accuracy : output.r2, 2, 4, 1]];
  for (const [k, [title, first, second, high]] of plots.entries()) {
    const y = PLOT.y + k * (PLOT.height + GAP);
    const picture = await plotOf(curves(title, frame.course, first, second, frame.moment, 0, high));
    context.drawImage(picture, PLOT.x, y, PLOT.width, PLOT.height);
    context.fillText(isHeld ? words.curves(title) : title, PLOT.x, y - 8);
  }
  return canvas;
}

const canvasOf = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

function predictionOf(state) {
  const canvas = canvasOf(SIDE, SIDE);
  if (state.data.image_side) weightsOn(canvas, state);
  else predictionOn(canvas, screenOf(state, "own"), state.theme);
  return canvas;
}

function titleOf(state) {
  const { step, measured: [, score] } = state.frame, isClasses = isClassification(state);
  const shown = isClasses && score !== null ? `${(100 * score).toFixed(1)} %` : number(score, 3);
  return words.title(whole(step), isClasses ? output.accuracy : output.r2, shown);
}

/** Return a plot of the page as an image, with the colours of the page. */
function plotOf(template) {
  const holder = Object.assign(document.createElement("div"), { className: "hidden-text" });
  document.body.append(holder);
  try {
    render(template, holder);
    return imageOf(svgFrom(holder.querySelector("svg.plot"), PLOT.width, PLOT.height));
  } finally {
    holder.remove();
  }
}

function pageOf(canvases, titles) {
  const pictures = canvases.map((canvas) => canvas.toDataURL("image/png").split(",")[1]);
  const { milliseconds } = film, last = `data:image/png;base64,${pictures.at(-1)}`;
  const filled = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const frames = JSON.stringify({ pictures, titles, milliseconds }).replaceAll("<", "\\u003c");
  const shown = filled(player, { last, words: words.about, most: String(titles.length - 1), title: titles.at(-1), film: frames, script });
  return filled(page, { heading: words.heading, words: words.about, style, player: shown });
}
