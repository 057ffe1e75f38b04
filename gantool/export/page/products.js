// Matrix products on Float32Arrays: most of the time that an image takes is spent here.
"use strict";

// C (M x N) = A (M x K) B (K x N); row i of C starts at bias[b0 + i], where there is one. Four rows by four columns at
// a time: sixteen sums stay in registers, and each number that is read serves four of them.
function multiply(M, N, K, A, a0, B, b0, C, c0, bias, bias0) {
  const N4 = N & ~3;
  let i = 0;
  for (; i + 4 <= M; i += 4) {
    const r0 = a0 + i * K, r1 = r0 + K, r2 = r1 + K, r3 = r2 + K;
    const s0 = bias ? bias[bias0 + i] : 0, s1 = bias ? bias[bias0 + i + 1] : 0;
    const s2 = bias ? bias[bias0 + i + 2] : 0, s3 = bias ? bias[bias0 + i + 3] : 0;
    let j = 0;
    for (; j < N4; j += 4) {
      let c00 = s0, c01 = s0, c02 = s0, c03 = s0, c10 = s1, c11 = s1, c12 = s1, c13 = s1;
      let c20 = s2, c21 = s2, c22 = s2, c23 = s2, c30 = s3, c31 = s3, c32 = s3, c33 = s3;
      for (let k = 0, q = b0 + j; k < K; k++, q += N) {
        const x0 = B[q], x1 = B[q + 1], x2 = B[q + 2], x3 = B[q + 3];
        let y = A[r0 + k];
        c00 += y * x0; c01 += y * x1; c02 += y * x2; c03 += y * x3;
        y = A[r1 + k];
        c10 += y * x0; c11 += y * x1; c12 += y * x2; c13 += y * x3;
        y = A[r2 + k];
        c20 += y * x0; c21 += y * x1; c22 += y * x2; c23 += y * x3;
        y = A[r3 + k];
        c30 += y * x0; c31 += y * x1; c32 += y * x2; c33 += y * x3;
      }
      let to = c0 + i * N + j;
      C[to] = c00; C[to + 1] = c01; C[to + 2] = c02; C[to + 3] = c03;
      to += N;
      C[to] = c10; C[to + 1] = c11; C[to + 2] = c12; C[to + 3] = c13;
      to += N;
      C[to] = c20; C[to + 1] = c21; C[to + 2] = c22; C[to + 3] = c23;
      to += N;
      C[to] = c30; C[to + 1] = c31; C[to + 2] = c32; C[to + 3] = c33;
    }
    for (; j < N; j++) {
      let d0 = s0, d1 = s1, d2 = s2, d3 = s3;
      for (let k = 0, q = b0 + j; k < K; k++, q += N) {
        const x = B[q];
        d0 += A[r0 + k] * x; d1 += A[r1 + k] * x; d2 += A[r2 + k] * x; d3 += A[r3 + k] * x;
      }
      const to = c0 + i * N + j;
      C[to] = d0; C[to + N] = d1; C[to + 2 * N] = d2; C[to + 3 * N] = d3;
    }
  }
  for (; i < M; i++) {
    const row = a0 + i * K, start = bias ? bias[bias0 + i] : 0;
    let j = 0;
    for (; j < N4; j += 4) {
      let e0 = start, e1 = start, e2 = start, e3 = start;
      for (let k = 0, q = b0 + j; k < K; k++, q += N) {
        const y = A[row + k];
        e0 += y * B[q]; e1 += y * B[q + 1]; e2 += y * B[q + 2]; e3 += y * B[q + 3];
      }
      const to = c0 + i * N + j;
      C[to] = e0; C[to + 1] = e1; C[to + 2] = e2; C[to + 3] = e3;
    }
    for (; j < N; j++) {
      let sum = start;
      for (let k = 0; k < K; k++) sum += A[row + k] * B[b0 + k * N + j];
      C[c0 + i * N + j] = sum;
    }
  }
}

// y (n) = W (n x k) x + bias. Of mostly zeros, such as a one-hot class, only the rest is read.
function applyMatrix(n, k, W, x, x0, y, y0, bias) {
  const there = [];
  for (let i = 0; i < k; i++) if (x[x0 + i] !== 0) there.push(i);
  if (2 * there.length < k) {
    for (let o = 0; o < n; o++) {
      let sum = bias ? bias[o] : 0;
      for (const i of there) sum += W[o * k + i] * x[x0 + i];
      y[y0 + o] = sum;
    }
    return;
  }
  let o = 0;
  for (; o + 4 <= n; o += 4) {
    const p = o * k, q = p + k, r = q + k, s = r + k;
    let a = bias ? bias[o] : 0, b = bias ? bias[o + 1] : 0, c = bias ? bias[o + 2] : 0, d = bias ? bias[o + 3] : 0;
    for (let i = 0; i < k; i++) {
      const v = x[x0 + i];
      a += W[p + i] * v; b += W[q + i] * v; c += W[r + i] * v; d += W[s + i] * v;
    }
    y[y0 + o] = a; y[y0 + o + 1] = b; y[y0 + o + 2] = c; y[y0 + o + 3] = d;
  }
  for (; o < n; o++) {
    let sum = bias ? bias[o] : 0;
    for (let i = 0; i < k; i++) sum += W[o * k + i] * x[x0 + i];
    y[y0 + o] = sum;
  }
}
