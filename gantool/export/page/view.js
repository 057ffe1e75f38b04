// Images on canvases, and files of them.

// What a generator gives, in [-1, 1], (C, H, W), as RGBA bytes.
function rgbaOf(x, channels, pixels) {
  const found = new Uint8ClampedArray(4 * pixels);  // which rounds halves to even, as torch does
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) found[4 * i + c] = (x[(channels === 1 ? 0 : c) * pixels + i] + 1) * 127.5;
    found[4 * i + 3] = channels === 4 ? (x[3 * pixels + i] + 1) * 127.5 : 255;
  }
  return found;
}

// RGBA bytes as a network reads them, in [-1, 1], (C, H, W).
function numbersOf(rgba, channels) {
  const pixels = rgba.length / 4, found = new Float32Array(channels * pixels);
  for (let i = 0; i < pixels; i++) {
    const [r, g, b, a] = rgba.subarray(4 * i, 4 * i + 4);
    const bytes = channels === 1 ? [Math.round(0.299 * r + 0.587 * g + 0.114 * b)] : [r, g, b, a];
    for (let c = 0; c < channels; c++) found[c * pixels + i] = bytes[c] / 127.5 - 1;
  }
  return found;
}

function put(canvas, rgba, width, height, x = 0, y = 0) {
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), x, y);
}

// Each pixel as a square of so many.
function enlarged(rgba, width, height, by) {
  const from = new Uint32Array(rgba.buffer), found = new Uint32Array(from.length * by * by);
  for (let y = 0; y < height * by; y++) for (let x = 0; x < width * by; x++) {
    found[y * width * by + x] = from[Math.floor(y / by) * width + Math.floor(x / by)];
  }
  return new Uint8ClampedArray(found.buffer);
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function element(kind, properties = {}, ...children) {
  const found = document.createElement(kind);
  Object.assign(found, properties);
  found.append(...children);
  return found;
}

// A slider beside its name and its value.
function slider(id, label, low, high, step, value, heard) {
  const out = element("output", { textContent: value.toFixed(1) });
  const input = element("input", { type: "range", id, min: low, max: high, step, value });
  out.htmlFor = id;
  input.addEventListener("input", () => {
    out.textContent = (+input.value).toFixed(1);
    heard(+input.value);
  });
  return element("div", { className: "slide" }, element("label", { htmlFor: id, textContent: label }), input, out);
}
