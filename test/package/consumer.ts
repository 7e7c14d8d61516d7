// A stranger's program in TypeScript: compiled by tests against the installed package alone, and run.

import {
  createTrainer,
  type Device,
  dataLoader,
  fromArrays,
  HeddleError,
  manualSeed,
  nn,
  openDevice,
  optim,
  type TrainEvent,
} from 'heddle';
import { matmul, reference, run } from 'heddle/ops';

manualSeed(0);
const device: Device = await openDevice();
const gpu: GPUDevice = device.gpu;
const inputs = Float32Array.from({ length: 256 }, (_, i) => i / 128 - 1);
const data = fromArrays({ inputs, inputShape: [1], targets: inputs.map((x) => 2 * x), targetShape: [1] });
const train = dataLoader(data, { batchSize: 32, shuffle: true });
const trainer = await createTrainer(device, {
  model: nn.sequential(nn.linear(1, 1)),
  loss: nn.mseLoss(),
  optimizer: optim.sgd({ lr: 0.5 }),
  batchSize: 32,
});
let last: TrainEvent | undefined;
for await (const event of trainer.fit(train, { epochs: 20 })) last = event;
const slope: number | undefined = (await trainer.parameters()).get('0.weight')?.[0];

const a = { data: Float32Array.of(1, 2), shape: [1, 2] };
const b = { data: Float32Array.of(3, 4), shape: [2, 1] };
const { c } = await run(device, { a, b }, (recorder, tensors) => ({
  c: matmul(recorder, { label: 'c', ...tensors }),
}));
const exact = reference.matmul(reference.matrix(a.data, 1, 2), reference.matrix(b.data, 2, 1));
let refused = '';
try {
  nn.linear(0, 1);
} catch (error) {
  if (error instanceof HeddleError) refused = error.code;
}
const said = {
  type: last?.type,
  slope,
  c: c?.[0],
  exact: exact[0]?.value,
  refused,
  limit: gpu.limits.maxBindGroups > 0,
};
console.log(JSON.stringify(said));
trainer.destroy();
device.destroy();
