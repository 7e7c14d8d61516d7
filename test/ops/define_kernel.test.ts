// Kernels made of a program's own WGSL text. What is built of them is tested in test/nn/own.test.ts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Device,
  defineKernel,
  foldGrid,
  openDevice,
  run,
  stepLayout,
  stepRecord,
} from '../../src/ops/index.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const lines = (body: string) => `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) { return; }
  ${body}
}`;

describe('defineKernel', () => {
  const scale = (name: string, body: string) =>
    defineKernel({
      name,
      bindings: { x: 'read', y: 'read_write' },
      params: { size: 'u32', factor: 'f32' },
      constants: { SQUARE: false, TIMES: 1 },
      wgsl: lines(body),
    });
  const body = 'var value = params.factor * x[i] * f32(TIMES); if (SQUARE) { value *= value; } y[i] = value;';
  type Constants = { SQUARE?: boolean; TIMES?: number };
  const apply = (kernel: ReturnType<typeof scale>, constants: Constants = {}) =>
    run(device, { x: { data: Float32Array.of(1, -2, 3), shape: [3] } }, (recorder, { x }) => {
      const y = recorder.tensor('y', [3]);
      const params = { size: 3, factor: 2 };
      recorder.dispatch(kernel, {
        label: 'y',
        bindings: { x, y },
        params,
        constants,
        workgroups: foldGrid(1),
      });
      return { y };
    });

  it('makes a kernel with bindings, params and variants', async () => {
    const kernel = scale('scale', body);
    expect((await apply(kernel)).y).toEqual(Float32Array.of(2, -4, 6));
    expect((await apply(kernel, { TIMES: 3 })).y).toEqual(Float32Array.of(6, -12, 18));
    expect((await apply(kernel, { SQUARE: true })).y).toEqual(Float32Array.of(4, 16, 36));
  });

  it('keeps two kernels of one name apart', async () => {
    await apply(scale('twin', body));
    const other = scale('twin', 'y[i] = x[i] + params.factor * f32(TIMES) * select(1.0, 2.0, SQUARE);');
    expect((await apply(other)).y).toEqual(Float32Array.of(3, 0, 5));
  });

  it('names the line of its text that does not compile', async () => {
    const broken = scale('broken', 'let a = 1.0;\n  y[i] = b;');
    await expect(apply(broken)).rejects.toThrow(
      /^kernel broken did not compile on this adapter: broken:7:10: [^\n]*'b'/,
    );
  });

  it('takes other element types, and the step record', async () => {
    const count = defineKernel({
      name: 'count_rows',
      bindings: { classes: 'read array<u32>', y: 'read_write array<vec4f>', step: stepLayout },
      params: { size: 'u32' },
      wgsl: lines('y[i] = vec4f(f32(classes[i]), step.scale, f32(step.rows), 0.0);'),
    });
    const step = stepRecord({ rows: 7, scale: 0.5 });
    const classes = { data: Uint32Array.of(4), shape: [1] };
    const { y } = await run(device, { classes, step }, (recorder, tensors) => {
      const made = recorder.tensor('y', [1, 4]);
      const bindings = { ...tensors, y: made };
      recorder.dispatch(count, { label: 'y', bindings, params: { size: 1 }, workgroups: [1, 1, 1] });
      return { y: made };
    });
    expect(y).toEqual(Float32Array.of(4, 0.5, 7, 0));
  });

  it.each([
    ['a name that is none', { name: 'a b' }, "the name 'a b': expected letters and digits"],
    ['a name twice', { constants: { x: true } }, "'x' is declared twice; take another name"],
    ['a text without main', { wgsl: 'fn other() {}' }, 'its text has no function main, where kernels begin'],
    [
      'a text with bindings',
      { wgsl: '@group(0) @binding(0) var<storage> x: array<f32>; @compute fn main() {}' },
      "found '@group(' in its text; bindings, params and subgroups are declared for it",
    ],
  ])('refuses %s', (_, wrong, message) => {
    const definition = { name: 'k', bindings: { x: 'read' }, wgsl: 'fn main() {}', ...wrong } as const;
    expect(() => defineKernel(definition)).toThrow(
      expect.objectContaining({ code: 'usage', message: `defineKernel ${definition.name}: ${message}` }),
    );
  });
});
