// Whole convolutional networks on the GPU, gradient by gradient, fused and plain, against the float64 network.

import { describe, expect, it } from 'vitest';
import { dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import { u } from '../../src/ops/reference.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { expectWithin } from '../support/compare.ts';
import { hostGradients, makeNetwork, type Spec } from '../support/conv-network.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

interface Case {
  readonly name: string;
  readonly shape: readonly [number, number, number];
  readonly rows: number;
  readonly batchSize: number;
  readonly specs: readonly Spec[];
}

const cases: readonly Case[] = [
  {
    name: 'a LeNet',
    shape: [1, 12, 12],
    rows: 5,
    batchSize: 8,
    specs: [
      { conv: [1, 4, 5, { padding: 2 }] },
      'relu',
      { maxPool: [2] },
      { conv: [4, 6, 3] },
      'relu',
      { maxPool: [2] },
      'flatten',
      { linear: [24, 10] },
      'relu',
      { linear: [10, 10] },
    ],
  },
  {
    name: 'colours, strides, dilations and shapes that are not square',
    shape: [3, 9, 11],
    rows: 3,
    batchSize: 3,
    specs: [
      { conv: [3, 5, [3, 2], { stride: [1, 2], padding: [1, 0], dilation: [2, 1] }] },
      'relu',
      { conv: [5, 7, 3, { padding: 'same', dilation: [1, 2], bias: false }] },
      'relu',
      { conv: [7, 4, 1] },
      { avgPool: [[2, 3], { stride: [2, 1], padding: [1, 0] }] },
      'relu',
      'flatten',
      { linear: [48, 3] },
    ],
  },
  {
    name: 'residual connections, the first of the input itself',
    shape: [2, 6, 6],
    rows: 4,
    batchSize: 4,
    specs: [
      { residual: [{ conv: [2, 2, 3, { padding: 1 }] }] },
      { conv: [2, 8, 3, { padding: 1 }] },
      'relu',
      { residual: [{ conv: [8, 8, 3, { padding: 'same' }] }, 'relu', { conv: [8, 8, 1] }, 'relu'] },
      { conv: [8, 8, 1] },
      { maxPool: [[2, 3]] },
      'flatten',
      { linear: [48, 5] },
    ],
  },
  {
    // More rows than one workgroup sums, of lengths even and odd.
    name: 'many windows',
    shape: [1, 20, 22],
    rows: 8,
    batchSize: 8,
    specs: [
      { conv: [1, 4, 3, { padding: 1 }] },
      'relu',
      { conv: [4, 3, 3, { padding: 1 }] },
      'relu',
      { conv: [3, 2, 3, { padding: 1 }] },
      'relu',
      { avgPool: [[5, 11]] },
      'flatten',
      { linear: [16, 4] },
    ],
  },
];

describe.each(['f32', 'u8'] as const)('%s input', (dtype) => {
  it.each(cases)(
    'gives the gradients of $name, by the plain and the fused plan',
    async ({ specs, shape, rows, batchSize }) => {
      const features = shape.reduce((a, b) => a * b, 1);
      // A seed for which no value lies so near a kink that rounding could carry it across.
      let seed = 0;
      const draw = () => {
        manualSeed(++seed);
        const { model, host } = makeNetwork(specs);
        const classes = model.outputShape(shape)[0] as number;
        const inputs =
          dtype === 'f32'
            ? floats(rows * features, seed)
            : Uint8Array.from(integers(rows * features, seed, 256));
        const targets = Int32Array.from(integers(rows, 2, classes));
        const x = Array.from(inputs, (v) => (dtype === 'u8' ? v / 255 : v));
        return { model, inputs, targets, expected: hostGradients(host, x, shape, [...targets]) };
      };
      let drawn = draw();
      while (drawn.expected.kinkDistance < 2e-6 && seed < 200) drawn = draw();
      const { model, inputs, targets, expected } = drawn;
      expect(expected.kinkDistance).toBeGreaterThan(2e-6);
      const dataset = fromArrays({ inputs, targets, inputShape: [...shape] });
      const [batch] = dataLoader(dataset, { batchSize }).epoch(0);
      if (batch === undefined) throw new Error('no batch');

      const found: Map<string, Float32Array>[] = [];
      for (const [plain, keepGradients] of [
        [true, false],
        [false, false],
        [false, true],
      ] as const) {
        const trainer = await createTrainer(device(), {
          model,
          loss: nn.crossEntropyLoss(),
          optimizer: optim.sgd({ lr: 0.5 }),
          batchSize,
          plain,
          keepGradients,
          input: { shape, dtype },
        });
        const before = await trainer.parameters();
        trainer.zeroGrad();
        trainer.backward(batch);
        const name = `network ${plain ? 'plain' : 'fused'}`;
        expectWithin(`${name} loss`, [await trainer.loss()], [{ value: expected.loss, bound: 1e-5 }]);
        const gradients = await trainer.gradients();
        found.push(gradients);
        expect([...gradients.keys()]).toEqual([...expected.gradients.keys()]);
        for (const [key, bounds] of expected.gradients) {
          expectWithin(
            `${name} ${key.endsWith('bias') ? 'biases' : 'weights'}`,
            gradients.get(key) ?? [],
            bounds,
          );
        }

        // The whole step in one plan moves the parameters by exactly these gradients.
        trainer.step(batch);
        const moved = await trainer.parameters();
        if (plain || keepGradients) expect(await trainer.gradients()).toEqual(gradients);
        for (const [key, values] of before) {
          const gradient = gradients.get(key) as Float32Array;
          const after = Array.from(values, (w, i) => w - 0.5 * (gradient[i] as number));
          expectWithin(
            `${name} step`,
            moved.get(key) ?? [],
            after.map((value) => ({ value, bound: u * Math.abs(value) + 2 ** -126 })),
          );
        }

        // Twice the same batch gives twice its gradients.
        trainer.load(before);
        trainer.zeroGrad();
        trainer.backward(batch);
        trainer.backward(batch);
        for (const [key, values] of await trainer.gradients()) {
          const doubled = Array.from(gradients.get(key) ?? [], (v) => ({ value: 2 * v, bound: 0 }));
          expectWithin(`${name} accumulated`, values, doubled);
        }
        trainer.destroy();
      }

      // Each is within its bound of the float64 network, so they are within the sum of both of each other.
      const [plain, fused] = found as [Map<string, Float32Array>, Map<string, Float32Array>];
      for (const [key, bounds] of expected.gradients) {
        const values = plain.get(key) as Float32Array;
        const sums = bounds.map(({ bound }, i) => ({ value: values[i] as number, bound: 2 * bound }));
        expectWithin('fused − plain', fused.get(key) ?? [], sums);
      }
    },
  );
});
