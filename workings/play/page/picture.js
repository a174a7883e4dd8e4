// Pictures of the page as files: what is drawn becomes an SVG that stands alone, or a PNG of it.
const PADDING = 16;
const space = "http://www.w3.org/2000/svg";
const escaped = (text) => text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;",
  '"': "&quot;" })[c]);
const ground = () => getComputedStyle(document.querySelector(".card")).backgroundColor;
const font = () => escaped(getComputedStyle(document.body).fontFamily);

// What can be saved: its name, and where it is on the page.
export const pictures = {
  network: ".net", output: "canvas[data-screen='own']", landscape: ".land",
  loss: ".output figure:nth-of-type(1) svg.plot", accuracy: ".output figure:nth-of-type(2) svg.plot",
};

export function svgOf(kind) {
  const element = document.querySelector(pictures[kind]);
  if (!element) return null;
  const { width, height } = element.getBoundingClientRect();
  const content = contentOf(element, width, height);
  const [w, h] = [width + 2 * PADDING, height + 2 * PADDING].map(Math.ceil);
  const box = `viewBox="${-PADDING} ${-PADDING} ${w} ${h}" font-family="${font()}"`;
  const paper = `<rect x="${-PADDING}" y="${-PADDING}" width="${w}" height="${h}" fill="${ground()}"/>`;
  const text = `<svg xmlns="${space}" width="${w}" height="${h}" ${box}>${paper}${content}</svg>`;
  return { width: w, height: h, text };
}

function contentOf(element, width, height) {
  if (element.matches(".net")) return networkOf(element);
  if (element.matches("canvas")) return image(element, 0, 0, width, height);
  if (!element.matches(".land")) return drawn(element, width, height);
  return image(element.querySelector("canvas"), 0, 0, width, height) + drawn(element.querySelector("svg"), width,
    height);
}

export async function pngOf({ width, height, text }) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(await imageOf(text), 0, 0, 2 * width, 2 * height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export function imageOf(text) { // of an SVG
  return new Promise((resolve, reject) => {
    const picture = new Image(), address = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
    const end = (done) => (event) => { URL.revokeObjectURL(address); done(event); };
    picture.onload = end(() => resolve(picture));
    picture.onerror = end(reject);
    picture.src = address;
  });
}

export function svgFrom(element, width, height) { // an SVG of the page
  const copy = drawnFrom(element, width, height);
  copy.setAttribute("font-family", getComputedStyle(document.body).fontFamily);
  return textOf(copy);
}

function image(canvas, x, y, width, height) {
  const place = `x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none"`;
  return `<image ${place} href="${canvas.toDataURL("image/png")}"/>`;
}

// An SVG of the page, with the colours that its style sheet gives.
const styles = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity",
  "font-size", "text-anchor"];
function styled(from, to) {
  const found = getComputedStyle(from);
  for (const name of styles) to.setAttribute(name, found.getPropertyValue(name));
  for (const name of ["class", "style", "data-hint", "data-edge"]) to.removeAttribute(name);
  [...from.children].forEach((child, k) => styled(child, to.children[k]));
}
function drawnFrom(element, width, height) {
  const copy = element.cloneNode(true);
  styled(element, copy);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  return copy;
}
const textOf = (element) => new XMLSerializer().serializeToString(element).replace(/<!--.*?-->/g, "");
const drawn = (element, width, height) => textOf(drawnFrom(element, width, height));

function networkOf(element) {
  const origin = element.getBoundingClientRect();
  const box = (part) => { const { left, top, width, height } = part.getBoundingClientRect();
    return { x: left - origin.left, y: top - origin.top, width, height }; };
  const look = 'text-anchor="middle" dominant-baseline="middle" font-size="12.5"';
  const text = (x, y, words) => `<text x="${x}" y="${y}" ${look} fill="${quiet}">${escaped(words)}</text>`;
  const quiet = getComputedStyle(element.querySelector(".column-title") ?? element).color;
  const units = [...element.querySelectorAll(".unit")].map((unit) => {
    const { x, y, width, height } = box(unit), { borderColor, borderStyle } = getComputedStyle(unit);
    const colour = borderColor.match(/rgba?\([^)]*\)/)[0],
      dashes = borderStyle.includes("dashed") ? ' stroke-dasharray="4 3"' : "";
    const place = `x="${x}" y="${y}" width="${width}" height="${height}" rx="4"`;
    const border = `<rect ${place} fill="none" stroke="${colour}" stroke-width="1.5"${dashes}/>`;
    return image(unit.querySelector("canvas"), x, y, width, height) + border;
  });
  const labels = [...element.querySelectorAll(".unit-label, .column-title")].map((one) => {
    const { x, y, width, height } = box(one);
    return text(x + width / 2, y + height / 2, one.textContent.trim());
  });
  const heads = [...element.querySelectorAll(".column-head[role]")].flatMap((head) => {
    const { x, y, width } = box(head), [activation, dropout] = [...head.querySelectorAll("select")];
    const normed = head.querySelector("[aria-pressed='true']");
    const lines = [
      head.querySelector(".stepper span").textContent, activation.value,
      ...(Number(dropout.value) ? [dropout.selectedOptions[0].textContent] : []),
        ...(normed ? [normed.textContent] : []),
    ];
    return lines.map((line, k) => text(x + width / 2, y + 14 + 20 * k, line));
  });
  return `${drawn(element.querySelector("svg.edges:not(.hits)"), origin.width,
    origin.height)}${units.join("")}${labels.join("")}${heads.join("")}`;
}
