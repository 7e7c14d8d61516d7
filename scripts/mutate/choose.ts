// Which mutants there are, which of them are explained, and which a short run takes.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGenerator } from '../../src/random/generator.ts';
import type { Explanation } from '../../test/mutants-explained.ts';
import { withoutComments } from '../shader-text.ts';
import { type Mutant, mutantsOf } from './operators.ts';

const shaders = join(import.meta.dirname, '..', '..', 'shaders');

/** All mutants of all files in shaders/. */
export function allMutants(): Mutant[] {
  const files = readdirSync(shaders).filter((file) => file.endsWith('.wgsl'));
  return files.sort().flatMap((file) => {
    const source = withoutComments(readFileSync(join(shaders, file), 'utf8')); // as kernels.generated.ts has it
    return mutantsOf(file.slice(0, -'.wgsl'.length), source);
  });
}

/** Whether an explanation is about this mutant. */
export function explains(explanation: Explanation, mutant: Mutant): boolean {
  const { kernels, operators, at, after } = explanation;
  const { kernel, operator, text, column } = mutant;
  if (!kernels.includes(kernel) || !operators.includes(operator)) return false;
  if (after !== undefined && !after.test(mutant.after)) return false;
  const places = [...text.matchAll(new RegExp(at, 'g'))];
  return places.some(({ index, 0: found }) => index <= column && column < index + found.length);
}

/** `count` of the mutants. Each next one is of the kernel, then of the operator, that has been taken least so far. */
export function sampleOf(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const generator = createGenerator(seed);
  const left = mutants.map((mutant) => ({ mutant, at: generator.random32() })).sort((a, b) => a.at - b.at);
  const taken: Mutant[] = [];
  const uses = (key: 'kernel' | 'operator', value: string) => taken.filter((m) => m[key] === value).length;
  while (taken.length < count && left.length > 0) {
    const cost = ({ kernel, operator }: Mutant) => 1000 * uses('kernel', kernel) + uses('operator', operator);
    let best = 0;
    left.forEach(({ mutant }, i) => {
      if (cost(mutant) < cost((left[best] as (typeof left)[0]).mutant)) best = i;
    });
    taken.push((left.splice(best, 1)[0] as (typeof left)[0]).mutant);
  }
  return taken;
}
