// What a data set and a batch are: host-side arrays with their shapes. No GPU type appears here.

/** What rows are paired with when they are to be told apart. */
export interface ClassTargets {
  /** Class indices, `[length]` of a data set, `[rows]` of a batch. */
  readonly targets: Uint8Array | Int32Array;
  readonly targetShape?: undefined;
}

/** What rows are paired with when numbers are to be predicted: regression, or the probabilities of classes. */
export interface ValueTargets {
  /** `[length, ...targetShape]` of a data set, `[rows, ...targetShape]` of a batch, row-major. */
  readonly targets: Float32Array;
  /** Shape of one row's targets, e.g. `[1]`. */
  readonly targetShape: readonly number[];
}

/** Rows of inputs, resident on the host. */
interface Rows {
  /** For messages and `run.json`, e.g. `fashion-mnist/train`. */
  readonly name: string;
  /** Number of rows. */
  readonly length: number;
  /** `[length, ...inputShape]`, row-major. `Uint8Array` images are scaled by 1/255 on the GPU, as ToTensor does. */
  readonly inputs: Uint8Array | Float32Array;
  /** Shape of one row, e.g. `[1, 28, 28]`. */
  readonly inputShape: readonly number[];
  /** Class names, by index; with real-valued targets none, unless the caller named what they stand for. */
  readonly classes: readonly string[];
  /** True for data that was drawn by a program; always shown to the user. */
  readonly synthetic: boolean;
}

/** Rows of inputs with a class each, resident on the host. */
export type ClassDataset = Rows & ClassTargets;
/** Rows of inputs with real-valued targets, resident on the host. */
export type ValueDataset = Rows & ValueTargets;
/** Rows of inputs with their targets, resident on the host; `targetShape === undefined` tells the kinds apart. */
export type Dataset = ClassDataset | ValueDataset;

/** Inputs of one batch. */
interface BatchRows {
  /** Position within the epoch, from 0. */
  readonly index: number;
  readonly rows: number;
  /** `[rows, ...inputShape]`. */
  readonly inputs: Uint8Array | Float32Array;
}

/** One batch. The arrays hold exactly `rows` rows; they may be views of the data set and must not be changed. */
export type Batch = BatchRows & (ClassTargets | ValueTargets);
