// Functions of one number and of two. Those of two are also functions of one: "add_by" of x is x + u, "sub_of" is u - x.

const ZIPS = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: Math.pow,
  maximum: Math.max,
  minimum: Math.min,
  gt: (a, b) => +(a > b),
  lt: (a, b) => +(a < b),
  ge: (a, b) => +(a >= b),
  le: (a, b) => +(a <= b),
  eq: (a, b) => +(a === b),
  ne: (a, b) => +(a !== b),
  logical_and: (a, b) => +(a !== 0 && b !== 0),
  logical_or: (a, b) => +(a !== 0 || b !== 0),
};

const softplus = (x) => (x > 20 ? x : Math.log1p(Math.exp(x)));

// A series near 0, a continued fraction further out: to a double's precision, unlike the usual polynomials.
function erf(x) {
  const a = Math.abs(x);
  let y = 0;
  if (a < 2.5) {
    let term = a;
    y = a;
    for (let n = 1; n < 60; n++) {
      term *= -a * a / n;
      y += term / (2 * n + 1);
    }
    y *= 2 / Math.sqrt(Math.PI);
  } else {
    for (let n = 40; n > 0; n--) y = n / 2 / (a + y);
    y = 1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + y);
  }
  return x < 0 ? -y : y;
}

function halfToEven(x) {
  const y = Math.round(x);
  return y - x === 0.5 && y % 2 ? y - 1 : y;
}

const MAPS = {
  abs: Math.abs,
  ceil: Math.ceil,
  clamp: (x, u, v) => (x < u ? u : x > v ? v : x),
  cos: Math.cos,
  elu: (x, u, v) => (x > 0 ? x * v : u * v * Math.expm1(x)),
  erf: erf,
  exp: Math.exp,
  floor: Math.floor,
  gelu: (x) => x * (1 + erf(x / Math.SQRT2)) / 2,
  gelu_tanh: (x) => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
  leaky: (x, u) => (x > 0 ? x : u * x),
  log: Math.log,
  log1p: Math.log1p,
  logical_not: (x) => +(x === 0),
  mish: (x) => x * Math.tanh(softplus(x)),
  neg: (x) => -x,
  reciprocal: (x) => 1 / x,
  relu: (x) => (x > 0 ? x : 0),
  round: halfToEven,
  rsqrt: (x) => 1 / Math.sqrt(x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  sign: Math.sign,
  silu: (x) => x / (1 + Math.exp(-x)),
  sin: Math.sin,
  softplus: softplus,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  trunc: Math.trunc,
};
for (const name of Object.keys(ZIPS)) {
  MAPS[name + "_by"] = (x, u) => ZIPS[name](x, u);
  MAPS[name + "_of"] = (x, u) => ZIPS[name](u, x);
}

// In place, on what an operation has just made.
function activate(y, [name, u, v]) {
  const n = y.length;
  if (name === "relu") {
    for (let i = 0; i < n; i++) if (y[i] < 0) y[i] = 0;
  } else if (name === "leaky") {
    for (let i = 0; i < n; i++) if (y[i] < 0) y[i] *= u;
  } else {
    const f = MAPS[name];
    for (let i = 0; i < n; i++) y[i] = f(y[i], u, v);
  }
}
