// Parameter arenas: one buffer for all values, one of equal layout for all gradients, with a named view per parameter.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { read } from '../gpu/readback.ts';
import { alignUp, elementCount, type Storage, type Tensor, view } from '../gpu/tensor.ts';
import { bufferUsage } from '../gpu/usage.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import type { Parameter } from '../nn/layer.ts';

/** The parameters of one model on one device. */
export interface Arenas {
  /** Whole arenas, [size]: what an optimizer works on. The padding between parameters is always 0. */
  readonly value: Tensor;
  readonly gradient: Tensor;
  /** In the order in which they lie there. */
  readonly parameters: readonly Parameter[];
  valueOf(parameter: Parameter): Tensor;
  gradientOf(parameter: Parameter): Tensor;
  /** Total number of parameters. */
  readonly parameterCount: number;
  /** Brings one arena back, split by PyTorch key. */
  readBack(arena: 'value' | 'gradient'): Promise<Map<string, NamedTensor>>;
  /** Replaces all values. Throws a HeddleError that lists every difference; nothing is half-loaded. */
  write(values: ReadonlyMap<string, ArrayLike<number> | NamedTensor>): void;
  destroy(): void;
}

interface Placed {
  readonly key: string;
  readonly parameter: Parameter;
  readonly offset: number;
}

function place(parameters: readonly (readonly [string, Parameter])[]): { placed: Placed[]; bytes: number } {
  let bytes = 0;
  const placed = parameters.map(([key, parameter]) => {
    const offset = bytes;
    bytes += alignUp(4 * elementCount(parameter.shape));
    return { key, parameter, offset };
  });
  return { placed, bytes };
}

const isNamedTensor = (value: ArrayLike<number> | NamedTensor): value is NamedTensor => 'shape' in value;

/** What keeps `values` from being loaded, in words; empty when they fit. */
function differences(
  placed: readonly Placed[],
  values: ReadonlyMap<string, ArrayLike<number> | NamedTensor>,
): string[] {
  const found: string[] = [];
  for (const { key, parameter } of placed) {
    const value = values.get(key);
    const expected = `[${parameter.shape.join(', ')}]`;
    if (value === undefined) {
      found.push(`${key} ${expected} is missing`);
    } else if (isNamedTensor(value)) {
      const shape = `[${value.shape.join(', ')}]`;
      if (shape !== expected) found.push(`${key} is ${shape}, expected ${expected}`);
    } else if (value.length !== elementCount(parameter.shape)) {
      found.push(`${key} has ${value.length} elements, expected ${expected}`);
    }
  }
  const known = new Set(placed.map(({ key }) => key));
  for (const key of values.keys()) if (!known.has(key)) found.push(`${key} is not in the model`);
  return found;
}

/** Puts a model's parameters on a device with their initial values. Throws a HeddleError `limit` when they do not fit. */
export function createArenas(device: Device, parameters: readonly (readonly [string, Parameter])[]): Arenas {
  if (parameters.length === 0)
    throw new HeddleError('usage', 'createTrainer: the model has no parameters to train');
  const { placed, bytes } = place(parameters);
  const parameterCount = placed.reduce((sum, { parameter }) => sum + elementCount(parameter.shape), 0);
  const storages = { value: storageOf('arena.values', bytes), gradient: storageOf('arena.gradients', bytes) };
  const usage = bufferUsage.storage | bufferUsage.copySrc | bufferUsage.copyDst;
  const mostBound = device.limits.maxStorageBufferBindingSize;
  if (bytes > mostBound) {
    const largest = placed.toSorted(
      (a, b) => elementCount(b.parameter.shape) - elementCount(a.parameter.shape),
    )[0] as Placed;
    throw new HeddleError(
      'limit',
      `the model's ${parameterCount} parameters take ${bytes} bytes; this adapter binds at most ${mostBound} at once. ` +
        `The largest is ${largest.key} [${largest.parameter.shape.join(', ')}]. Use a smaller model.`,
    );
  }
  device.allocate(storages.value, usage);
  device.allocate(storages.gradient, usage);

  const views = (arena: 'value' | 'gradient') =>
    new Map(
      placed.map(({ key, parameter, offset }) => [
        parameter,
        view(storages[arena], arena === 'value' ? key : `${key}.grad`, parameter.shape, { offset }),
      ]),
    );
  const [values, gradients] = [views('value'), views('gradient')];
  const find = (map: Map<Parameter, Tensor>, parameter: Parameter): Tensor => {
    const found = map.get(parameter);
    if (found === undefined)
      throw new HeddleError('usage', `parameter ${parameter.name} belongs to another model`);
    return found;
  };

  const upload = (dataOf: (item: Placed) => ArrayLike<number>) => {
    const words = new Float32Array(bytes / 4);
    for (const item of placed) words.set(dataOf(item), item.offset / 4);
    device.gpu.queue.writeBuffer(storages.value.buffer as unknown as GPUBuffer, 0, words);
  };
  upload(({ parameter }) => parameter.data);

  const whole = (arena: 'value' | 'gradient') => view(storages[arena], storages[arena].label, [bytes / 4]);
  return {
    value: whole('value'),
    gradient: whole('gradient'),
    parameters: placed.map(({ parameter }) => parameter),
    valueOf: (parameter) => find(values, parameter),
    gradientOf: (parameter) => find(gradients, parameter),
    parameterCount,
    async readBack(arena) {
      const words = new Float32Array(await read(device, whole(arena)));
      return new Map(
        placed.map(({ key, parameter: { shape }, offset }) => {
          const data = words.slice(offset / 4, offset / 4 + elementCount(shape));
          return [key, { shape, data }];
        }),
      );
    },
    write(source) {
      const wrong = differences(placed, source);
      if (wrong.length > 0) {
        throw new HeddleError(
          'shape',
          `these weights do not fit the model: ${wrong.join('; ')}. Nothing was loaded.`,
        );
      }
      device.check();
      upload(({ key }) => {
        const value = source.get(key) as ArrayLike<number> | NamedTensor;
        return isNamedTensor(value) ? value.data : value;
      });
    },
    destroy() {
      device.release(storages.value);
      device.release(storages.gradient);
    },
  };
}

const storageOf = (label: string, bytes: number): Storage => ({ label, bytes, buffer: undefined });
