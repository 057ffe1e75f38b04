// Noise as `gantool sample` draws it, and ways from one noise to another.

const REDRAWN = 30;  // times that numbers beyond the truncation are drawn again

// n noises in one array. spec: { how, scale, offset, size, truncation }
function drawNoise(spec, seed, n) {
  const random = new TorchRandom(seed), limit = spec.truncation, count = Math.max(16, n * spec.size);
  const fresh = () => random[spec.how](count).map((v) => v * spec.scale + spec.offset);
  const z = fresh();
  const beyond = (v) => Math.abs(v) > limit;
  for (let again = 0; again < REDRAWN && z.some(beyond); again++) {
    const other = fresh();
    z.forEach((v, i) => { if (beyond(v)) z[i] = other[i]; });
  }
  if (z.some(beyond)) {  // what stays beyond is spread evenly within
    const other = fresh();
    z.forEach((v, i) => { if (beyond(v)) z[i] = limit * erf(other[i] / Math.SQRT2); });
  }
  return z;
}

// What the generator is given: noise as it is, or what a program makes of each.
function latentsOf(noises, size, program) {
  if (!program) return noises;
  const n = Math.floor(noises.length / size), width = sizeOf(program.shape), found = new Float32Array(n * width);
  for (let i = 0; i < n; i++) found.set(program.run(noises.subarray(i * size, (i + 1) * size)), i * width);
  return found;
}

// A step along the great circle: a straight line would pass closer to 0 than noise ever is.
function between(a, b, t) {
  let dot = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  const cosine = Math.max(-0.9999, Math.min(0.9999, dot / Math.sqrt(aa * bb) || 0)), angle = Math.acos(cosine);
  const u = Math.sin((1 - t) * angle) / Math.sin(angle), v = Math.sin(t * angle) / Math.sin(angle);
  return a.map((x, i) => u * x + v * b[i]);
}
