// Keeps the GPU fed: uploads the data of the next K steps with one write a ring, encodes K replays of a plan into one
// command buffer, submits it, and brings the steps' results back a little later. At most two such chunks are in flight.
// A step that takes long is split over several submits where others may want the GPU too.
// After warm-up it creates no buffer, bind group or pipeline. Knows nothing of what a step computes.

import { isShared, restFromGpu } from '#platform';
import { beginCommands, endCommands, endPass } from './commands.ts';
import type { Device } from './device.ts';
import type { Plan } from './plan.ts';
import { readMapped } from './readback.ts';
import type { Storage, Tensor } from './tensor.ts';
import { beginSpan } from './trace.ts';
import { bufferUsage } from './usage.ts';

/** A ring on the GPU with its host-side mirror: `host` holds `slots` slots of `stride` bytes. */
export interface Ring {
  readonly storage: Storage;
  readonly stride: number;
  readonly slots: number;
  readonly host: Uint8Array<ArrayBuffer>;
}

/** Allocates a ring that is uploaded to before each submit. */
export function createRing(device: Device, label: string, stride: number, slots: number): Ring {
  const storage: Storage = { label, bytes: stride * slots, buffer: undefined };
  device.allocate(
    storage,
    bufferUsage.storage | bufferUsage.uniform | bufferUsage.copySrc | bufferUsage.copyDst,
  );
  return { storage, stride, slots, host: new Uint8Array(stride * slots) };
}

/** Steps that were submitted together, and are done. */
export interface Chunk {
  /** Steps in it. */
  readonly steps: number;
  /** What each step wrote, in order: one 32-bit float, or a slot of a wider ring. */
  readonly results: Float32Array;
  /** Seconds from the later of its submit and the previous chunk's end, to its end. */
  readonly seconds: number;
}

/** Replays plans over rings of slots. Runs share the rings: finish or return one before starting the next. */
export interface Scheduler {
  /**
   * Runs `plan` for as long as `fill` writes another step's data into the rings' host side at the given slot and returns
   * true. Yields finished chunks in order; the last one when everything has finished.
   */
  run(plan: Plan, fill: (slot: number) => boolean): AsyncGenerator<Chunk>;
  /** Runs one step at once and returns without waiting; slot 0's data must be in the rings' host side. */
  runNow(plan: Plan): void;
  /** Frees the staging buffers. Harmless when done before. */
  destroy(): void;
}

/** How fast a plan's steps go. */
interface Pace {
  /** What part of a step each dispatch takes, roughly: by the bytes that it binds. */
  readonly shares: readonly number[];
  /** Running estimate, 0 while unknown. */
  secondsPerStep: number;
  /** False until the first chunk is done: it pays for what drivers put off until then, and says nothing of the next. */
  warm: boolean;
  /** Chunks since the last that told how long it took: the consumer kept the others past their ends. */
  untold: number;
}

/** A submit should take about this long: far from any watchdog, long enough to hide its overhead. */
const targetChunkSeconds = 0.04;
/**
 * A step that takes longer is submitted in parts of about `partSeconds`: whoever else wants the GPU, such as a browser that
 * draws the page, gets its turn in between. A part costs up to 1 ms where drivers are software.
 */
const longestStepSeconds = 0.08;
const partSeconds = 0.03;
const maxInFlight = 2;
/** The part of the time that a chunk should still take in which nobody need look whether it is done. */
const restShare = 0.8;
/** Bringing back what is done takes less than this, in seconds, on most machines and in a browser too. */
const atOnce = 0.005;
/** After so many chunks that did not tell how long they took, the consumer waits while the next one is timed. */
const mostUntold = 8;

function sharesOf({ dispatches }: Plan): number[] {
  const bytes = dispatches.map(({ bindings }) => bindings.reduce((sum, binding) => sum + binding.bytes, 1));
  const all = bytes.reduce((sum, one) => sum + one, 0);
  return bytes.map((one) => one / all);
}

/** Whether a step goes in one submit; it does not while nobody knows how long it takes. */
const isShort = ({ secondsPerStep }: Pace) => secondsPerStep > 0 && secondsPerStep <= longestStepSeconds;

/**
 * A scheduler for plans that read `rings` and write into `results`: one 32-bit number a slot ([slots]), or, where that is a
 * ring itself, all of a slot.
 */
export function createScheduler(device: Device, rings: readonly Ring[], results: Tensor): Scheduler {
  const resultBytes = results.slotStride === 0 ? 4 : results.slotStride;
  const slots = results.storage.bytes / resultBytes;
  const staging: Storage[] = [];
  const free: Storage[] = [];
  const paces = new Map<Plan, Pace>();
  const shared = isShared(device.info.software);
  const now = () => performance.now() / 1000;

  const submit = (plan: Plan, steps: number, destination: GPUBuffer | undefined, pace?: Pace) => {
    const { queue } = device.gpu;
    let submitted = beginSpan(device, 'submit');
    for (const { storage, stride, host } of rings) {
      queue.writeBuffer(storage.buffer as GPUBuffer, 0, host, 0, stride * steps);
    }
    let commands = beginCommands(device, plan.label);
    if (pace === undefined || steps > 1 || !shared || isShort(pace)) {
      for (let slot = 0; slot < steps; slot++) plan.encode(commands, slot);
    } else {
      const { secondsPerStep, shares } = pace;
      let seconds = 0;
      for (let index = 0; index < shares.length; index++) {
        const expected = secondsPerStep === 0 ? partSeconds : secondsPerStep * (shares[index] as number);
        if (seconds > 0 && seconds + expected > partSeconds) {
          queue.submit([endCommands(commands)]);
          submitted();
          submitted = beginSpan(device, 'submit');
          commands = beginCommands(device, plan.label);
          seconds = 0;
        }
        plan.encodeOne(commands, 0, index);
        seconds += expected;
      }
    }
    endPass(commands);
    if (destination !== undefined) {
      commands.encoder.copyBufferToBuffer(
        results.storage.buffer as GPUBuffer,
        results.offset,
        destination,
        0,
        resultBytes * steps,
      );
    }
    queue.submit([endCommands(commands)]);
    submitted();
  };

  const takeStaging = (): Storage => {
    const ready = free.pop();
    if (ready !== undefined) return ready;
    const made: Storage = {
      label: `${results.label}.staging`,
      bytes: resultBytes * slots,
      buffer: undefined,
    };
    device.allocate(made, bufferUsage.mapRead | bufferUsage.copyDst);
    staging.push(made);
    return made;
  };

  /**
   * Waits for a chunk, at first without looking, and learns from how long it took: no more than that, if it was done when
   * we looked, since then we rested too long; and nothing, if the consumer of the results kept us past its expected end.
   */
  const finish = async (
    pace: Pace,
    chunk: { storage: Storage; steps: number; start: number },
  ): Promise<ArrayBuffer> => {
    const { secondsPerStep } = pace;
    const expected = chunk.start + chunk.steps * secondsPerStep - now();
    await restFromGpu(restShare * Math.min(expected, targetChunkSeconds));
    const looked = now();
    const bytes = await readMapped(device, chunk.storage.buffer as GPUBuffer, resultBytes * chunk.steps);
    const end = now();
    const measured = (end - chunk.start) / chunk.steps;
    if (!pace.warm) pace.warm = true;
    else if (secondsPerStep === 0) pace.secondsPerStep = measured;
    else if (expected <= 0) pace.untold++;
    else {
      pace.untold = 0;
      const least = (end - looked) / chunk.steps;
      pace.secondsPerStep =
        end - looked < atOnce
          ? Math.max(least, 0.9 * Math.min(secondsPerStep, measured))
          : 0.7 * secondsPerStep + 0.3 * measured;
    }
    return bytes;
  };

  return {
    async *run(plan, fill) {
      const inFlight: { storage: Storage; steps: number; submitted: number }[] = [];
      const done: Chunk[] = [];
      const pace = paces.get(plan) ?? { shares: sharesOf(plan), secondsPerStep: 0, warm: false, untold: 0 };
      paces.set(plan, pace);
      let more = true;
      let lastEnd = 0;
      try {
        while (true) {
          while (more && inFlight.length < maxInFlight) {
            const wanted =
              pace.secondsPerStep === 0 ? 1 : Math.round(targetChunkSeconds / pace.secondsPerStep);
            const most = Math.min(slots, Math.max(1, wanted));
            let steps = 0;
            const filled = beginSpan(device, 'fill');
            while (steps < most) {
              more = fill(steps);
              if (!more) break;
              steps++;
            }
            filled();
            if (steps === 0) break;
            device.check();
            const storage = takeStaging();
            submit(plan, steps, storage.buffer as GPUBuffer, pace);
            inFlight.push({ storage, steps, submitted: now() });
          }
          const next = inFlight[0];
          if (next === undefined) return;
          const start = Math.max(next.submitted, lastEnd);
          const waited = beginSpan(device, 'wait');
          const bytes = await finish(pace, { ...next, start });
          waited();
          lastEnd = now();
          inFlight.shift();
          free.push(next.storage);
          done.push({ steps: next.steps, results: new Float32Array(bytes), seconds: lastEnd - start });
          const timing = pace.secondsPerStep === 0 || pace.untold >= mostUntold;
          if (timing && inFlight.length > 0) continue;
          yield* done;
          done.length = 0;
        }
      } finally {
        // Left early (an error, or the caller stopped): staging buffers still being written must not be reused.
        for (const { storage } of inFlight) device.release(storage);
      }
    },
    runNow(plan) {
      device.check();
      submit(plan, 1, undefined);
    },
    destroy() {
      for (const storage of staging) device.release(storage);
      staging.length = 0;
      free.length = 0;
    },
  };
}
