// Waiting for the GPU in Node without burning a core: Dawn looks for finished work once in every turn of the event loop
// while a promise of its is pending, and so keeps the loop turning as fast as it can.

/** The longest nap in ms: what a timer or a signal may come late by while the GPU is awaited. */
const longestNap = 1;
/** A nap is this part of the time waited so far, so that short waits stay short. */
const napShare = 1 / 8;

/** Nobody wakes a sleeper here: the time-out ends the nap. */
const alarm = new Int32Array(new SharedArrayBuffer(4));

let waiting = 0;
let waitingSince = 0;
let looping = false;

/** One loop serves all that wait, also those that come while it ends: the naps of several would add up. */
async function napWhileWaiting(): Promise<void> {
  if (looping) return;
  looping = true;
  try {
    while (waiting > 0) {
      await new Promise(setImmediate); // timers and signals are served, and Dawn looks
      const waited = performance.now() - waitingSince;
      if (waiting > 0) Atomics.wait(alarm, 0, 0, Math.min(longestNap, waited * napShare));
    }
  } finally {
    looping = false;
  }
}

/**
 * Resolves after `seconds`, in which nothing looks for finished work: for as long as surely nothing will be finished. Not
 * even the naps' part of a core is then missing where the GPU is the CPU.
 */
export function restFromGpu(seconds: number): Promise<void> {
  const milliseconds = Math.floor(seconds * 1000);
  if (!(milliseconds >= 1)) return Promise.resolve();
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The value of a promise of the GPU; until it is there, the thread naps between the turns of its event loop. */
export async function awaitGpu<T>(promise: Promise<T>): Promise<T> {
  if (waiting === 0) waitingSince = performance.now();
  waiting++;
  void napWhileWaiting();
  try {
    return await promise;
  } finally {
    waiting--;
  }
}
