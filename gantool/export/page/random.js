// Torch's random numbers on a CPU: the Mersenne Twister, uniform numbers of 24 bits, and normal ones by Box and Muller
// in blocks of 16, so that a seed draws here what `gantool sample --seed` draws.

class TorchRandom {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.at = 624;
    this.state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const before = this.state[i - 1] ^ this.state[i - 1] >>> 30;
      this.state[i] = Math.imul(1812433253, before) + i;
    }
  }

  bits() {
    const s = this.state;
    if (this.at === 624) {
      for (let k = 0; k < 624; k++) {
        const y = s[k] & 0x80000000 | s[(k + 1) % 624] & 0x7fffffff;
        s[k] = s[(k + 397) % 624] ^ y >>> 1 ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.at = 0;
    }
    let x = s[this.at++];
    x ^= x >>> 11;
    x ^= x << 7 & 0x9d2c5680;
    x ^= x << 15 & 0xefc60000;
    return (x ^ x >>> 18) >>> 0;
  }

  uniform() {
    return (this.bits() & 0xffffff) / 0x1000000;
  }

  // torch.rand(n)
  rand(n) {
    return Float32Array.from({ length: n }, () => this.uniform());
  }

  // torch.randn(n), of 16 numbers or more: fewer are drawn otherwise
  randn(n) {
    const found = this.rand(n), single = Math.fround;
    const block = (first) => {
      for (let j = first; j < first + 8; j++) {
        const radius = single(Math.sqrt(single(-2 * single(Math.log(single(1 - found[j]))))));
        const angle = single(single(2 * Math.PI) * found[j + 8]);
        found[j] = radius * single(Math.cos(angle));
        found[j + 8] = radius * single(Math.sin(angle));
      }
    };
    for (let i = 0; i + 16 <= n; i += 16) block(i);
    if (n % 16) {  // the last 16 are drawn again
      for (let i = n - 16; i < n; i++) found[i] = this.uniform();
      block(n - 16);
    }
    return found;
  }
}
