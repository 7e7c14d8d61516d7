// Random permutations, as torch.randperm draws them on the CPU.

import { HeddleError } from '../errors.ts';
import type { Generator } from './generator.ts';

// From here on PyTorch takes 64-bit draws; no data set that fits on the host is that long.
const MAX_LENGTH = Math.floor((2 ** 32 - 1) / 20);

/**
 * The numbers 0 … n-1 in the order of `torch.randperm(n)`, `[n]`; takes n-1 draws.
 * Throws `usage` when `n` is not an integer of 0 … 214,748,363.
 */
export function randperm(generator: Generator, n: number): Int32Array {
  if (!Number.isInteger(n) || n < 0 || n >= MAX_LENGTH) {
    throw new HeddleError('usage', `randperm: expected an integer of 0 to ${MAX_LENGTH - 1}, got ${n}.`);
  }
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = 0; i < n - 1; i++) {
    const j = i + (generator.random32() % (n - i));
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}
