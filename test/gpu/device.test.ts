// Errors of the GPU must not pass in silence: refused commands, lost devices, use after destroy, plans that do not fit.

import { describe, expect, it } from 'vitest';
import { HeddleError } from '../../src/errors.ts';
import { beginCommands } from '../../src/gpu/commands.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { foldGrid, record } from '../../src/gpu/plan.ts';
import { read } from '../../src/gpu/readback.ts';
import { type Storage, view } from '../../src/gpu/tensor.ts';
import { relu } from '../../src/ops/relu.ts';
import { run } from '../../src/ops/run.ts';
import { f32, floats } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

describe('a device', () => {
  it('reports a refused command at the next check, once it knows', async () => {
    const own = await openDevice();
    own.gpu.createBuffer({ label: 'impossible', size: 16, usage: 0x0001 | 0x0080 }); // mappable storage
    await own.gpu.queue.onSubmittedWorkDone();
    expect(() => own.check()).toThrow(/the GPU refused a command/);
    own.destroy();
  });

  it('that is lost says so', async () => {
    const own = await openDevice();
    own.gpu.destroy();
    await own.gpu.lost;
    await Promise.resolve();
    expect(() => own.check()).toThrow(/the GPU device was lost/);
    own.destroy();
  });

  it('counts its bytes, and destroys twice without harm', async () => {
    const own = await openDevice();
    const storage: Storage = { label: 'some', bytes: 1000, buffer: undefined };
    own.allocate(storage, 0x0080);
    expect(own.bytes).toBe(1008);
    own.release(storage);
    own.release(storage);
    expect(own.bytes).toBe(0);
    own.destroy();
    own.destroy();
    expect(() => own.check()).toThrow('this device was destroyed');
  });

  it('refuses a buffer beyond its limit before asking the driver', () => {
    const storage: Storage = { label: 'huge', bytes: device().limits.maxBufferSize + 16, buffer: undefined };
    expect(() => device().allocate(storage, 0x0080)).toThrow(
      /huge needs \d+ bytes; this adapter’s buffers hold at most/,
    );
    expect(storage.buffer).toBeUndefined();
  });
});

describe('a plan', () => {
  it('beyond the binding limit is refused with the tensor’s name and size, and frees what it took', async () => {
    const before = device().bytes;
    const elements = device().limits.maxStorageBufferBindingSize / 4 + 1;
    const work = record(device(), 'big', 1, (r) => {
      relu(r, { label: 'y', x: r.tensor('enormous', [elements]) });
    });
    await expect(work).rejects.toThrow(
      new RegExp(`y: enormous \\[${elements}\\] takes ${4 * elements} bytes`),
    );
    expect(device().bytes).toBe(before);
  });

  it('whose kernel does not compile is refused by the kernel’s name', async () => {
    const broken = {
      name: 'broken',
      file: 'shaders/broken.wgsl',
      source: 'fn main( {',
      subgroups: false,
      bindings: {},
      images: {},
      params: { binding: 0, size: 16, fields: {} },
      constants: {},
    };
    const work = record(device(), 'plan', 1, (r) => {
      r.dispatch(broken, { label: 'd', bindings: {}, params: {}, workgroups: [1, 1, 1] });
    });
    await expect(work).rejects.toThrow(
      /^kernel broken did not compile on this adapter: shaders\/broken\.wgsl:1:10: [^\n]+$/,
    );
    device().check(); // which stays usable
  });

  it.each([[1.5], [0], [65_536]])('with %d workgroups in a row is refused', async (count) => {
    const work = run(device(), { x: f32(floats(4, 1), 4) }, (r, { x }) => {
      const guarded = {
        ...r,
        dispatch: ((kernel, request) =>
          r.dispatch(kernel, { ...request, workgroups: [count, 1, 1] })) as typeof r.dispatch,
      };
      return { y: relu(guarded, { label: 'y', x }) };
    });
    await expect(work).rejects.toThrow(/expected integers from 1 to 65535/);
  });

  it('used after destroy names itself', async () => {
    const plan = await record(device(), 'gone', 1, (r) => {
      relu(r, { label: 'y', x: r.tensor('x', [4]) });
    });
    plan.destroy();
    plan.destroy();
    expect(() => plan.encode(beginCommands(device(), 'gone'), 0)).toThrow(HeddleError);
  });
});

it.each([
  [1, [1, 1, 1]],
  [65_535, [65_535, 1, 1]],
  [65_536, [32_768, 2, 1]],
  [200_000, [50_000, 4, 1]],
])('%d workgroups fold to %o', (count, grid) => {
  expect(foldGrid(count)).toEqual(grid);
});

it('a range that does not fit its buffer is refused', async () => {
  const storage: Storage = { label: 'buffer', bytes: 512, buffer: undefined };
  expect(() => view(storage, 'v', [129])).toThrow('129 elements at 0 do not fit buffer of 512 bytes');
  expect(() => view(storage, 'v', [1], { offset: 4 })).toThrow('do not fit');
  await expect(read(device(), view(storage, 'v', [1]))).rejects.toThrow('v was destroyed');
});

it('finds a kernel that writes outside its output', async () => {
  const work = run(device(), { x: f32(floats(100, 1), 100) }, (r, { x }) => {
    const short = r.tensor('short', [40]);
    // The grid and the size of x, the buffer of something shorter: what a wrong bounds guard would do.
    const wrong = { ...r, tensor: () => ({ ...short, shape: [100] }) };
    relu(wrong, { label: 'y', x });
    return { short };
  });
  await expect(work).rejects.toThrow('a kernel wrote outside of short [40]');
});
