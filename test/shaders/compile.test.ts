// Every variant of every kernel compiles, on Dawn's null backend and so without a driver; and what does not compile is
// shown by its file, line and column. The matmuls have too many variants to try them all: any four of their factors meet in
// every legal combination, which is one less than what decides how the subgroup core loads an operand (the tile,
// transposition, u8, vectors, the tail) and more than what happens to a sum. What the tutorial's model uses is compiled in
// full.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../../src/errors.ts';
import type { Device } from '../../src/gpu/device.ts';
import { type ConstantValues, compile, type KernelSpec, specialise } from '../../src/gpu/kernel.ts';
import { createTrainer, nn, optim } from '../../src/index.ts';
import { allKernels, matmulSubgroup, relu } from '../../src/ops/kernels.generated.ts';
import { openNullDevice } from '../support/null-device.ts';
import { allVariants, completeValues, coveringVariants } from '../support/variants.ts';

let device: Device;
beforeAll(async () => {
  device = await openNullDevice();
});
afterAll(() => device.destroy());

/** Most variants of a kernel that are compiled one by one. */
const few = 200;
/** How many are compiled at once: all together, those of one kernel would hold gigabytes. */
const atOnce = 8;

/** Does for each kernel what it is asked for the first time: there are thousands of variants. */
function once<T>(make: (kernel: KernelSpec) => T): (kernel: KernelSpec) => T {
  const made = new Map<KernelSpec, T>();
  return (kernel) => {
    const known = made.get(kernel) ?? make(kernel);
    made.set(kernel, known);
    return known;
  };
}

/** As JSON. */
const enumeratedOf = once(
  (kernel): ReadonlySet<string> => new Set(allVariants(kernel).map((values) => JSON.stringify(values))),
);
const variantsOf = once((kernel): ConstantValues[] => {
  const all = allVariants(kernel);
  return all.length <= few ? all : coveringVariants(kernel, 4);
});

/** What the compiler says to these variants, each thing once with the first variant that it says it to. */
async function refusals(kernel: KernelSpec, variants: readonly ConstantValues[]): Promise<string[]> {
  const said = new Map<string, string>();
  for (let i = 0; i < variants.length; i += atOnce) {
    const some = variants.slice(i, i + atOnce).map((values) => compile(device, kernel, values, []));
    for (const result of await Promise.allSettled(some)) {
      if (result.status === 'fulfilled') continue;
      const message = messageOf(result.reason);
      const [, variant = '', place = message] =
        /^kernel (.*?) did not compile[^:]*: (.*)$/s.exec(message) ?? [];
      if (!said.has(place)) said.set(place, `${place} (${variant})`);
    }
  }
  return [...said.values()];
}

describe('every variant', () => {
  it.each(allKernels)('of $name compiles', async (kernel: KernelSpec) => {
    expect(await refusals(kernel, variantsOf(kernel))).toEqual([]);
  });

  it.each(allKernels)('of $name has its lines where the file has them', (kernel: KernelSpec) => {
    const lines = kernel.source.split('\n').length;
    for (const values of variantsOf(kernel)) {
      expect(specialise(kernel, values).split('\n').length, JSON.stringify(values)).toBe(lines);
    }
  });

  it.each([
    { core: 'tile', subgroupSize: 0 },
    { core: 'subgroup', subgroupSize: 4 },
    { core: 'subgroup', subgroupSize: 8 },
    { core: 'subgroup', subgroupSize: 16 },
  ])('that the tutorial’s model uses compiles and is enumerated ($core $subgroupSize)', async (adapter) => {
    const own = await openNullDevice({ software: true, subgroupSize: adapter.subgroupSize });
    const model = nn.sequential(
      nn.flatten(),
      nn.linear(784, 512),
      nn.relu(),
      nn.linear(512, 512),
      nn.relu(),
      nn.linear(512, 10),
    );
    for (const plain of [false, true]) {
      const trainer = await createTrainer(own, {
        model,
        loss: nn.crossEntropyLoss(),
        optimizer: optim.sgd({ lr: 1e-3 }),
        batchSize: 64,
        plain,
        input: { shape: [1, 28, 28], dtype: 'u8' },
      });
      const { dispatches } = trainer.describe();
      const used = dispatches.map(({ kernel }) => kernel);
      expect(used).toContain(adapter.core === 'tile' ? 'matmul' : 'matmul_subgroup');
      for (const { label, kernel, constants } of dispatches) {
        const spec = allKernels.find(({ name }) => name === kernel) as KernelSpec;
        const variant = JSON.stringify(completeValues(spec, constants));
        expect(enumeratedOf(spec).has(variant), `${label}: ${variant}`).toBe(true);
      }
      trainer.destroy();
    }
    own.destroy();
  });
});

/** The kernel with `text` of its source, which is there once, replaced; and the place of `at` in the replacement. */
function broken(kernel: KernelSpec, text: string, replacement: string, at: string) {
  const [before, after, ...more] = kernel.source.split(text);
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${kernel.name}.wgsl does not hold '${text}' just once`);
  }
  const lines = `${before}${replacement.slice(0, replacement.indexOf(at))}`.split('\n');
  const place = `shaders/${kernel.name}.wgsl:${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}`;
  return { kernel: { ...kernel, source: before + replacement + after }, place };
}

describe('a kernel that does not compile', () => {
  // The device knows kernels by name: one that was changed under its name must not come from the cache.
  beforeEach(() => device.pipelines.clear());

  it.each([
    { values: {}, variant: 'matmul_subgroup' },
    { values: { LANES: 4, ROWS: 16 }, variant: 'matmul_subgroup<LANES=4 ROWS=16>' },
    { values: { LANES: 16, A_TRANSPOSED: true }, variant: 'matmul_subgroup<LANES=16 A_TRANSPOSED>' },
  ])('is shown by its place, in and between and after unrolled loops: $variant', async (of) => {
    const shown = async (text: string, replacement: string, at: string, message: string) => {
      const { kernel, place } = broken(matmulSubgroup, text, replacement, at);
      const work = compile(device, kernel, of.values, []);
      await expect(work).rejects.toMatchObject({
        code: 'gpu',
        message: `kernel ${of.variant} did not compile on this adapter: ${place}: ${message}`,
      });
    };
    await shown('a_along_k(row + j %', 'a_along_k(row + jj %', 'jj', "unresolved value 'jj'");
    await shown('subgroupShuffle(own,', 'subgroupShuffle(owned,', 'owned', "unresolved value 'owned'");
    await shown(
      'b_along_k(column + 4u * q + 3u,',
      'b_along_k(columns + 4u * q + 3u,',
      'columns',
      "unresolved value 'columns'",
    );
    await shown('ROWS + params.zero', 'ROWS + params.zeros', 'params.zeros', 'struct member zeros not found');
  });

  it('tells how many errors follow the first', async () => {
    const { kernel, place } = broken(relu, 'let i =', 'let a = ; let b = ; let i =', '; let b');
    await expect(compile(device, kernel, {}, [])).rejects.toThrow(
      new RegExp(`^kernel relu did not compile on this adapter: ${place}: .* \\(and 1 more\\)$`),
    );
  });

  it('that is refused for its pipeline alone keeps the driver’s words', async () => {
    const { kernel } = broken(relu, 'fn main(', 'fn other(', 'other');
    const work = compile(device, kernel, {}, []);
    await expect(work).rejects.toThrow(/^kernel relu did not compile on this adapter: (?!shaders\/).*main/s);
  });
});

describe('the enumeration', () => {
  const withConstant = (type: 'bool' | 'u32'): KernelSpec => ({
    ...relu,
    constants: { EXTRA: { kind: 'const', type, value: type === 'bool' ? false : 1 } },
  });

  it('takes a new bool constant both ways', () => {
    expect(allVariants(withConstant('bool'))).toEqual([{ EXTRA: false }, { EXTRA: true }]);
  });

  it('refuses a new u32 constant, and says where to add it', () => {
    expect(() => allVariants(withConstant('u32'))).toThrow(
      /relu\.wgsl has a u32 constant EXTRA .* in test\/support\/variants\.ts/,
    );
  });

  it('has each legal variant once, and none with bias and mask', () => {
    const all = allVariants(matmulSubgroup);
    expect(new Set(all.map((values) => JSON.stringify(values))).size).toBe(all.length);
    expect(all.filter(({ BIAS, MASK }) => BIAS && MASK)).toEqual([]);
    expect(all.filter(({ BIAS, RELU, MASK }) => !BIAS && RELU && MASK)).not.toEqual([]);
  });

  it('covers every legal triple of values with far fewer variants', () => {
    const names = Object.keys(matmulSubgroup.constants);
    const triplesOf = (variants: readonly ConstantValues[]) => {
      const found = new Set<string>();
      for (const values of variants) {
        const pairs = names.map((name) => `${name}=${values[name]}`);
        pairs.forEach((a, i) => {
          pairs.slice(i + 1).forEach((b, j) => {
            for (const c of pairs.slice(i + j + 2)) found.add(`${a} ${b} ${c}`);
          });
        });
      }
      return found;
    };
    const covering = coveringVariants(matmulSubgroup, 3);
    expect(covering.length).toBeLessThan(160);
    expect(triplesOf(covering)).toEqual(triplesOf(allVariants(matmulSubgroup)));
  });
});
