// Films as GIF, by LZW: grey images keep their 256 levels, others are brought to 252 colours.

const LEVELS = [6, 7, 6];  // of red, green and blue

function palette(grey) {
  const found = new Uint8Array(768);
  for (let i = 0; i < 256; i++) {
    const levels = [Math.floor(i / 42), Math.floor(i / 6) % 7, i % 6];
    for (let c = 0; c < 3; c++) found[3 * i + c] = grey ? i : Math.min(255, Math.round(levels[c] * 255 / (LEVELS[c] - 1)));
  }
  return found;
}

// Of RGBA bytes, each pixel's place in the palette; what is transparent lies on white.
function indexed(rgba, grey) {
  return Uint8Array.from({ length: rgba.length / 4 }, (_, i) => {
    const alpha = rgba[4 * i + 3] / 255, over = (c) => rgba[4 * i + c] * alpha + 255 * (1 - alpha);
    if (grey) return Math.round(over(0));
    const level = (c) => Math.round(over(c) * (LEVELS[c] - 1) / 255);
    return 42 * level(0) + 6 * level(1) + level(2);
  });
}

function compressed(pixels) {
  const out = [], clear = 256, end = 257;
  let table = new Map(), next = 258, width = 9, held = 0, bits = 0;
  function put(code) {
    held |= code << bits;
    bits += width;
    for (; bits >= 8; bits -= 8, held >>>= 8) out.push(held & 255);
  }
  put(clear);
  let prefix = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = prefix << 8 | pixels[i];
    if (table.has(key)) {
      prefix = table.get(key);
      continue;
    }
    put(prefix);
    if (next < 4096) {
      table.set(key, next);
      if (next === 1 << width) width++;
      next++;
    } else {
      put(clear);
      table = new Map();
      next = 258;
      width = 9;
    }
    prefix = pixels[i];
  }
  put(prefix);
  put(end);
  if (bits) out.push(held & 255);
  return out;
}

// frames: RGBA bytes each, all of this width and height; `delay` in hundredths of a second. It repeats for ever.
function gifOf(frames, width, height, grey, delay) {
  const short = (n) => [n & 255, n >> 8], text = (s) => Array.from(s, (c) => c.charCodeAt(0));
  const parts = [text("GIF89a"), short(width), short(height), [0xf7, 0, 0], palette(grey)];
  parts.push([0x21, 0xff, 11], text("NETSCAPE2.0"), [3, 1, 0, 0, 0]);
  for (const rgba of frames) {
    parts.push([0x21, 0xf9, 4, 4], short(delay), [0, 0, 0x2c, 0, 0, 0, 0], short(width), short(height), [0, 8]);
    const data = compressed(indexed(rgba, grey));
    for (let at = 0; at < data.length; at += 255) {
      const block = data.slice(at, at + 255);
      parts.push([block.length], block);
    }
    parts.push([0]);
  }
  parts.push([0x3b]);
  const found = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    found.set(part, at);
    at += part.length;
  }
  return found;
}
