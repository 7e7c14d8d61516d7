// The feed: the rings through which batches and step records reach the GPU, and how a batch is written into a slot.

import type { Batch } from '../data/dataset.ts';
import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { createRing, type Ring } from '../gpu/scheduler.ts';
import { alignment, alignUp, elementCount, type Storage, type Tensor, view } from '../gpu/tensor.ts';
import { bufferUsage } from '../gpu/usage.ts';
import type { Loss } from '../nn/loss.ts';
import { type StepRecord, stepShape, writeStep } from '../ops/step.ts';
import { hyperBytes, type Optimizer } from '../optim/optimizer.ts';

/** The kind of rows a model is fed with. */
export interface InputSpec {
  /** Shape of one row, e.g. `[1, 28, 28]`. */
  readonly shape: readonly number[];
  /** `u8` pixels are scaled by 1/255 on the GPU. */
  readonly dtype: 'u8' | 'f32';
  /** Shape of a row of real-valued targets; left out where targets are class indices. */
  readonly targetShape?: readonly number[];
}

/** What a feed must know of what it feeds. */
export interface FeedOptions {
  readonly batchSize: number;
  /** Class targets are below this. */
  readonly classes: number;
  readonly loss: Pick<Loss, 'scale' | 'ignoreIndex'>;
  readonly optimizer: Pick<Optimizer, 'lr' | 'groups' | 'writeHyper'>;
}

/** What is not in the batch itself. */
export interface StepFacts {
  /** The optimizer step that is made of it, from 1; 0 where none is. */
  readonly number: number;
  /** See `StepRecord`. */
  readonly draw: number;
  /** What loss and gradient are multiplied with, besides what the loss itself asks for. Default 1. */
  readonly scale?: number;
}

/** The rings of one kind of input. A slot holds a batch, its targets and its step record. */
export interface Feed {
  readonly spec: InputSpec;
  readonly slots: number;
  readonly rings: readonly Ring[];
  /** As a plan sees one slot: inputs [batchSize, …shape]; targets u32 [batchSize] or f32 [batchSize, …targetShape]. */
  readonly inputs: Tensor;
  readonly targets: Tensor;
  /** The step record, and each group's hyper-parameters. */
  readonly step: Tensor;
  readonly hypers: readonly Tensor[];
  /** A slot's loss goes here, [slots]. */
  readonly results: Tensor;
  /** Writes a batch into the host side of a slot. Throws a HeddleError when it does not fit. */
  write(slot: number, batch: Batch, step: StepFacts): void;
  /** Writes a slot's step record and hyper-parameters alone; the learning rate is the optimizer's unless given. */
  writeStep(slot: number, step: Pick<StepRecord, 'rows' | 'scale'> & { number: number; lr?: number }): void;
  destroy(): void;
}

const maxSlots = 64;
/** Host and GPU each hold this much of a ring at most, unless two slots need more. */
const maxRingBytes = 16 * 2 ** 20;

/** The kind of rows in a batch or data set with the given shapes of rows. */
export function inputSpec(
  { inputs, targets }: Pick<Batch, 'inputs' | 'targets'>,
  shape: readonly number[],
  targetShape: readonly number[],
): InputSpec {
  const spec: InputSpec = { shape, dtype: inputs instanceof Uint8Array ? 'u8' : 'f32' };
  return targets instanceof Float32Array ? { ...spec, targetShape } : spec;
}

/** Allocates the rings for batches of up to `batchSize` rows. */
export function createFeed(device: Device, spec: InputSpec, options: FeedOptions): Feed {
  const { batchSize, classes, loss, optimizer } = options;
  const { targetShape } = spec;
  const rowElements = elementCount(spec.shape);
  const rowTargets = elementCount(targetShape ?? []);
  const inputStride = alignUp(batchSize * rowElements * (spec.dtype === 'u8' ? 1 : 4));
  const hyperStride = alignUp(hyperBytes);
  const targetsAt = alignment + optimizer.groups.length * hyperStride;
  const controlStride = targetsAt + alignUp(4 * batchSize * rowTargets);
  const slots = Math.min(maxSlots, Math.max(2, Math.floor(maxRingBytes / inputStride)));
  const inputRing = createRing(device, 'feed.inputs', inputStride, slots);
  const controlRing = createRing(device, 'feed.control', controlStride, slots);
  const resultStorage: Storage = { label: 'feed.results', bytes: 4 * slots, buffer: undefined };
  device.allocate(resultStorage, bufferUsage.storage | bufferUsage.copySrc);
  const control = new DataView(controlRing.host.buffer);
  const targetWords = new Uint32Array(controlRing.host.buffer);
  const targetFloats = new Float32Array(controlRing.host.buffer);

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
    if (
      batch.inputs.length !== batch.rows * rowElements ||
      batch.targets.length !== batch.rows * rowTargets
    ) {
      throw new HeddleError(
        'shape',
        `a batch of ${batch.rows} rows with ${batch.inputs.length} input elements and ${batch.targets.length} targets: ` +
          `expected ${batch.rows * rowElements} (rows of [${spec.shape.join(', ')}]) and ${batch.rows * rowTargets}`,
      );
    }
    if (batch.targets instanceof Float32Array !== (targetShape !== undefined)) {
      const [found, wanted] =
        targetShape === undefined ? ['real values', 'class indices'] : ['class indices', 'real values'];
      throw new HeddleError(
        'shape',
        `batch ${batch.index}: its targets are ${found}; this trainer was prepared for ${wanted}`,
      );
    }
    if (targetShape !== undefined) return;
    for (let i = 0; i < batch.rows; i++) {
      const target = batch.targets[i] as number;
      if (target !== loss.ignoreIndex && (target < 0 || target >= classes)) {
        throw new HeddleError(
          'shape',
          `batch ${batch.index}: target ${target} in row ${i}; the model has ${classes} classes`,
        );
      }
    }
  };

  const writeRecords = (slot: number, step: Omit<StepRecord, 'slot'>, number: number) => {
    const start = slot * controlStride;
    writeStep(control, start, { ...step, slot });
    for (let group = 0; group < optimizer.groups.length; group++) {
      optimizer.writeHyper(control, start + alignment + group * hyperStride, group, Math.max(1, number));
    }
  };

  return {
    spec,
    slots,
    rings: [inputRing, controlRing],
    inputs: view(inputRing.storage, 'batch.inputs', [batchSize, ...spec.shape], {
      dtype: spec.dtype,
      slotStride: inputStride,
    }),
    targets: view(controlRing.storage, 'batch.targets', [batchSize, ...(targetShape ?? [])], {
      dtype: targetShape === undefined ? 'u32' : 'f32',
      offset: targetsAt,
      slotStride: controlStride,
    }),
    step: view(controlRing.storage, 'step', stepShape, { dtype: 'u32', slotStride: controlStride }),
    hypers: optimizer.groups.map((_, group) =>
      view(controlRing.storage, `hyper.${group}`, [hyperBytes / 4], {
        dtype: 'u32',
        offset: alignment + group * hyperStride,
        slotStride: controlStride,
      }),
    ),
    results: view(resultStorage, 'losses', [slots]),
    write(slot, batch, step) {
      check(batch);
      const { inputs, targets, rows } = batch;
      const start = slot * inputStride;
      inputRing.host.set(new Uint8Array(inputs.buffer, inputs.byteOffset, inputs.byteLength), start);
      inputRing.host.fill(0, start + inputs.byteLength, start + inputStride); // rows without data
      const { number, draw } = step;
      const scale = loss.scale({ rows, targets }) * (step.scale ?? 1);
      writeRecords(slot, { rows, draw, lr: optimizer.lr, scale }, number);
      const firstTarget = (slot * controlStride + targetsAt) / 4;
      (targets instanceof Float32Array ? targetFloats : targetWords).set(targets, firstTarget);
      targetWords.fill(0, firstTarget + targets.length, firstTarget + batchSize * rowTargets);
    },
    writeStep(slot, { rows, scale, number, lr = optimizer.lr }) {
      writeRecords(slot, { rows, draw: 0, lr, scale }, number);
    },
    destroy() {
      for (const ring of [inputRing, controlRing]) device.release(ring.storage);
      device.release(resultStorage);
    },
  };
}
