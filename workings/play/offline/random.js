// NumPy's random generator `default_rng` (PCG64, O'Neill 2014), for the random choices of the doctor's checks: with it,
// they choose the same rows as in Python.
import * as np from "./arrays.js";
import { Random } from "./data.js";
import { split } from "./python.js";
import { states } from "./doctor-tables.js";

const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n, ALL = (1n << 128n) - 1n, LOW = (1n << 64n) - 1n;

export class Generator {
  constructor(seed) {
    [this.state, this.increment] = states[seed].map(BigInt);
    this.kept = null; // the upper half of a number of 64 bits whose lower half was used
    this.normal = new Random(seed);
  }

  next64() {
    this.state = (this.state * MULTIPLIER + this.increment) & ALL;
    const mixed = (this.state >> 64n) ^ (this.state & LOW), turn = this.state >> 122n;
    return ((mixed >> turn) | (mixed << (64n - turn))) & LOW;
  }

  next32() {
    if (this.kept !== null) {
      const found = this.kept;
      this.kept = null;
      return found;
    }
    const both = this.next64();
    this.kept = Number(both >> 32n);
    return Number(both & 0xffffffffn);
  }

  /** Return a whole number from 0 to `most`: the next one that fits, of as few bits as possible. */
  upTo(most) {
    if (most === 0) return 0;
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    let found;
    do found = (this.next32() & mask) >>> 0; while (found > most);
    return found;
  }

  /** Return the numbers from 0 to n - 1, or the entries of an array, in random order. */
  permutation(given) {
    const found = np.isArray(given) ? Array.from(given.data) : np.range(given);
    for (let last = found.length - 1; last > 0; last -= 1) {
      const other = this.upTo(last);
      [found[last], found[other]] = [found[other], found[last]];
    }
    return np.ndarray([found.length], Float64Array.from(found));
  }

  /** Return normal numbers; not those of NumPy. */
  standard_normal(shape) {
    return this.normal.standard_normal([split([shape])[0][0]].flat());
  }
}
