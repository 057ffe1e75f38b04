// Reads a program and its weights, and runs it: one image at a time.

function bytesOf(base64) {
  const text = atob(base64), found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

// row: [format, offset, count, of int8 how many scales, and how many numbers on end share one]. Offsets are multiples of
// 4, and all machines with a browser are little-endian.
function readWeight([format, offset, count, scales, inner], bytes) {
  const found = new Float32Array(count), at = bytes.byteOffset + offset;
  if (format === "fp32") return new Float32Array(bytes.buffer, at, count);
  if (format === "fp16") {
    // The bits moved to a float's places, times 2^112 for the difference of the exponents: right for subnormals too.
    const halves = new Int16Array(bytes.buffer, at, count), bits = new Int32Array(found.buffer);
    for (let i = 0; i < count; i++) bits[i] = (halves[i] & 0x7fff) << 13 | halves[i] & 0x80000000;
    for (let i = 0; i < count; i++) found[i] *= 2 ** 112;
    return found;
  }
  const scale = new Float32Array(bytes.buffer, at, scales), whole = new Int8Array(bytes.buffer, at + 4 * scales, count);
  for (let i = 0, row = 0; i < count; row = (row + 1) % scales) {
    for (const end = i + inner; i < end; i++) found[i] = whole[i] * scale[row];
  }
  return found;
}

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

// { run(...arrays), shape, inputs }. What `run` gives is overwritten by the next.
function loadProgram(program, bytes) {
  const weights = program.weights.map((row) => readWeight(row, bytes));
  const values = program.shapes.map((shape) => new Float32Array(sizeOf(shape)));
  const steps = program.ops.map((o) => {
    const f = OPERATIONS[o.op];
    if (!f) throw new Error("There is no operation " + o.op);
    const x = o.in.map((i) => values[i]), y = values[o.to], w = {};
    for (const name of Object.keys(o.w || {})) w[name] = weights[o.w[name]];
    return () => {
      f(o, x, y, w);
      if (o.act) activate(y, o.act);
    };
  });
  return {
    shape: program.shapes[program.output],
    inputs: program.inputs.map((i) => program.shapes[i]),
    run(...arrays) {
      arrays.forEach((array, i) => values[program.inputs[i]].set(array));
      for (const step of steps) step();
      return values[program.output];
    },
  };
}
