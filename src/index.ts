// Heddle's public surface. Re-exports only.

export { classWeights } from './data/class-weights.ts';
export type {
  Batch,
  ClassDataset,
  ClassTargets,
  Dataset,
  ValueDataset,
  ValueTargets,
} from './data/dataset.ts';
export { datasets } from './data/datasets.ts';
export {
  type ArraysOptions,
  type ClassArraysOptions,
  fromArrays,
  take,
  type ValueArraysOptions,
} from './data/from-arrays.ts';
export type { IdxOptions } from './data/idx-files.ts';
export type { ImageFile, ImageFolderOptions } from './data/image-folder.ts';
export type { FileSetOptions, Split } from './data/labelled-images.ts';
export { type BatchKind, type DataLoader, dataLoader, type LoaderOptions } from './data/loader.ts';
export { randomSplit, type SplitOptions, subset } from './data/split.ts';
export type { SyntheticOptions } from './data/synthetic.ts';
export type { BoundTransform, RowKind, RowValues, Transform } from './data/transform.ts';
export { type CropOptions, type ErasingOptions, transforms } from './data/transforms.ts';
export { type ErrorCode, HeddleError } from './errors.ts';
export {
  type AdapterInfo,
  type Device,
  type DeviceOptions,
  openDevice,
  withoutKernels,
  withVariants,
} from './gpu/device.ts';
export type { Pipeline } from './gpu/kernel.ts';
export type { DispatchDescription } from './gpu/plan.ts';
export { canProfile, type DispatchProfile } from './gpu/profiler.ts';
export type { Storage } from './gpu/tensor.ts';
export type { Observer, Span } from './gpu/trace.ts';
export {
  type BegunEpoch,
  type Checkpoint,
  decodeCheckpoint,
  decodeWeights,
  type TrainingState,
} from './io/checkpoint.ts';
export { encodeOnnx, type OnnxOptions } from './io/onnx.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type NamedTensor,
  type Safetensors,
} from './io/safetensors.ts';
export type { WeightSource } from './io/weights.ts';
/** Layers, losses and initial values, with PyTorch's names. */
export * as nn from './nn/index.ts';
export type { CheckResult } from './ops/check.ts';
/** Optimizers and learning-rate schedules, with PyTorch's names. */
export * as optim from './optim/index.ts';
export type { DownloadLimits, DownloadProgress, FileStore, LoadFilesOptions } from './platform/files.ts';
export type { FileSource } from './platform/sources.ts';
export type { PlaceRandom } from './random/counter.ts';
export { createGenerator, type Generator, manualSeed } from './random/generator.ts';
export type { LoadResult, Source } from './train/arenas.ts';
export { type CheckEvent, checkModel, type KernelChoice, type VerdictEvent } from './train/check.ts';
export { type Diagnosis, diagnosisText } from './train/diagnose.ts';
export type {
  CheckpointEvent,
  DoneEvent,
  EpochEvent,
  Evaluation,
  ProgressEvent,
  StepEvent,
  TrainEvent,
} from './train/events.ts';
export type { InputSpec } from './train/feed.ts';
export type { FitOptions } from './train/fit.ts';
export { type ClassScore, classScores, probabilities, topKAccuracy } from './train/metrics.ts';
export { createTrainer, type LookOptions, type StepDescription, type Trainer } from './train/trainer.ts';
export type { ClipOptions, TrainerOptions } from './train/trainer-options.ts';
export { type TuneCandidate, type TuneEvent, type TuneOptions, tuneModel } from './train/tune.ts';
