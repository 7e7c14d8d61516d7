// Runs one layer alone on the host's data, forward and back: what it makes of an input and of a gradient by its output.

import type { Device } from '../../src/gpu/device.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import type { ForwardContext, Layer, Parameter } from '../../src/nn/index.ts';
import { reshape } from '../../src/nn/layer.ts';
import { type HostTensor, run } from '../../src/ops/run.ts';

/** Results as they lie in memory. */
export interface LayerRun {
  readonly y: Float32Array;
  /** Shape of y's tensor, and whether its channels come last in it. */
  readonly shape: readonly number[];
  readonly channelsLast: boolean;
  readonly dx: Float32Array | undefined;
  /** Gradients by the parameters' names. */
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

/**
 * Records a layer that has no layers inside, with its parameters as they are. The gradient `dy` lies as y does; the
 * layer's input needs a gradient unless it is bytes.
 */
export async function runLayer(
  device: Device,
  layer: Layer,
  options: { x: HostTensor; channelsLast?: boolean; dy: HostTensor; fused: boolean },
): Promise<LayerRun> {
  const { x, dy, fused, channelsLast = false } = options;
  const parameters = layer.parameters.map(({ name, data, shape }): [string, HostTensor] => [
    name,
    { data, shape },
  ]);
  const inputs: Record<string, HostTensor> = { x, dy, ...Object.fromEntries(parameters) };
  let made: Pick<LayerRun, 'shape' | 'channelsLast'> = { shape: [], channelsLast: false };
  let hasDx = false;
  const found: Record<string, Float32Array | Uint32Array> = await run(
    device,
    inputs,
    (recorder, t: Readonly<Record<string, Tensor>>) => {
      const gradients = new Map<Parameter, Tensor>();
      const context: ForwardContext = {
        recorder,
        fused,
        accumulate: false,
        training: true,
        step: recorder.unused(), // of no use to these layers
        trains: () => true,
        randomStream: () => ({ seed: 0, stream: 0 }),
        value: ({ name }) => t[name] as Tensor,
        gradient(parameter) {
          const tensor = gradients.get(parameter) ?? recorder.tensor(`d${parameter.name}`, parameter.shape);
          gradients.set(parameter, tensor);
          return tensor;
        },
      };
      const needsGradient = !(x.data instanceof Uint8Array);
      const value = { tensor: t.x as Tensor, needsGradient, maskable: false, channelsLast };
      const { y, pullback } = layer.forward(context, value, 'layer');
      made = { shape: y.tensor.shape, channelsLast: y.channelsLast };
      const dx = pullback({ tensor: reshape(t.dy as Tensor, y.tensor.shape), masked: false });
      hasDx = dx !== undefined;
      const byName = [...gradients].map(([{ name }, tensor]) => [`d${name}`, tensor]);
      return { y: y.tensor, ...(dx === undefined ? {} : { dx: dx.tensor }), ...Object.fromEntries(byName) };
    },
  );
  const gradients = layer.parameters.map(({ name }) => [name, found[`d${name}`]]);
  return {
    y: found.y as Float32Array,
    ...made,
    dx: hasDx ? (found.dx as Float32Array) : undefined,
    gradients: Object.fromEntries(gradients),
  };
}
