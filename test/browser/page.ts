// The page under test: runs the program in itself or in a dedicated worker, or checks every kernel, when it is asked to.
// Imports the package by its name, as a stranger's page does.

import * as heddle from 'heddle';
import { type Job, type Outcome, program } from './program.ts';

declare global {
  interface Window {
    runHere(job: Job): Promise<Outcome>;
    runInWorker(job: Job): Promise<Outcome>;
    checkKernels(): Promise<heddle.CheckEvent[]>;
  }
}

window.runHere = (job) => program(heddle, job);

window.runInWorker = (job) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    const end = (settle: () => void) => {
      worker.terminate();
      settle();
    };
    worker.addEventListener('message', ({ data }: MessageEvent<Outcome>) => end(() => resolve(data)));
    worker.addEventListener('error', ({ message }) => end(() => reject(new Error(`worker: ${message}`))));
    worker.postMessage(job);
  });

window.checkKernels = async () => {
  const { checkModel, nn, openDevice, optim } = heddle;
  const device = await openDevice();
  const results: heddle.CheckEvent[] = [];
  const checks = checkModel(device, {
    model: nn.sequential(nn.flatten(), nn.linear(28 * 28, 64), nn.relu(), nn.linear(64, 10)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0.1 }),
    batchSize: 64,
    input: { shape: [1, 28, 28], dtype: 'u8' },
  });
  for await (const event of checks) if (event.type === 'check') results.push(event);
  device.destroy();
  return results;
};
