// The operations a program is made of. Each is given its numbers o, what it reads (x, a list of arrays), what it fills
// (y) and its weights by name (w). All arrays are Float32Arrays of one image.

// The image's patches as columns, so that a convolution is one product. `o.work` is kept between images.
function patches(o, x, group, channels, columns) {
  const [h, wide] = o.hw, [kh, kw] = o.ws.slice(2), [oh, ow] = o.out;
  let at = 0;
  for (let c = 0; c < channels; c++) for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
    for (let row = 0; row < oh; row++) {
      const r = row * o.stride[0] - o.padding[0] + i * o.dilation[0];
      if (r < 0 || r >= h) {
        columns.fill(0, at, at + ow);
        at += ow;
        continue;
      }
      const from = ((group * channels + c) * h + r) * wide;
      let q = j * o.dilation[1] - o.padding[1];
      for (let column = 0; column < ow; column++, q += o.stride[1]) columns[at++] = q < 0 || q >= wide ? 0 : x[from + q];
    }
  }
}

// Where a transposed convolution's products go: each patch is added at its place.
function scatter(o, columns, y, first, channels, bias) {
  const [h, wide] = o.hw, [kh, kw] = o.ws.slice(2), [oh, ow] = o.out;
  for (let c = 0; c < channels; c++) {
    const to = (first + c) * oh * ow;
    y.fill(bias ? bias[first + c] : 0, to, to + oh * ow);
    for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) {
      let from = ((c * kh + i) * kw + j) * h * wide;
      for (let row = 0; row < h; row++, from += wide) {
        const r = row * o.stride[0] - o.padding[0] + i * o.dilation[0];
        if (r < 0 || r >= oh) continue;
        const line = to + r * ow;
        let q = j * o.dilation[1] - o.padding[1];
        for (let column = 0; column < wide; column++, q += o.stride[1]) {
          if (q >= 0 && q < ow) y[line + q] += columns[from + column];
        }
      }
    }
  }
}

// Each group's kernels, inputs by outputs, turned: outputs by inputs.
function turned(kernel, groups, inputs, outputs) {
  const found = new Float32Array(kernel.length);
  for (let g = 0; g < groups; g++) for (let i = 0; i < inputs; i++) for (let o = 0; o < outputs; o++) {
    found[(g * outputs + o) * inputs + i] = kernel[(g * inputs + i) * outputs + o];
  }
  return found;
}

// All entries of a table that may be said by its start, step and length.
function entries(table) {
  return Array.isArray(table) ? table : Array.from({ length: table.length }, (_, i) => table.start + i * table.step);
}

const REDUCE = {
  max: [-Infinity, Math.max],
  min: [Infinity, Math.min],
  prod: [1, (a, b) => a * b],
  sum: [0, (a, b) => a + b],
  mean: [0, (a, b) => a + b],
};

const OPERATIONS = {
  const(o, x, y, w) {
    y.set(w.numbers);
  },

  linear(o, x, y, w) {
    for (let r = 0; r < o.m; r++) applyMatrix(o.n, o.k, w.weight, x[0], r * o.k, y, r * o.n, w.bias);
  },

  matmul(o, x, y) {
    const { m, n, k } = o;
    for (let b = 0; b < o.batch; b++) multiply(m, n, k, x[0], b * m * k, x[1], b * k * n, y, b * m * n, null, 0);
  },

  conv(o, x, y, w) {
    const [outputs, channels, kh, kw] = o.ws, places = o.out[0] * o.out[1], K = channels * kh * kw, M = outputs / o.groups;
    const kernel = w.weight || x[1];
    const plain = kh * kw === 1 && o.stride[0] * o.stride[1] === 1 && !o.padding[0] && !o.padding[1];
    if (!plain && !o.work) o.work = new Float32Array(K * places);
    for (let g = 0; g < o.groups; g++) {
      if (!plain) patches(o, x[0], g, channels, o.work);
      const from = plain ? x[0] : o.work, start = plain ? g * channels * places : 0;
      multiply(M, places, K, kernel, g * M * K, from, start, y, g * M * places, w.bias, g * M);
    }
  },

  convt(o, x, y, w) {
    const inputs = o.ws[0] / o.groups, channels = o.ws[1], places = o.hw[0] * o.hw[1], M = channels * o.ws[2] * o.ws[3];
    if (!o.work) o.work = new Float32Array(M * places);
    if (!o.kernel || !w.weight) o.kernel = turned(w.weight || x[1], o.groups, inputs, M);
    for (let g = 0; g < o.groups; g++) {
      multiply(M, places, inputs, o.kernel, g * inputs * M, x[0], g * inputs * places, o.work, 0, null, 0);
      scatter(o, o.work, y, g * channels, channels, w.bias);
    }
  },

  affine(o, x, y, w) {
    for (let i = 0; i < y.length; i++) {
      const c = Math.floor(i / o.inner) % o.c;
      y[i] = x[0][i] * w.scale[c] + w.offset[c];
    }
  },

  prelu(o, x, y, w) {
    for (let i = 0; i < y.length; i++) {
      const v = x[0][i];
      y[i] = v > 0 ? v : v * w.slopes[Math.floor(i / o.inner) % o.c];
    }
  },

  norm(o, x, y) {
    for (let g = 0, at = 0; g < o.groups; g++, at += o.size) {
      let mean = 0, squares = 0;
      for (let i = at; i < at + o.size; i++) mean += x[0][i];
      mean /= o.size;
      for (let i = at; i < at + o.size; i++) squares += (x[0][i] - mean) ** 2;
      const scale = 1 / Math.sqrt(squares / o.size + o.eps);
      for (let i = at; i < at + o.size; i++) y[i] = (x[0][i] - mean) * scale;
    }
  },

  map(o, x, y) {
    const f = MAPS[o.f], u = +o.u, v = +o.v;
    for (let i = 0; i < y.length; i++) y[i] = f(x[0][i], u, v);
  },

  zip(o, x, y) {
    const [a, b] = x, f = ZIPS[o.f];
    if (o.f === "add") for (let i = 0; i < y.length; i++) y[i] = a[i] + b[i];
    else for (let i = 0; i < y.length; i++) y[i] = f(a[i], b[i]);
  },

  where(o, x, y) {
    for (let i = 0; i < y.length; i++) y[i] = x[0][i] !== 0 ? x[1][i] : x[2][i];
  },

  cat(o, x, y) {
    for (let row = 0, at = 0; row < o.outer; row++) {
      x.forEach((part, i) => {
        y.set(part.subarray(row * o.sizes[i], (row + 1) * o.sizes[i]), at);
        at += o.sizes[i];
      });
    }
  },

  take(o, x, y) {
    for (let i = 0; i < y.length; i++) y[i] = o.index[i] < 0 ? o.fill : x[0][o.index[i]];
  },

  // Where each number comes from is a sum of one table's entries for each axis; null: from nowhere.
  move(o, x, y) {
    if (!o.work) o.work = o.tables.map(entries);
    const tables = o.work, last = tables[tables.length - 1], n = last.length;
    let at = 0;
    function along(axis, base) {
      if (axis < tables.length - 1) {
        for (const step of tables[axis]) along(axis + 1, step === null ? NaN : base + step);
      } else if (Number.isNaN(base)) {
        y.fill(o.fill, at, at + n);
        at += n;
      } else {
        for (let i = 0; i < n; i++) y[at++] = last[i] === null ? o.fill : x[0][base + last[i]];
      }
    }
    along(0, 0);
  },

  // Rows, then columns: each is a weighted sum of some on end, [first, weight, weight...].
  resize(o, x, y) {
    const high = o.rows.length, wide = o.columns.length, between = new Float32Array(high * o.iw);
    for (let c = 0; c < o.c; c++) {
      for (let a = 0; a < high; a++) for (let b = 0; b < o.iw; b++) {
        const taps = o.rows[a];
        let sum = 0;
        for (let i = 1; i < taps.length; i++) sum += taps[i] * x[0][(c * o.ih + taps[0] + i - 1) * o.iw + b];
        between[a * o.iw + b] = sum;
      }
      for (let a = 0; a < high; a++) for (let b = 0; b < wide; b++) {
        const taps = o.columns[b];
        let sum = 0;
        for (let i = 1; i < taps.length; i++) sum += taps[i] * between[a * o.iw + taps[0] + i - 1];
        y[(c * high + a) * wide + b] = sum;
      }
    }
  },

  reduce(o, x, y) {
    const spread = o.f === "var" || o.f === "std", [start, f] = REDUCE[spread ? "mean" : o.f];
    for (let a = 0; a < o.outer; a++) for (let c = 0; c < o.inner; c++) {
      const first = a * o.k * o.inner + c;
      let found = start;
      for (let k = 0; k < o.k; k++) found = f(found, x[0][first + k * o.inner]);
      if (spread || o.f === "mean") found /= o.k;
      if (spread) {
        let squares = 0;
        for (let k = 0; k < o.k; k++) squares += (x[0][first + k * o.inner] - found) ** 2;
        found = squares / (o.k - o.correction);
      }
      y[a * o.inner + c] = o.f === "std" ? Math.sqrt(found) : found;
    }
  },

  softmax(o, x, y) {
    for (let a = 0; a < o.outer; a++) for (let c = 0; c < o.inner; c++) {
      const first = a * o.k * o.inner + c;
      let most = -Infinity, sum = 0;
      for (let k = 0; k < o.k; k++) most = Math.max(most, x[0][first + k * o.inner]);
      for (let k = 0; k < o.k; k++) sum += y[first + k * o.inner] = Math.exp(x[0][first + k * o.inner] - most);
      for (let k = 0; k < o.k; k++) y[first + k * o.inner] /= sum;
    }
  },

  argmax(o, x, y) {
    for (let a = 0; a < o.outer; a++) for (let c = 0; c < o.inner; c++) {
      const at = (k) => x[0][(a * o.k + k) * o.inner + c];
      let best = 0;
      for (let k = 1; k < o.k; k++) if (at(k) > at(best)) best = k;
      y[a * o.inner + c] = best;
    }
  },

  onehot(o, x, y) {
    y.fill(0);
    x[0].forEach((which, i) => { y[i * o.n + which] = 1; });
  },

  rows(o, x, y, w) {
    x[0].forEach((which, i) => y.set(w.table.subarray(which * o.size, (which + 1) * o.size), i * o.size));
  },
};
