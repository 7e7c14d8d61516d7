// The feed: the rings through which batches and step records reach the GPU, and how a batch is written into a slot.

import type { Batch } from '../data/dataset.ts';
import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { createRing, type Ring } from '../gpu/scheduler.ts';
import { alignment, alignUp, elementCount, type Storage, type Tensor, view } from '../gpu/tensor.ts';
import { bufferUsage } from '../gpu/usage.ts';
import { type StepRecord, stepShape, writeStep } from '../ops/step.ts';

/** The kind of rows a model is fed with. */
export interface InputSpec {
  /** Shape of one row, e.g. `[1, 28, 28]`. */
  readonly shape: readonly number[];
  /** `u8` pixels are scaled by 1/255 on the GPU. */
  readonly dtype: 'u8' | 'f32';
}

/** The rings of one kind of input. A slot holds a batch, its targets and its step record. */
export interface Feed {
  readonly spec: InputSpec;
  readonly slots: number;
  readonly rings: readonly Ring[];
  /** As a plan sees one slot: inputs [batchSize, …shape], targets u32 [batchSize], step record. */
  readonly inputs: Tensor;
  readonly targets: Tensor;
  readonly step: Tensor;
  /** A slot's loss goes here, [slots]. */
  readonly results: Tensor;
  /** Writes a batch into the host side of a slot. Throws a HeddleError when it does not fit. */
  write(slot: number, batch: Batch, step: Pick<StepRecord, 'number' | 'lr'>): void;
  /** Writes a slot's step record alone. */
  writeStep(slot: number, step: Omit<StepRecord, 'slot'>): void;
  destroy(): void;
}

const maxSlots = 64;
/** Host and GPU each hold this much of a ring at most, unless two slots need more. */
const maxRingBytes = 16 * 2 ** 20;

/** The kind of rows in a batch or data set with the given row shape. */
export function inputSpec(inputs: Uint8Array | Float32Array, shape: readonly number[]): InputSpec {
  return { shape, dtype: inputs instanceof Uint8Array ? 'u8' : 'f32' };
}

/** Allocates the rings for batches of up to `batchSize` rows and targets below `classes`. */
export function createFeed(device: Device, spec: InputSpec, batchSize: number, classes: number): Feed {
  const rowElements = elementCount(spec.shape);
  const inputStride = alignUp(batchSize * rowElements * (spec.dtype === 'u8' ? 1 : 4));
  const controlStride = alignment + alignUp(4 * batchSize);
  const slots = Math.min(maxSlots, Math.max(2, Math.floor(maxRingBytes / inputStride)));
  const inputRing = createRing(device, 'feed.inputs', inputStride, slots);
  const controlRing = createRing(device, 'feed.control', controlStride, slots);
  const resultStorage: Storage = { label: 'feed.results', bytes: 4 * slots, buffer: undefined };
  device.allocate(resultStorage, bufferUsage.storage | bufferUsage.copySrc);
  const control = new DataView(controlRing.host.buffer);
  const targetWords = new Uint32Array(controlRing.host.buffer);

  const check = (batch: Batch) => {
    const expected = spec.dtype === 'u8' ? Uint8Array : Float32Array;
    if (!(batch.inputs instanceof expected)) {
      throw new HeddleError(
        'shape',
        `a batch of ${batch.inputs.constructor.name} rows: this trainer was prepared for ${expected.name}`,
      );
    }
    if (batch.rows < 1 || batch.rows > batchSize) {
      throw new HeddleError(
        'shape',
        `a batch of ${batch.rows} rows: this trainer takes 1 to batchSize = ${batchSize}`,
      );
    }
    if (batch.inputs.length !== batch.rows * rowElements || batch.targets.length !== batch.rows) {
      throw new HeddleError(
        'shape',
        `a batch of ${batch.rows} rows with ${batch.inputs.length} input elements and ${batch.targets.length} targets: ` +
          `expected ${batch.rows * rowElements} (rows of [${spec.shape.join(', ')}]) and ${batch.rows}`,
      );
    }
    for (let i = 0; i < batch.rows; i++) {
      const target = batch.targets[i] as number;
      if (target < 0 || target >= classes) {
        throw new HeddleError(
          'shape',
          `batch ${batch.index}: target ${target} in row ${i}; the model has ${classes} classes`,
        );
      }
    }
  };

  const writeStepRecord = (slot: number, step: Omit<StepRecord, 'slot'>) =>
    writeStep(control, slot * controlStride, { ...step, slot });

  return {
    spec,
    slots,
    rings: [inputRing, controlRing],
    inputs: view(inputRing.storage, 'batch.inputs', [batchSize, ...spec.shape], {
      dtype: spec.dtype,
      slotStride: inputStride,
    }),
    targets: view(controlRing.storage, 'batch.targets', [batchSize], {
      dtype: 'u32',
      offset: alignment,
      slotStride: controlStride,
    }),
    step: view(controlRing.storage, 'step', stepShape, { dtype: 'u32', slotStride: controlStride }),
    results: view(resultStorage, 'losses', [slots]),
    write(slot, batch, step) {
      check(batch);
      const { inputs, targets, rows } = batch;
      const start = slot * inputStride;
      inputRing.host.set(new Uint8Array(inputs.buffer, inputs.byteOffset, inputs.byteLength), start);
      inputRing.host.fill(0, start + inputs.byteLength, start + inputStride); // rows without data
      writeStepRecord(slot, { rows, ...step });
      const firstTarget = (slot * controlStride + alignment) / 4;
      targetWords.set(targets, firstTarget);
      targetWords.fill(0, firstTarget + rows, firstTarget + batchSize);
    },
    writeStep: writeStepRecord,
    destroy() {
      for (const ring of [inputRing, controlRing]) device.release(ring.storage);
      device.release(resultStorage);
    },
  };
}
