// Parameter arenas: one buffer for all values, one of equal layout for all gradients and for each thing that the optimizer
// keeps, with a named view per parameter. The optimizer's groups lie one after the other, so that each is one range; behind
// them, among the values alone, lie frozen parameters and the layers' buffers.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { read } from '../gpu/readback.ts';
import { alignUp, elementCount, type Storage, type Tensor, view } from '../gpu/tensor.ts';
import { bufferUsage } from '../gpu/usage.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import type { Layer, Parameter } from '../nn/layer.ts';
import { namedBuffers, namedParameters } from '../nn/parameters.ts';
import { type KeySelector, type Optimizer, selects } from '../optim/optimizer.ts';

/** A range of the arenas: what an optimizer works on. The padding between parameters is always 0. */
export interface ArenaRange {
  /** All [size]. */
  readonly value: Tensor;
  readonly gradient: Tensor;
  readonly state: Readonly<Record<string, Tensor>>;
}

/** The parameters and buffers of one model on one device. */
export interface Arenas {
  /** The ranges of the optimizer's groups; undefined for one without parameters. */
  readonly groups: readonly (ArenaRange | undefined)[];
  /** All gradients, [size]. */
  readonly gradient: Tensor;
  /** What is trained, in the order in which it lies there. */
  readonly parameters: readonly Parameter[];
  /** Keys of all parameters, trained or frozen, in PyTorch's order. */
  readonly parameterKeys: readonly string[];
  /** Number of parameters, trained or frozen. */
  readonly parameterCount: number;
  trains(parameter: Parameter): boolean;
  /** A parameter's own range. */
  rangeOf(parameter: Parameter): ArenaRange;
  /** Where a parameter or buffer lies. */
  valueOf(parameter: Parameter): Tensor;
  /** Where the gradient of a trained parameter lies. */
  gradientOf(parameter: Parameter): Tensor;
  /**
   * Brings one arena back, split by PyTorch key: values (of parameters, then of buffers), gradients, or what the optimizer
   * keeps by the given name.
   */
  readBack(arena: 'value' | 'gradient' | { readonly state: string }): Promise<Map<string, NamedTensor>>;
  /**
   * Replaces all values; buffers may all be left out, and stay. Throws a HeddleError that lists every difference; nothing is
   * half-loaded. With `partial`, replaces those that fit and says what does not.
   */
  write(values: Source, options?: { readonly partial?: boolean }): LoadResult;
  /** Brings back what the optimizer keeps, by `KEY.NAME`. */
  readState(): Promise<Map<string, NamedTensor>>;
  /** Replaces what the optimizer keeps. Throws as `write` does. */
  writeState(state: Source): void;
  /** Both, or neither when one does not fit. */
  writeBoth(values: Source, state: Source): void;
  /** Copies values and what the optimizer keeps; the function that it returns puts them back, once. */
  keep(): () => void;
  destroy(): void;
}

/** Values by key, with shapes or without. */
export type Source = ReadonlyMap<string, ArrayLike<number> | NamedTensor>;

/** What of a source a model took. */
export interface LoadResult {
  /** Keys whose values were replaced. */
  readonly loaded: readonly string[];
  /** What does not fit: the model's keys that the source has not, or in another shape, and the source's that the model has not. */
  readonly differences: readonly string[];
}

/** What arenas are made for. */
export interface ArenaOptions {
  readonly model: Layer;
  readonly optimizer: Pick<Optimizer, 'groups' | 'state'>;
  /** In front of every key. */
  readonly prefix?: string | undefined;
  /** Parameters that are not trained. */
  readonly frozen?: KeySelector | undefined;
}

interface Placed {
  readonly key: string;
  readonly parameter: Parameter;
  readonly offset: number;
  /** The optimizer's group; undefined for what is not trained. */
  readonly group: number | undefined;
  readonly buffer: boolean;
}

/** Throws a HeddleError `usage` for a selector that selects nothing: a misspelt key, most likely. */
function refuseEmpty(what: string, selector: KeySelector | undefined, keys: readonly string[]): void {
  if (selector === undefined || keys.some((key) => selects(selector, key))) return;
  const found = typeof selector === 'function' ? 'the function' : String(selector);
  throw new HeddleError(
    'usage',
    `${what}: ${found} selects none of the model's parameters: ${keys.join(', ')}`,
  );
}

/** Finds each parameter its group, and a place: group by group, then what is frozen, then buffers. */
function place({ model, optimizer, prefix = '', frozen }: ArenaOptions): {
  placed: Placed[];
  bytes: number[];
} {
  const parameters = namedParameters(model, prefix);
  const keys = parameters.map(([key]) => key);
  refuseEmpty('createTrainer: frozen', frozen, keys);
  for (const [g, group] of optimizer.groups.entries())
    refuseEmpty(`optimizer: group ${g}`, group.parameters, keys);
  const groupOf = (key: string) => {
    if (frozen !== undefined && selects(frozen, key)) return undefined;
    const chosen = optimizer.groups.findIndex(
      ({ parameters: selector }) => selector !== undefined && selects(selector, key),
    );
    return Math.max(0, chosen);
  };
  const all = [
    ...parameters.map(([key, parameter]) => ({ key, parameter, group: groupOf(key), buffer: false })),
    ...namedBuffers(model, prefix).map(([key, parameter]) => ({
      key,
      parameter,
      group: undefined,
      buffer: true,
    })),
  ];
  const last = optimizer.groups.length;
  const offsets = new Map<Parameter, number>();
  let end = 0;
  const bytes = Array.from({ length: last + 1 }, (_, group) => {
    const start = end;
    for (const one of all) {
      if ((one.group ?? last) !== group) continue;
      if (offsets.has(one.parameter))
        throw new HeddleError('usage', `${one.key}: the same layer is in the model twice; make one each`);
      offsets.set(one.parameter, end);
      end += alignUp(4 * elementCount(one.parameter.shape));
    }
    return end - start;
  });
  return { placed: all.map((one) => ({ ...one, offset: offsets.get(one.parameter) as number })), bytes };
}

const isNamedTensor = (value: ArrayLike<number> | NamedTensor): value is NamedTensor => 'shape' in value;

function dataOf(source: Source, key: string): ArrayLike<number> {
  const value = source.get(key) as ArrayLike<number> | NamedTensor;
  return isNamedTensor(value) ? value.data : value;
}

/** Which of `placed` can be had from `values`, and what keeps the others, and the rest of `values`, from being loaded. */
function compare(
  placed: readonly Pick<Placed, 'key' | 'parameter' | 'buffer'>[],
  values: Source,
): { fitting: Set<string>; differences: string[] } {
  const fitting = new Set<string>();
  const differences: string[] = [];
  const withBuffers = placed.some(({ key, buffer }) => buffer && values.has(key));
  for (const { key, parameter, buffer } of placed) {
    const value = values.get(key);
    const expected = `[${parameter.shape.join(', ')}]`;
    if (value === undefined) {
      if (!buffer || withBuffers) differences.push(`${key} ${expected} is missing`);
      continue;
    }
    const shape = isNamedTensor(value) ? `[${value.shape.join(', ')}]` : expected;
    if (shape !== expected) differences.push(`${key} is ${shape}, expected ${expected}`);
    else if (dataOf(values, key).length !== elementCount(parameter.shape))
      differences.push(`${key} has ${dataOf(values, key).length} elements, expected ${expected}`);
    else fitting.add(key);
  }
  const known = new Set(placed.map(({ key }) => key));
  for (const key of values.keys()) if (!known.has(key)) differences.push(`${key} is not in the model`);
  return { fitting, differences };
}

/** Throws a HeddleError `shape` that lists what keeps `values` from being loaded. */
function refuseDifferent(what: string, placed: Parameters<typeof compare>[0], values: Source): void {
  const { differences } = compare(placed, values);
  if (differences.length > 0)
    throw new HeddleError(
      'shape',
      `${what} not fit the model: ${differences.join('; ')}. Nothing was loaded.`,
    );
}

/** Throws a HeddleError `limit` when the arenas cannot be bound. */
function refuseTooLarge(device: Device, placed: readonly Placed[], bytes: number): void {
  const most = device.limits.maxStorageBufferBindingSize;
  if (bytes <= most) return;
  const count = placed.reduce((sum, { parameter }) => sum + elementCount(parameter.shape), 0);
  const largest = placed.toSorted(
    (a, b) => elementCount(b.parameter.shape) - elementCount(a.parameter.shape),
  )[0] as Placed;
  throw new HeddleError(
    'limit',
    `the model's ${count} parameters take ${bytes} bytes; this adapter binds at most ${most} at once. ` +
      `The largest is ${largest.key} [${largest.parameter.shape.join(', ')}]. Use a smaller model.`,
  );
}

/**
 * Puts a model's parameters and buffers on a device with their initial values. Throws a HeddleError `limit` when they do
 * not fit, `usage` when there is nothing to train, or a group or `frozen` selects nothing.
 */
export function createArenas(device: Device, options: ArenaOptions): Arenas {
  const { placed, bytes } = place(options);
  const trained = placed.filter(({ group }) => group !== undefined);
  if (trained.length === 0)
    throw new HeddleError('usage', 'createTrainer: the model has no parameters to train');
  const allBytes = bytes.reduce((sum, part) => sum + part, 0);
  const trainedBytes = allBytes - (bytes.at(-1) as number);
  refuseTooLarge(device, placed, allBytes);

  const { state } = options.optimizer;
  const allocate = (label: string, size: number): Storage => {
    const storage: Storage = { label, bytes: size, buffer: undefined };
    device.allocate(storage, bufferUsage.storage | bufferUsage.copySrc | bufferUsage.copyDst);
    return storage;
  };
  const values = allocate('arena.values', allBytes);
  const gradients = allocate('arena.gradients', trainedBytes);
  const states = Object.keys(state).map((name): [string, Storage] => [
    name,
    allocate(`arena.${name}`, trainedBytes),
  ]);
  const upload = (storage: Storage, words: Float32Array<ArrayBuffer>) =>
    device.gpu.queue.writeBuffer(storage.buffer as GPUBuffer, 0, words);
  const fill = (into: readonly Placed[], size: number, dataOf: (item: Placed) => ArrayLike<number>) => {
    const words = new Float32Array(size / 4);
    for (const item of into) words.set(dataOf(item), item.offset / 4);
    return words;
  };
  upload(
    values,
    fill(placed, allBytes, ({ parameter }) => parameter.data),
  );
  for (const [name, storage] of states) {
    const initial = state[name] as number;
    if (initial === 0) continue; // as a new buffer is
    const same = ({ parameter }: Placed) => new Float32Array(elementCount(parameter.shape)).fill(initial);
    upload(storage, fill(trained, trainedBytes, same));
  }

  const range = (key: string, shape: readonly number[], offset: number): ArenaRange => ({
    value: view(values, key, shape, { offset }),
    gradient: view(gradients, `${key}.grad`, shape, { offset }),
    state: Object.fromEntries(
      states.map(([name, storage]) => [name, view(storage, `${key}.${name}`, shape, { offset })]),
    ),
  });
  let start = 0;
  const groups = bytes.slice(0, -1).map((size, group) => {
    const offset = start;
    start += size;
    return size === 0 ? undefined : range(bytes.length > 2 ? `group ${group}` : 'arena', [size / 4], offset);
  });
  const ranges = new Map(
    trained.map(({ key, parameter, offset }) => [parameter, range(key, parameter.shape, offset)]),
  );
  const places = new Map(
    placed.map(({ key, parameter, offset }) => [parameter, view(values, key, parameter.shape, { offset })]),
  );
  const find = <Found>(map: ReadonlyMap<Parameter, Found>, parameter: Parameter): Found => {
    const found = map.get(parameter);
    if (found === undefined)
      throw new HeddleError('usage', `parameter ${parameter.name} belongs to another model, or is frozen`);
    return found;
  };
  const whole = (storage: Storage) => view(storage, storage.label, [storage.bytes / 4]);

  const readBack: Arenas['readBack'] = async (arena) => {
    const storage =
      arena === 'value' ? values : arena === 'gradient' ? gradients : new Map(states).get(arena.state);
    if (storage === undefined)
      throw new HeddleError('usage', `the optimizer keeps nothing of the name ${JSON.stringify(arena)}`);
    const words = new Float32Array(await read(device, whole(storage)));
    return new Map(
      (arena === 'value' ? placed : trained).map(({ key, parameter: { shape }, offset }) => {
        const data = words.slice(offset / 4, offset / 4 + elementCount(shape));
        return [key, { shape, data }];
      }),
    );
  };

  const [weightsDo, stateDoes] = ['these weights do', 'this optimizer state does'];
  const kept = states.flatMap(([name]) => trained.map((one) => ({ ...one, key: `${one.key}.${name}` })));
  const writeValues = (source: Source, keys: ReadonlySet<string>) => {
    for (const { key, parameter, offset } of placed) {
      if (!keys.has(key)) continue;
      const words = new Float32Array(elementCount(parameter.shape));
      words.set(dataOf(source, key));
      device.gpu.queue.writeBuffer(values.buffer as GPUBuffer, offset, words);
    }
  };
  const writeState = (source: Source) => {
    for (const [name, storage] of states)
      upload(
        storage,
        fill(trained, trainedBytes, ({ key }) => dataOf(source, `${key}.${name}`)),
      );
  };

  return {
    groups,
    gradient: whole(gradients),
    parameters: trained.map(({ parameter }) => parameter),
    parameterKeys: placed.filter(({ buffer }) => !buffer).map(({ key }) => key),
    parameterCount: placed.reduce(
      (sum, { parameter, buffer }) => sum + (buffer ? 0 : elementCount(parameter.shape)),
      0,
    ),
    trains: (parameter) => ranges.has(parameter),
    rangeOf: (parameter) => find(ranges, parameter),
    valueOf: (parameter) => find(places, parameter),
    gradientOf: (parameter) => find(ranges, parameter).gradient,
    readBack,
    write(source, { partial = false } = {}) {
      const { fitting, differences } = compare(placed, source);
      if (!partial) refuseDifferent(weightsDo, placed, source);
      device.check();
      writeValues(source, fitting);
      return { loaded: [...fitting], differences };
    },
    async readState() {
      const all = await Promise.all(
        states.map(async ([state]) =>
          [...(await readBack({ state }))].map(([key, tensor]): [string, NamedTensor] => [
            `${key}.${state}`,
            tensor,
          ]),
        ),
      );
      return new Map(all.flat());
    },
    writeState(source) {
      refuseDifferent(stateDoes, kept, source);
      device.check();
      writeState(source);
    },
    writeBoth(source, state) {
      refuseDifferent(weightsDo, placed, source);
      refuseDifferent(stateDoes, kept, state);
      device.check();
      writeValues(source, compare(placed, source).fitting);
      writeState(state);
    },
    keep() {
      const kept = [values, ...states.map(([, storage]) => storage)];
      const copies = kept.map(({ label, bytes: size }) => allocate(`${label}.copy`, size));
      const copy = (from: readonly Storage[], to: readonly Storage[]) => {
        const encoder = device.gpu.createCommandEncoder({ label: 'arenas.keep' });
        from.forEach(({ buffer, bytes: size }, i) => {
          encoder.copyBufferToBuffer(buffer as GPUBuffer, 0, to[i]?.buffer as GPUBuffer, 0, size);
        });
        device.gpu.queue.submit([encoder.finish()]);
      };
      copy(kept, copies);
      return () => {
        if (values.buffer !== undefined) copy(copies, kept); // unless all was destroyed meanwhile
        for (const storage of copies) device.release(storage);
      };
    },
    destroy() {
      for (const storage of [values, gradients, ...states.map(([, one]) => one)]) device.release(storage);
    },
  };
}
