// What the page and the one who trains tell each other. He is the page's worker, or a run in Node that the page watches:
// then the same messages come as server-sent events, one JSON object each, and nothing can be asked of him.

import type { Evaluation } from '../index.ts';

/** A training's settings, as controls and share links have them; named as `heddle train`'s options. Plain JSON. */
export interface Settings {
  readonly dataset: 'fashion-mnist' | 'mnist' | 'kmnist' | 'synthetic';
  readonly model: 'mlp' | 'lenet' | 'cnn';
  /** Sizes of the mlp's hidden layers. */
  readonly hidden: readonly number[];
  readonly optimizer: 'sgd' | 'adam' | 'adamw' | 'rmsprop' | 'adagrad';
  readonly lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
  readonly shuffle: boolean;
  /** Train on the first so many rows only. */
  readonly limit?: number;
}

/** What the page asks of its worker. `ask` numbers a question; its answer carries the same number. */
export type Command =
  /** Where the page is, first of all: its server's data lies below, in `data/SET/`. The page's source says it by itself. */
  | { readonly type: 'page'; readonly address: string }
  /** Begins a training, from a checkpoint where one is given; ends the one before. */
  | { readonly type: 'start'; readonly settings: Settings; readonly checkpoint?: Uint8Array }
  | { readonly type: 'pause' }
  | { readonly type: 'continue' }
  /** One optimizer step, while paused. */
  | { readonly type: 'step' }
  /** Ends the training; its model stays for predictions and files. */
  | { readonly type: 'stop' }
  /** Frees everything, the device too. */
  | { readonly type: 'reset' }
  | { readonly type: 'lr'; readonly lr: number }
  /** Files that the user dropped, under any names; the worker tells by content what they are. */
  | { readonly type: 'files'; readonly dataset: Settings['dataset']; readonly files: readonly DroppedFile[] }
  /** What the model says of pixels, u8 [28, 28], light on dark. */
  | { readonly type: 'predict'; readonly ask: number; readonly pixels: Uint8Array }
  /** What every layer makes of a test image. */
  | { readonly type: 'activations'; readonly ask: number; readonly image: number }
  /** Test images of a class that were taken for another (or the same), the surest first. */
  | { readonly type: 'cell'; readonly ask: number; readonly target: number; readonly predicted: number }
  | { readonly type: 'file'; readonly ask: number; readonly kind: FileKind }
  /** GPU time of every dispatch of a step. */
  | { readonly type: 'kernels'; readonly ask: number };

export interface DroppedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** `checkpoint` goes on in Node by `heddle train --resume FILE`; `trace` is for ui.perfetto.dev. */
export type FileKind = 'safetensors' | 'onnx' | 'checkpoint' | 'trace';

export type Status =
  | 'idle'
  /** Looking for data, or downloading it. */
  | 'loading'
  | 'compiling'
  | 'training'
  | 'evaluating'
  | 'paused'
  | 'done'
  | 'stopped'
  | 'failed';

/** What is being trained, once it is known. */
export interface RunFacts {
  readonly settings: Settings;
  /** Of the adapter, in words; whether it computes on the CPU. */
  readonly adapter: string;
  readonly backend: string;
  readonly software: boolean;
  /** E.g. `784-512-512-10`. */
  readonly model: string;
  readonly parameters: number;
  readonly classes: readonly string[];
  readonly train: number;
  readonly test: number;
  /** Drawn by a program: always shown. */
  readonly synthetic: boolean;
  readonly dispatches: number;
  /** Bytes alive on the GPU. */
  readonly bytes: number;
  /** The run's folder, of one in Node. */
  readonly folder?: string;
  /** Of a run in Node whose data set is none that `settings` can name: what its user called it, e.g. `./flowers`. */
  readonly dataset?: string;
}

/** A step's loss. */
export interface StepPoint {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly lr: number;
}

/** A test image, and what the model makes of it. */
export interface Judged {
  /** Its number in the test set. */
  readonly image: number;
  readonly target: number;
  readonly predicted: number;
  /** Of the predicted class, 0…1. */
  readonly probability: number;
  /** u8 [28, 28]. */
  readonly pixels: Uint8Array;
}

/** Images side by side: `count` of [height, width], row-major, as they are. */
export interface Tiles {
  readonly label: string;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly values: Float32Array;
}

export interface KernelTime {
  readonly label: string;
  readonly kernel: string;
  /** Median GPU seconds. */
  readonly seconds: number;
}

/** What the page is told. */
export type Message =
  | { readonly type: 'status'; readonly status: Status; readonly text: string }
  | { readonly type: 'download'; readonly file: string; readonly received: number; readonly total?: number }
  | { readonly type: 'run'; readonly run: RunFacts }
  /** Every step's loss, some at a time, at most ten times a second; and how fast it goes. */
  | {
      readonly type: 'steps';
      readonly steps: readonly StepPoint[];
      readonly batch: number;
      readonly batches: number;
      readonly samplesPerSecond: number;
      readonly secondsPerStep: number;
    }
  | {
      readonly type: 'epoch';
      readonly epoch: number;
      readonly step: number;
      readonly trainLoss: number;
      readonly seconds: number;
      readonly validation: Evaluation;
    }
  /** The worst mistakes after an epoch: the surest of what is wrong. */
  | { readonly type: 'mistakes'; readonly mistakes: readonly Judged[] }
  /** The first layer's weights, as images, about twice a second. */
  | { readonly type: 'filters'; readonly filters: Tiles }
  | { readonly type: 'bytes'; readonly bytes: number }
  /** Something worth knowing that stops nothing. */
  | { readonly type: 'notice'; readonly text: string }
  /** What went wrong, and what to do, in a sentence each. The training is over; a `start` begins anew. */
  | { readonly type: 'error'; readonly code: string; readonly message: string; readonly todo: string }
  | { readonly type: 'prediction'; readonly ask: number; readonly probabilities: readonly number[] }
  | {
      readonly type: 'activations';
      readonly ask: number;
      readonly judged: Judged;
      readonly layers: readonly Tiles[];
    }
  | { readonly type: 'cell'; readonly ask: number; readonly images: readonly Judged[] }
  | { readonly type: 'file'; readonly ask: number; readonly name: string; readonly bytes: Uint8Array }
  | { readonly type: 'kernels'; readonly ask: number; readonly times: readonly KernelTime[] }
  /** A question that could not be answered. */
  | { readonly type: 'refused'; readonly ask: number; readonly message: string };
