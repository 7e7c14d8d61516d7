// Loaded into a process by tests of the command line: makes its GPU fail at given submits, as drivers do.
// HEDDLE_GPU_FAULTS is JSON: { lose: [submit, …], refuse: submit }.

import { globals } from 'webgpu';

const { lose = [], refuse }: { lose?: number[]; refuse?: number } = JSON.parse(
  process.env.HEDDLE_GPU_FAULTS ?? '{}',
);
const { GPUDevice, GPUQueue } = globals as {
  GPUDevice: { prototype: GPUDevice };
  GPUQueue: { prototype: GPUQueue };
};

let device: GPUDevice | undefined;
let lost: GPUDevice | undefined; // takes no more submits
let submits = 0;
const { createCommandEncoder } = GPUDevice.prototype;
GPUDevice.prototype.createCommandEncoder = function (...options) {
  device = this;
  return createCommandEncoder.apply(this, options);
};
const { submit } = GPUQueue.prototype;
GPUQueue.prototype.submit = function (buffers) {
  if (lost !== undefined && device === lost) return;
  submits++;
  if (lose.includes(submits)) {
    lost = device;
    lost?.destroy();
  }
  // A buffer of a usage that does not exist together is what a validation layer refuses.
  if (submits === refuse) device?.createBuffer({ label: 'linear.backward', size: 16, usage: 1 | 128 });
  return submit.call(this, buffers);
};
