// Trained models as ONNX, in ONNX Runtime on the CPU: the logits of test images are those of our kernels.

import { expect, inject, it } from 'vitest';
import {
  createTrainer,
  dataLoader,
  datasets,
  encodeOnnx,
  manualSeed,
  nn,
  optim,
  take,
} from '../../src/index.ts';
import type { ForwardContext, Layer } from '../../src/nn/index.ts';
import { namedBuffers, namedParameters } from '../../src/nn/parameters.ts';
import { type HostTensor, run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { buildModel } from '../../src/recipes/model.ts';
import { useDevice } from '../support/device.ts';
import { runOnnx } from '../support/onnx.ts';

const device = useDevice();
const inputShape = [1, 28, 28];
const image = { input: inputShape, classes: 10 };
/** SwiftShader takes ten times as long for a step. */
const batches = inject('driver') === 'swiftshader' ? 12 : 40;

/** What an evaluation makes of images of bytes, [rows, classes]. */
async function logitsOf(model: Layer, weights: ReadonlyMap<string, Float32Array>, images: HostTensor) {
  const all = [...namedParameters(model), ...namedBuffers(model)];
  const arrays = all.map(([key, { shape }]): [string, HostTensor] => [
    key,
    { shape, data: weights.get(key) ?? new Float32Array() },
  ]);
  const keys = new Map(all.map(([key, parameter]) => [parameter, key]));
  const inputs: Record<string, HostTensor> = {
    ...Object.fromEntries(arrays),
    images,
    step: stepRecord({ rows: images.shape[0] as number }),
  };
  const refuse = (): never => {
    throw new Error('an evaluation has no gradients');
  };
  const { logits } = await run(device(), inputs, (recorder, t) => {
    const at = (key: string) => t[key] ?? refuse();
    const context: ForwardContext = {
      recorder,
      fused: true,
      accumulate: false,
      training: false,
      step: at('step'),
      trains: () => false,
      randomStream: () => ({ seed: 0, stream: 0 }),
      value: (parameter) => at(keys.get(parameter) ?? ''),
      gradient: refuse,
    };
    const x = { tensor: at('images'), needsGradient: false, maskable: false, channelsLast: false };
    return { logits: model.forward(context, x, '').y.tensor };
  });
  return logits as Float32Array;
}

/** Every kind of layer, in an order that images can go through. */
const everything = () =>
  nn.sequential(
    nn.conv2d(1, 4, 3, { padding: 'same', dilation: 2 }),
    nn.batchNorm2d(4, { affine: false }),
    nn.leakyRelu(),
    nn.maxPool2d(2),
    nn.residual(nn.conv2d(4, 4, [3, 2], { padding: 'same', bias: false }), nn.silu(), nn.dropout(0.1)),
    nn.avgPool2d(3, { stride: 2, padding: 1 }),
    nn.flatten(),
    nn.linear(4 * 49, 32),
    nn.gelu(),
    nn.layerNorm(32),
    nn.residual(nn.linear(32, 32, { bias: false }), nn.gelu({ approximate: 'tanh' })),
    nn.batchNorm1d(32),
    nn.sigmoid(),
    nn.linear(32, 16),
    nn.tanh(),
    nn.dropout(),
    nn.linear(16, 10),
    nn.residual(nn.softmax()),
    nn.relu(),
    nn.logSoftmax(),
  );

it.each<[string, () => Layer]>([
  ['the mlp', () => buildModel({ ...image, model: 'mlp', hidden: [512, 512] })],
  ['lenet', () => buildModel({ ...image, model: 'lenet', hidden: [] })],
  ['the cnn', () => buildModel({ ...image, model: 'cnn', hidden: [] })],
  ['every kind of layer', everything],
])('%s', async (_, make) => {
  manualSeed(0);
  const model = make();
  const trainer = await createTrainer(device(), {
    model,
    loss: nn.crossEntropyLoss(),
    optimizer: optim.adam({ lr: 3e-3 }),
    batchSize: 64,
  });
  const train = dataLoader(take(await datasets.fashionMnist('train'), 64 * batches), { batchSize: 64 });
  for await (const event of trainer.fit(train, { epochs: 1 })) void event;
  const weights = await trainer.state();
  trainer.destroy();

  const rows = 50;
  const { inputs: pixels } = take(await datasets.fashionMnist('test'), rows);
  const shape = [rows, ...inputShape];
  const ours = await logitsOf(model, weights, { data: Uint8Array.from(pixels), shape });
  const scaled = Float32Array.from(pixels, (byte) => byte / 255);
  const theirs = await runOnnx(await encodeOnnx(model, weights, { inputShape }), scaled, shape);
  expect(theirs.shape).toEqual([rows, 10]);
  const worst = Math.max(...ours.map((value, i) => Math.abs(value - (theirs.data[i] as number))));
  console.log(`  onnx, ${_}: largest difference of ${rows} rows of logits ${worst.toExponential(1)}`);
  // Logits of up to some 10 are sums of up to 784 terms in another order: a few units of their last place, 1e-6, and their errors
  // go through the next layer's sums.
  expect(worst).toBeLessThan(1e-4);
  expect(Math.max(...ours) - Math.min(...ours)).toBeGreaterThan(0.5); // of a model that has learned
});
