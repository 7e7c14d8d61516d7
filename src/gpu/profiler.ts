// Where a plan's GPU time goes: every dispatch in a compute pass of its own, between two of the GPU's timestamps.
// Allocates, and waits for each replay; not for the steady step.

import { HeddleError } from '../errors.ts';
import type { Device } from './device.ts';
import type { Plan } from './plan.ts';
import { readAll } from './readback.ts';
import type { Storage } from './tensor.ts';
import { bufferUsage } from './usage.ts';

/** GPU time of one dispatch over several replays, in seconds. */
export interface DispatchProfile {
  readonly label: string;
  readonly kernel: string;
  /** The median replay's. */
  readonly seconds: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Replays that come first and do not count: caches fill, clocks rise. */
const warmUps = 3;

/** Whether this device can tell how long its dispatches take. */
export function canProfile(device: Device): boolean {
  return device.features.includes('timestamp-query');
}

/** Length in seconds of each pair of timestamps in nanoseconds. A clock that steps back counts as no time at all. */
function lengths(bytes: ArrayBuffer): number[] {
  const stamps = new BigUint64Array(bytes);
  return Array.from({ length: stamps.length / 2 }, (_, i) => {
    const [start, end] = [stamps[2 * i] as bigint, stamps[2 * i + 1] as bigint];
    return end > start ? Number(end - start) / 1e9 : 0;
  });
}

/**
 * Replays a plan on `slot` and times each dispatch, in the plan's order. What the plan writes it writes once more with
 * every replay. Throws a HeddleError `gpu` where the adapter has no timestamps.
 */
export async function profilePlan(
  device: Device,
  plan: Plan,
  { slot, repeats }: { readonly slot: number; readonly repeats: number },
): Promise<DispatchProfile[]> {
  device.check();
  if (!canProfile(device)) {
    const why = 'this adapter has no feature timestamp-query, which times what runs on the GPU';
    throw new HeddleError('gpu', `profile of ${plan.label}: ${why}`);
  }
  const { gpu } = device;
  const label = `${plan.label}.profile`;
  const count = 2 * plan.dispatches.length;
  const stamps: Storage = { label, bytes: 8 * count, buffer: undefined };
  const querySet = gpu.createQuerySet({ label, type: 'timestamp', count });
  const samples: number[][] = plan.dispatches.map(() => []);
  try {
    device.allocate(stamps, bufferUsage.queryResolve | bufferUsage.copySrc);
    for (let replay = 0; replay < warmUps + repeats; replay++) {
      const encoder = gpu.createCommandEncoder({ label });
      for (let i = 0; i < plan.dispatches.length; i++) {
        const timestampWrites = {
          querySet,
          beginningOfPassWriteIndex: 2 * i,
          endOfPassWriteIndex: 2 * i + 1,
        };
        const pass = encoder.beginComputePass({ label, timestampWrites });
        plan.encodeOne(pass, slot, i);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, count, stamps.buffer as unknown as GPUBuffer, 0);
      gpu.queue.submit([encoder.finish()]);
      const contents = await readAll(device, [stamps]);
      const times = lengths(contents.get(stamps) as ArrayBuffer);
      if (replay < warmUps) continue;
      times.forEach((seconds, i) => {
        samples[i]?.push(seconds);
      });
    }
  } finally {
    device.release(stamps);
    querySet.destroy();
  }
  return plan.dispatches.map(({ label: name, kernel }, i) => {
    const sorted = (samples[i] as number[]).sort((a, b) => a - b);
    return {
      label: name,
      kernel,
      seconds: ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2,
      lowest: sorted[0] as number,
      highest: sorted.at(-1) as number,
    };
  });
}
