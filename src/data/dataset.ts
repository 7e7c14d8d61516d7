// What a data set and a batch are: host-side arrays with their shapes. No GPU type appears here.

/** Rows of inputs with their targets, resident on the host. */
export interface Dataset {
  /** For messages and `run.json`, e.g. `fashion-mnist/train`. */
  readonly name: string;
  /** Number of rows. */
  readonly length: number;
  /** `[length, ...inputShape]`, row-major. `Uint8Array` images are scaled by 1/255 on the GPU, as ToTensor does. */
  readonly inputs: Uint8Array | Float32Array;
  /** Shape of one row, e.g. `[1, 28, 28]`. */
  readonly inputShape: readonly number[];
  /** Class indices, `[length]`. */
  readonly targets: Uint8Array | Int32Array;
  /** Class names, by index. */
  readonly classes: readonly string[];
  /** True for data that was drawn by a program; always shown to the user. */
  readonly synthetic: boolean;
}

/** One batch. The arrays hold exactly `rows` rows; they may be views of the data set and must not be changed. */
export interface Batch {
  /** Position within the epoch, from 0. */
  readonly index: number;
  readonly rows: number;
  /** `[rows, ...inputShape]`. */
  readonly inputs: Uint8Array | Float32Array;
  /** Class indices, `[rows]`. */
  readonly targets: Uint8Array | Int32Array;
}
