// Whole networks on the GPU, gradient by gradient, fused and plain, against the float64 network.

import { describe, expect, it } from 'vitest';
import { dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import { add } from '../../src/ops/add.ts';
import { u } from '../../src/ops/reference.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { expectWithin } from '../support/compare.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { type HostLinear, hostGradients } from '../support/network.ts';

const device = useDevice();

/** A model of linear layers with ReLU between them, and its layers as the host sees them. */
function network(sizes: readonly number[]) {
  const layers = sizes.slice(1).flatMap((outputs, l) => {
    const layer = nn.linear(sizes[l] as number, outputs);
    return l === sizes.length - 2 ? [layer] : [layer, nn.relu()];
  });
  const host = layers
    .filter((layer) => layer.kind === 'linear')
    .map((layer, l): HostLinear => {
      const [weight, bias] = layer.parameters.map(({ data }) => data) as [Float32Array, Float32Array];
      return { weight, bias, inputs: sizes[l] as number, outputs: sizes[l + 1] as number };
    });
  return { model: nn.sequential(...layers), host };
}

const cases = [
  { sizes: [3, 2], rows: 1, batchSize: 1 },
  { sizes: [7, 5, 3], rows: 33, batchSize: 33 },
  { sizes: [28, 17, 9, 10], rows: 5, batchSize: 8 },
  { sizes: [64, 33, 31, 8, 10], rows: 64, batchSize: 64 },
  { sizes: [12, 129, 10], rows: 32, batchSize: 64 },
  { sizes: [8, 512, 512, 7], rows: 5, batchSize: 8 }, // wide enough for products to read images
];

describe.each(['f32', 'u8'] as const)('%s input', (dtype) => {
  it.each(cases)(
    'gives the gradients of $sizes for $rows rows of $batchSize, by the plain and the fused plan',
    async ({ sizes, rows, batchSize }) => {
      manualSeed(rows);
      const { model, host } = network(sizes);
      const [features, classes] = [sizes[0] as number, sizes.at(-1) as number];
      const inputs =
        dtype === 'f32' ? floats(rows * features, 1) : Uint8Array.from(integers(rows * features, 1, 256));
      const targets = Int32Array.from(integers(rows, 2, classes));
      const dataset = fromArrays({ inputs, targets, inputShape: [features] });
      const scale = dtype === 'u8' ? 255 : 1;
      const x = Array.from({ length: rows }, (_, r) =>
        Array.from({ length: features }, (_, f) => (inputs[r * features + f] as number) / scale),
      );
      const expected = hostGradients(host, x, [...targets]);
      expect(
        expected.kinkDistance,
        'a pre-activation too close to the kink: take another seed',
      ).toBeGreaterThan(1e-6);
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
        });
        trainer.zeroGrad();
        trainer.backward(batch);
        const name = `network ${plain ? 'plain' : 'fused'}`;
        expectWithin(`${name} loss`, [await trainer.loss()], [{ value: expected.loss, bound: 1e-5 }]);
        const gradients = await trainer.gradients();
        found.push(gradients);
        expected.gradients.forEach(([weight, bias], l) => {
          expectWithin(`${name} weights`, gradients.get(`${2 * l}.weight`) ?? [], weight);
          expectWithin(`${name} biases`, gradients.get(`${2 * l}.bias`) ?? [], bias);
        });

        // The whole step in one plan moves the parameters by exactly these gradients.
        trainer.step(batch);
        const moved = await trainer.parameters();
        if (plain || keepGradients) expect(await trainer.gradients()).toEqual(gradients);
        else await expect(trainer.gradients()).rejects.toThrow('keepGradients: true');
        host.forEach(({ weight, bias }, l) => {
          for (const [key, before] of [
            [`${2 * l}.weight`, weight] as const,
            [`${2 * l}.bias`, bias] as const,
          ]) {
            const gradient = gradients.get(key) as Float32Array;
            const after = Array.from(before, (w, i) => w - 0.5 * (gradient[i] as number));
            expectWithin(
              `${name} step`,
              moved.get(key) ?? [],
              after.map((value) => ({ value, bound: u * Math.abs(value) + 2 ** -126 })),
            );
          }
        });
        trainer.destroy();
      }

      // Each is within its bound of the float64 network, so they are within the sum of both of each other.
      const [plain, fused] = found as [Map<string, Float32Array>, Map<string, Float32Array>];
      expected.gradients.forEach((bounds, l) => {
        for (const [i, name] of ['weight', 'bias'].entries()) {
          const key = `${2 * l}.${name}`;
          const values = plain.get(key) as Float32Array;
          const sums = (bounds[i] ?? []).map(({ bound }, e) => ({
            value: values[e] as number,
            bound: 2 * bound,
          }));
          expectWithin('fused − plain', fused.get(key) ?? [], sums);
        }
      });
    },
  );
});

it('multiplies the gradient that a layer in between has made, not the one before it', async () => {
  /** Twice its input. It hands on whatever else comes with a value or a gradient. */
  const twice: nn.Layer<never, never> = {
    kind: 'twice',
    description: 'Twice()',
    parameters: [],
    children: [],
    outputShape: (input) => input,
    forward({ recorder }, x, path) {
      const doubled = (tensor: typeof x.tensor, label: string) =>
        add(recorder, { label: `${path}.${label}`, a: tensor, b: tensor });
      return {
        y: { ...x, tensor: doubled(x.tensor, 'twice') },
        pullback: (dy) => ({ ...dy, tensor: doubled(dy.tensor, 'backward') }),
      };
    },
  };
  manualSeed(2);
  const [rows, features, classes] = [8, 6, 5];
  const model = nn.sequential(
    ...[nn.linear(features, 512), nn.relu(), nn.linear(512, 512), nn.relu(), twice, nn.linear(512, classes)],
  );
  const dataset = fromArrays({
    inputs: floats(rows * features, 1),
    targets: Int32Array.from(integers(rows, 2, classes)),
    inputShape: [features],
  });
  const gradientsOf = async (plain: boolean) => {
    const [loss, optimizer] = [nn.crossEntropyLoss(), optim.sgd({ lr: 0.1 })];
    const trainer = await createTrainer(device(), { model, loss, optimizer, batchSize: rows, plain });
    for (const batch of dataLoader(dataset, { batchSize: rows }).epoch(0)) trainer.backward(batch);
    const gradients = await trainer.gradients();
    trainer.destroy();
    return gradients;
  };
  const plain = await gradientsOf(true);
  for (const [key, values] of await gradientsOf(false)) {
    const expected = plain.get(key) as Float32Array;
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeGreaterThan(0);
    // Sums of 512 terms in another order: far below this; a gradient that was not doubled is off by half.
    const near = Array.from(expected, (value) => ({ value, bound: 1e-5 * largest }));
    expectWithin(`fused ${key}`, values, near);
  }
});

it('accumulates: k parts give k times the gradient of their mean, zeroGrad zeroes', async () => {
  manualSeed(1);
  const { model } = network([20, 16, 10]);
  const [rows, parts] = [32, 4];
  const dataset = fromArrays({
    inputs: floats(rows * 20, 3),
    targets: Int32Array.from(integers(rows, 4, 10)),
    inputShape: [20],
  });
  const trainer = await createTrainer(device(), {
    model,
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0.1 }),
    batchSize: rows,
  });
  for (const batch of dataLoader(dataset, { batchSize: rows }).epoch(0)) trainer.backward(batch);
  const whole = await trainer.gradients();
  trainer.zeroGrad();
  for (const values of (await trainer.gradients()).values()) expect(values.every((v) => v === 0)).toBe(true);
  for (const batch of dataLoader(dataset, { batchSize: rows / parts }).epoch(0)) trainer.backward(batch);
  for (const [key, values] of await trainer.gradients()) {
    const expected = whole.get(key) as Float32Array;
    const largest = Math.max(...expected.map(Math.abs));
    expectWithin(
      'accumulated',
      values,
      Array.from(expected, (v) => ({ value: parts * v, bound: 1e-5 * parts * largest })),
    );
  }

  // optimizerStep uses what has been accumulated.
  const before = await trainer.parameters();
  const gradients = await trainer.gradients();
  trainer.optimizerStep();
  for (const [key, values] of await trainer.parameters()) {
    const gradient = gradients.get(key) as Float32Array;
    const expected = Array.from(
      before.get(key) as Float32Array,
      (v, i) => v - Math.fround(0.1) * (gradient[i] as number),
    );
    // lr and the product are rounded to float32, and the difference once more.
    expectWithin(
      'optimizerStep',
      values,
      expected.map((v, i) => ({
        value: v,
        bound: u * (Math.abs(v) + 0.1 * Math.abs(gradient[i] as number)),
      })),
    );
  }
  expect(trainer.steps).toBe(1);
  trainer.destroy();
});
