// An animated GIF of canvases, with one palette for all frames (the GIF89a format).
const COLOURS = 256, BITS = 8, MOST_CODES = 4096;

/** Return the bytes of an animated GIF that repeats forever. */
export function gif(canvases, { milliseconds, last_milliseconds: lastMilliseconds }) {
  const { width, height } = canvases[0];
  const frames = canvases.map((canvas) => new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer));
  const palette = paletteOf(frames), nearest = nearestIn(palette), two = (n) => [n & 255, n >> 8];
  const found = [..."GIF89a"].map((sign) => sign.charCodeAt(0));
  found.push(...two(width), ...two(height), 0xf7, 0, 0);
  for (let k = 0; k < COLOURS; k += 1) found.push(...channels(palette[k] ?? 0));
  found.push(0x21, 0xff, 11, ...[..."NETSCAPE2.0"].map((sign) => sign.charCodeAt(0)), 3, 1, 0, 0, 0);
  for (const [k, frame] of frames.entries()) {
    const delay = Math.round((k === frames.length - 1 ? lastMilliseconds : milliseconds) / 10);
    found.push(0x21, 0xf9, 4, 0, ...two(delay), 0, 0, 0x2c, 0, 0, 0, 0, ...two(width), ...two(height), 0, BITS);
    const coded = compressed(Uint8Array.from(frame, nearest));
    for (let start = 0; start < coded.length; start += 255) {
      const block = coded.slice(start, start + 255);
      found.push(block.length, ...block);
    }
    found.push(0);
  }
  return Uint8Array.from([...found, 0x3b]);
}

const channels = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];

/** Return the most frequent colours of some frames; similar ones count as one. */
function paletteOf(frames) {
  const counts = new Map(), first = new Map();
  for (const frame of frames) {
    for (const pixel of frame) {
      const key = pixel & 0xf8f8f8;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (!first.has(key)) first.set(key, pixel);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, COLOURS).map(([key]) => first.get(key));
}

/** Return a function from a colour to the place of the nearest one in a palette. */
function nearestIn(palette) {
  const known = new Map(), colours = palette.map(channels);
  return (pixel) => {
    if (!known.has(pixel)) {
      const own = channels(pixel);
      const distances = colours.map((colour) => colour.reduce((sum, value, k) => sum + (value - own[k]) ** 2, 0));
      known.set(pixel, distances.indexOf(Math.min(...distances)));
    }
    return known.get(pixel);
  };
}

/** Compress bytes as a GIF does: Lempel, Ziv and Welch's codes of growing length, least significant bit first. */
function compressed(bytes) {
  const clear = 1 << BITS, found = [];
  let codes = new Map(), next = clear + 2, length = BITS + 1, waiting = 0, count = 0;
  const write = (code) => {
    waiting |= code << count;
    for (count += length; count >= 8; count -= 8) {
      found.push(waiting & 255);
      waiting >>>= 8;
    }
  };
  write(clear);
  let prefix = bytes[0];
  for (let k = 1; k < bytes.length; k += 1) {
    const key = (prefix << BITS) | bytes[k], code = codes.get(key);
    if (code !== undefined) { prefix = code; continue; }
    write(prefix);
    if (next === MOST_CODES) {
      write(clear);
      [codes, next, length] = [new Map(), clear + 2, BITS + 1];
    } else {
      if (next === 1 << length) length += 1;
      codes.set(key, next);
      next += 1;
    }
    prefix = bytes[k];
  }
  write(prefix);
  write(clear + 1);
  if (count) found.push(waiting & 255);
  return found;
}
