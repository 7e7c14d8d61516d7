// The page under test: runs the program in itself or in a dedicated worker, or checks every kernel, when it is asked to.
// Imports the package by its name, as a stranger's page does.

import * as heddle from 'heddle';
import { openDevice, type SelfTestResult, selfTest } from 'heddle/ops';
import { type Job, type Outcome, program } from './program.ts';

declare global {
  interface Window {
    runHere(job: Job): Promise<Outcome>;
    runInWorker(job: Job): Promise<Outcome>;
    checkKernels(): Promise<SelfTestResult[]>;
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
  const device = await openDevice();
  const results: SelfTestResult[] = [];
  for await (const result of selfTest(device)) results.push(result);
  device.destroy();
  return results;
};
