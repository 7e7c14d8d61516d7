// Specialising kernels: constants written into the source, loops unrolled; and that every kernel file compiles as it
// stands, or for as many lanes as the adapter has.

import { describe, expect, it } from 'vitest';
import { compile, specialise } from '../../src/gpu/kernel.ts';
import { unrollLoops } from '../../src/gpu/unroll.ts';
import { allKernels, matmulSubgroup } from '../../src/ops/kernels.generated.ts';
import { useDevice } from '../support/device.ts';
import { coveringVariants } from '../support/variants.ts';

const device = useDevice();

describe('unrollLoops', () => {
  it('writes out marked loops, nested ones too, and leaves others alone', () => {
    const source = `const N = 6u;
const HALF = N / 2u;
fn f() {
  // unroll
  for (var i = 0u; i < HALF; i++) {
    g(i);
    // unroll
    for (var j = 0u; j < 2u; j++) { h(i, j); }
  }
  for (var k = 0u; k < N; k++) { g(k); }
}`;
    const unrolled = unrollLoops(source);
    expect(unrolled.match(/g\(i\)/g)).toHaveLength(3);
    expect(unrolled.match(/h\(i, j\)/g)).toHaveLength(6);
    expect(unrolled).toContain('{ const i = 2u;');
    expect(unrolled).toContain('for (var k = 0u; k < N; k++)');
    expect(unrolled.match(/\{/g)?.length).toBe(unrolled.match(/\}/g)?.length);
  });

  it('leaves lines, and the columns of the first block, where they are', () => {
    const source = [
      '// unroll',
      'for (var i = 0u; i < 2u; i++) { // first',
      '  g(i); // a brace } and /* what opens no comment',
      '  /* two }',
      '     lines // */',
      '  // unroll',
      '  for (var j = 0u; j < 2u; j++) { h(i, j); }',
      '}',
      '// unroll',
      'for (var i = 0u; i < 0u; i++) {',
      '  g(i);',
      '}',
      'last();',
    ];
    expect(unrollLoops(source.join('\n')).split('\n')).toEqual([
      '// unroll',
      '{ const i = 0u;                 // first',
      '  g(i); // a brace } and /* what opens no comment',
      '  /* two }',
      '     lines // */',
      '  // unroll',
      '  { const j = 0u;                 h(i, j); } { const j = 1u; h(i, j); }',
      '} { const i = 1u; g(i); { const j = 0u;                 h(i, j); } { const j = 1u; h(i, j); } }',
      '// unroll',
      '',
      '',
      '',
      'last();',
    ]);
  });

  it('refuses bounds that are no constants, and missing braces', () => {
    const loop = (bound: string) => `// unroll\nfor (var i = 0u; i < ${bound}; i++) {`;
    expect(() => unrollLoops(`${loop('params.k')} }`)).toThrow("up to 'params.k'");
    expect(() => unrollLoops(loop('2u'))).toThrow('closing brace');
  });
});

it('specialise writes constants in, and refuses names that are not there', () => {
  const source = specialise(matmulSubgroup, { LANES: 4, BIAS: true });
  expect(source).toContain('const LANES = 4u;');
  expect(source).toContain('const BIAS = true;');
  expect(source).toContain('const RELU = false;');
  expect(() => specialise(matmulSubgroup, { BIASS: true })).toThrow('matmul_subgroup has no constant BIASS');
});

it.for(allKernels)('$name compiles as its file stands', async (kernel, context) => {
  const lanes = device().info.subgroupSize;
  if (kernel.subgroups && ![4, 8, 16].includes(lanes)) return context.skip(); // written for subgroups of these sizes
  const values =
    kernel.subgroups && lanes !== 8 ? coveringVariants(kernel, 1, ({ LANES }) => LANES === lanes)[0] : {};
  await expect(compile(device(), kernel, values ?? {}, [])).resolves.toBeDefined();
});
