// Runs one op on many inputs with a single submit and read-back: trips to the GPU and back are what costs tests time.

import type { Device } from '../../src/gpu/device.ts';
import type { Recorder } from '../../src/gpu/plan.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import { type HostTensor, run } from '../../src/ops/run.ts';

/** `run` for each of the trials; their results in order. */
export async function runEach<Names extends string, Results extends string>(
  device: Device,
  trials: readonly Readonly<Record<Names, HostTensor>>[],
  work: (
    recorder: Recorder,
    inputs: Readonly<Record<Names, Tensor>>,
    index: number,
  ) => Readonly<Record<Results, Tensor>>,
): Promise<Record<Results, Float32Array | Uint32Array>[]> {
  const label = (index: number, name: string) => `${index}.${name}`;
  const inputs: Record<string, HostTensor> = {};
  trials.forEach((trial, i) => {
    for (const [name, host] of Object.entries<HostTensor>(trial)) inputs[label(i, name)] = host;
  });
  const found = await run(device, inputs, (recorder, tensors: Readonly<Record<string, Tensor>>) => {
    const outputs: Record<string, Tensor> = {};
    trials.forEach((trial, i) => {
      const own = Object.fromEntries(Object.keys(trial).map((name) => [name, tensors[label(i, name)]]));
      const results = work(recorder, own as Record<Names, Tensor>, i);
      for (const [name, tensor] of Object.entries<Tensor>(results)) outputs[label(i, name)] = tensor;
    });
    return outputs;
  });
  return trials.map((_, i) => {
    const prefix = label(i, '');
    const own = Object.entries(found).filter(([name]) => name.startsWith(prefix));
    return Object.fromEntries(own.map(([name, data]) => [name.slice(prefix.length), data])) as Record<
      Results,
      Float32Array | Uint32Array
    >;
  });
}
