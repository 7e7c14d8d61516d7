// Breaks one kernel in memory before a test file loads, and notes which kernels each test dispatches. Does nothing unless
// HEDDLE_MUTANT is set, which scripts/mutate-shaders.ts does: a mutant as JSON, or `none` for the shaders as they are.

import { afterEach, beforeEach } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Names of the kernels that the test used; only there when HEDDLE_MUTANT is set. */
    kernels?: string[];
  }
}

const given = process.env.HEDDLE_MUTANT;

if (given !== undefined) {
  const { allKernels } = await import('../../src/ops/kernels.generated.ts');
  if (given !== 'none') {
    const { applyMutant } = await import('../../scripts/mutate/operators.ts');
    const mutant: Parameters<typeof applyMutant>[1] & { kernel: string } = JSON.parse(given);
    const spec: { source: string } | undefined = allKernels.find(({ name }) => name === mutant.kernel);
    if (spec === undefined)
      throw new Error(`'${mutant.id}' does not fit: there is no kernel ${mutant.kernel}`);
    spec.source = applyMutant(spec.source, mutant);
  }

  const used = new Set<string>();
  for (const spec of allKernels) {
    const { bindings, name } = spec;
    const get = () => {
      used.add(name);
      return bindings;
    };
    Object.defineProperty(spec, 'bindings', { get });
  }
  beforeEach(() => used.clear());
  afterEach(({ task }) => {
    task.meta.kernels = [...used];
  });
}
