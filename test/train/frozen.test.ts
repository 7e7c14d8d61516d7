// Frozen parameters of a convolutional network: they keep their bytes, and the others get the gradients that they had.

import { expect, it } from 'vitest';
import { createTrainer, dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const data = fromArrays({
  inputs: floats(20 * 72, 1),
  inputShape: [2, 6, 6],
  targets: Int32Array.from(integers(20, 2, 3)),
});

type Frozen = readonly ('features.' | 'features.0.weight' | 'features.2.bias' | 'head.weight')[];

async function trainerOf(frozen: Frozen, plain: boolean) {
  manualSeed(5);
  const block = nn.sequential(nn.conv2d(2, 4, 3), nn.relu(), nn.conv2d(4, 4, 3), nn.relu());
  return createTrainer(device(), {
    model: nn.sequential({ features: block, flatten: nn.flatten(), head: nn.linear(16, 3) }),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0.1 }),
    batchSize: 10,
    plain,
    input: { shape: data.inputShape, dtype: 'f32' },
    ...(frozen.length === 0 ? {} : { frozen }),
  });
}

it.each<[Frozen]>([[['features.0.weight']], [['features.2.bias', 'head.weight']], [['features.']]])(
  'with %j frozen, plain and fused',
  async (frozen) => {
    const [batch] = dataLoader(data, { batchSize: 10 }).epoch(0);
    if (batch === undefined) throw new Error('no batch');
    for (const plain of [true, false]) {
      const [free, part] = [await trainerOf([], plain), await trainerOf(frozen, plain)];
      for (const one of [free, part]) one.backward(batch);
      const [all, some] = [await free.gradients(), await part.gradients()];
      const isFrozen = (key: string) => frozen.some((name) => key.startsWith(name));
      expect([...some.keys()]).toEqual([...all.keys()].filter((key) => !isFrozen(key)));
      for (const [key, found] of some) {
        const expected = all.get(key) as Float32Array;
        // At most 160 terms, added in another order: 2 · 160 · 2⁻²⁴ of their magnitudes, here of the order of the largest sum.
        const bound = 1e-4 * Math.max(...expected.map(Math.abs));
        for (const [i, v] of found.entries())
          expect(Math.abs(v - (expected[i] as number))).toBeLessThan(bound);
      }
      const before = await part.parameters();
      for await (const _ of part.fit(dataLoader(data, { batchSize: 10 }), { epochs: 2 }));
      for (const [key, values] of await part.parameters()) {
        const same = values.every((v, i) => v === before.get(key)?.[i]);
        expect(same, key).toBe(isFrozen(key));
      }
      for (const one of [free, part]) one.destroy();
    }
  },
);
