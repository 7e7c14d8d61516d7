// Where a plan's GPU time goes: every dispatch in a compute pass of its own, with the copies it needs before it, between two
// of the GPU's timestamps.
// Allocates, and waits for each replay; not for the steady step.

import { restFromGpu } from '#platform';
import { HeddleError } from '../errors.ts';
import { beginCommands, endCommands, endPass } from './commands.ts';
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
  // Seconds that a replay takes. Before that nobody asks whether it is done: that polls, and on software adapters takes a
  // core from what is timed.
  let expected = 0;
  try {
    device.allocate(stamps, bufferUsage.queryResolve | bufferUsage.copySrc);
    for (let replay = 0; replay < warmUps + repeats; replay++) {
      const commands = beginCommands(device, label);
      const { encoder } = commands;
      for (let i = 0; i < plan.dispatches.length; i++) {
        const [beginningOfPassWriteIndex, endOfPassWriteIndex] = [2 * i, 2 * i + 1];
        const stamped = (timestampWrites: Omit<GPUComputePassTimestampWrites, 'querySet'>) =>
          encoder.beginComputePass({ label, timestampWrites: { querySet, ...timestampWrites } });
        // Copies end the pass: then one that does nothing says when all of it is done.
        const isSplit = plan.dispatches[i]?.images.some(({ copied }) => copied) === true;
        commands.pass = stamped({ beginningOfPassWriteIndex, ...(isSplit ? {} : { endOfPassWriteIndex }) });
        plan.encodeOne(commands, slot, i);
        endPass(commands);
        if (isSplit) stamped({ endOfPassWriteIndex }).end();
      }
      encoder.resolveQuerySet(querySet, 0, count, stamps.buffer as unknown as GPUBuffer, 0);
      gpu.queue.submit([endCommands(commands)]);
      await restFromGpu(expected);
      const contents = await readAll(device, [stamps]);
      const times = lengths(contents.get(stamps) as ArrayBuffer);
      expected = times.reduce((sum, seconds) => sum + seconds, 0);
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
