// Launches matmul.wgsl and matmul_subgroup.wgsl: which core suits the adapter, how large its grid is, what its epilogue does.

import { HeddleError } from '../errors.ts';
import { canBeImage, imageOf } from '../gpu/image.ts';
import type { DispatchDescription, Recorder } from '../gpu/plan.ts';
import { bytesPerElement, type Tensor, view } from '../gpu/tensor.ts';
import { matmulSubgroup as subgroupKernel, matmul as tileKernel } from './kernels.generated.ts';
import {
  allMatmulVariants,
  type MatmulCore,
  type MatmulVariant,
  matmulCore,
  matmulKernelName,
  matmulVariants,
  prefersImages,
  variantOf,
} from './matmul_variants.ts';

/** C = A·B and what happens to C before it is stored. */
export interface MatmulOptions {
  readonly label: string;
  /** A: [m, k], or [k, m] with `aTransposed`. f32, or u8 which is scaled by 1/255. */
  readonly a: Tensor;
  readonly aTransposed?: boolean;
  /** B: [k, n], or [n, k] with `bTransposed`. f32 or u8. */
  readonly b: Tensor;
  readonly bTransposed?: boolean;
  /** [n], added to every row. Not together with `mask`. */
  readonly bias?: Tensor;
  /** Negative results become 0. */
  readonly relu?: boolean;
  /** Of shape [m, n]: results become 0 where it is ≤ 0, the backward of a ReLU whose output it is. */
  readonly mask?: Tensor;
  /** Where C goes, [m, n]; a new intermediate when left out. */
  readonly out?: Tensor;
  /** Adds to what `out` holds. */
  readonly accumulate?: boolean;
  /** Of shape [m]: the sums of op(A)'s rows go here, added likewise. */
  readonly rowSums?: Tensor;
  /**
   * An SGD step: `out` and `rowSums` hold parameters, from which step.lr · (what would be stored there) is taken. A value
   * that is not finite is reported in the step's slot of `losses`. Not together with `accumulate`.
   */
  readonly sgd?: { readonly losses: Tensor; readonly step: Tensor };
  /**
   * Sums over so many steps of k each, a multiple of 64, by workgroups of their own: C is [⌈k / chunk⌉, m, n] and rowSums
   * [⌈k / chunk⌉, m], and whoever asks for it adds them up. Without what an epilogue does to whole sums.
   */
  readonly chunk?: number;
  /** Whether operands that can be images are read as such; by default where the adapter is the faster for it. */
  readonly images?: boolean;
  /** Overrides the choice of core, for tests. */
  readonly core?: MatmulCore;
  /** Overrides the choice of variant, to measure it. */
  readonly variant?: MatmulVariant;
}

/** What `matmul` computes but for the values: what a choice among its variants is made by. */
function problemOf(
  { m, n, k, chunk }: Readonly<Record<'m' | 'n' | 'k' | 'chunk', number>>,
  flags: Readonly<Record<string, unknown>>,
): string {
  const set = problemFlags.filter((name) => flags[name] === true);
  const parts = chunk === k ? '' : `/${chunk}`;
  return [`${m}×${n}×${k}${parts}`, ...set].join(' ');
}

const problemFlags = [
  'A_TRANSPOSED',
  'B_TRANSPOSED',
  'A_U8',
  'B_U8',
  'BIAS',
  'MASK',
  'RELU',
  'ROW_SUMS',
  'SGD',
] as const;

/** Of a recorded matmul, its problem and the variant that was chosen for it; undefined for other dispatches. */
export function matmulChoice({
  kernel,
  constants,
  params,
}: Pick<DispatchDescription, 'kernel' | 'constants' | 'params'>):
  | { readonly problem: string; readonly variant: MatmulVariant }
  | undefined {
  const variant = allMatmulVariants.find(
    (candidate) =>
      matmulKernelName(candidate.core) === kernel &&
      (candidate.lanes === 0 || candidate.lanes === constants.LANES) &&
      Object.entries(candidate.constants).every(([name, value]) => constants[name] === value),
  );
  if (variant === undefined) return undefined;
  return { problem: problemOf(params as Record<'m' | 'n' | 'k' | 'chunk', number>, constants), variant };
}

/** A multiple of what any variant takes of k at a time. */
const chunkStep = 64;

/**
 * On software adapters products over more rows than these are computed in slices of them, one after the other. Of Aᵀ·B a
 * workgroup reads some columns of all rows: unsliced, an image of a batch of 4,096 took 4 % longer than one of 1,024. A·B is
 * sliced where A is an image, so that a layer's way forward and its weight's gradient read the same images.
 */
const sliceRows = 1024;
/** Slices are of a multiple of so many rows: whatever their elements, they begin where a binding may. */
const sliceStep = 256;
/** Multiply-adds a row that make a slice's dispatch worth its cost. */
const sliceWork = 2 ** 16;

/** Rows of a matrix, from `first` until before `end`. */
function rowsOf(tensor: Tensor, first: number, end: number): Tensor {
  const { storage, label, dtype, slotStride } = tensor;
  const columns = tensor.shape[1] as number;
  const offset = tensor.offset + first * columns * bytesPerElement[dtype];
  const name = `${label} ${first}…${end - 1}`;
  return view(storage, name, [end - first, columns], { dtype, offset, slotStride });
}

/** Records a product in slices of the rows that A is stored in: rows of C, or what C is the sum of. */
function inSlices(recorder: Recorder, options: MatmulOptions, out: Tensor): Tensor {
  const { label, a, b, aTransposed = false, mask, sgd } = options;
  const rows = a.shape[0] as number;
  const size = sliceStep * Math.ceil(rows / Math.ceil(rows / sliceRows) / sliceStep);
  for (let first = 0; first < rows; first += size) {
    const end = Math.min(rows, first + size);
    const slice = (tensor: Tensor) => rowsOf(tensor, first, end);
    matmul(recorder, {
      ...options,
      label: `${label} ${first}…${end - 1}`,
      a: slice(a),
      b: aTransposed ? slice(b) : b,
      out: aTransposed ? out : slice(out),
      ...(mask === undefined ? {} : { mask: slice(mask) }),
      accumulate: options.accumulate === true || (aTransposed && sgd === undefined && first > 0),
    });
  }
  return out;
}

const describe = (tensor: Tensor, transposed: boolean) =>
  `${tensor.label}${transposed ? 'ᵀ' : ''} [${tensor.shape.join(', ')}]`;

function sides(tensor: Tensor, transposed: boolean): [number, number] {
  const [rows, columns] = tensor.shape;
  if (tensor.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new HeddleError('shape', `matmul: ${describe(tensor, false)}: expected a matrix`);
  }
  return transposed ? [columns, rows] : [rows, columns];
}

/** Records C = A·B with its epilogue; returns C. Throws a HeddleError `shape` when the operands do not fit each other. */
export function matmul(recorder: Recorder, options: MatmulOptions): Tensor {
  const {
    label,
    a,
    b,
    bias,
    mask,
    aTransposed = false,
    bTransposed = false,
    relu = false,
    accumulate = false,
    rowSums,
    sgd,
  } = options;
  const [m, k] = sides(a, aTransposed);
  const [bK, n] = sides(b, bTransposed);
  if (k !== bK) {
    const operands = `${describe(a, aTransposed)} × ${describe(b, bTransposed)}`;
    throw new HeddleError(
      'shape',
      `${label}: inner sizes differ: ${operands}. Did a layer get the wrong inFeatures?`,
    );
  }
  if (bias !== undefined && mask !== undefined) {
    throw new HeddleError('usage', `${label}: bias and mask share a binding; use one of them`);
  }
  if (sgd !== undefined && (relu || bias !== undefined || mask !== undefined))
    throw new HeddleError('usage', `${label}: sgd takes the product as it is, without bias, relu or mask`);
  if (rowSums !== undefined && !aTransposed)
    throw new HeddleError('usage', `${label}: rowSums needs a transposed A`);
  if (sgd !== undefined && accumulate)
    throw new HeddleError('usage', `${label}: sgd and accumulate exclude each other`);
  const { chunk = k } = options;
  const parts = Math.ceil(k / chunk);
  if (options.chunk !== undefined) {
    if (chunk % chunkStep !== 0)
      throw new HeddleError('usage', `${label}: a chunk of ${chunk}, expected a multiple of ${chunkStep}`);
    if (relu || accumulate || (bias ?? mask ?? sgd) !== undefined)
      throw new HeddleError(
        'usage',
        `${label}: a product in chunks takes no bias, relu, mask, sgd or accumulate`,
      );
  }
  const c = options.out ?? recorder.tensor(label, options.chunk === undefined ? [m, n] : [parts, m, n]);
  const { device } = recorder;
  // Runs of four along k are a part of it: other variants, and other k, read no images.
  const images = k % 4 === 0 && (options.images ?? prefersImages(device));
  const isImage = (side: 'a' | 'b') => images && canBeImage(device, options[side]);
  const isSliced = aTransposed
    ? k > sliceRows && m * n >= sliceWork && !bTransposed && !relu && (bias ?? mask) === undefined
    : m > sliceRows && n * k >= sliceWork && isImage('a');
  // Of a product to be sliced; its slices may yet be given to the other core, by what `heddle tune` found for them.
  const likelyCore = options.core ?? options.variant?.core ?? matmulCore(device);
  if (isSliced && likelyCore === 'subgroup' && options.chunk === undefined)
    return inSlices(recorder, options, c);
  const bindings = {
    bias_or_mask: bias ?? mask ?? recorder.unused(),
    c,
    row_sums: rowSums ?? recorder.unused(),
    loss: sgd?.losses ?? recorder.unused(),
    step: sgd?.step ?? recorder.unused(),
  };
  const epilogue = {
    A_TRANSPOSED: aTransposed,
    B_TRANSPOSED: bTransposed,
    A_U8: a.dtype === 'u8',
    B_U8: b.dtype === 'u8',
    BIAS: bias !== undefined,
    MASK: mask !== undefined,
    RELU: relu,
    ROW_SUMS: rowSums !== undefined,
    SGD: sgd !== undefined,
  };
  const params = { m, n, k, accumulate: accumulate ? 1 : 0, chunk };
  const grid = (columns: number, rows: number) =>
    [Math.ceil(n / columns) + (rowSums === undefined ? 0 : 1), Math.ceil(m / rows), parts] as const;

  const shape = { m, n, k: Math.min(k, chunk), parts, aImage: isImage('a'), bImage: isImage('b') };
  const choose = (): MatmulVariant => {
    if (options.core !== undefined) return variantOf(device, options.core, shape);
    const chosen = device.variants.get(problemOf(params, epilogue));
    const variants = matmulVariants(device, shape);
    return variants.find(({ name }) => name === chosen) ?? (variants[0] as MatmulVariant);
  };
  const { core, constants } = options.variant ?? choose();
  if (core === 'tile') {
    const side = constants.TILE as number;
    recorder.dispatch(tileKernel, {
      label,
      bindings: { ...bindings, a, b },
      params,
      constants: { ...epilogue, ...constants },
      workgroups: grid(side, side),
    });
    return c;
  }
  const lanes = device.info.subgroupSize;
  const { ROWS, QUADS, DEPTH } = constants as Record<'ROWS' | 'QUADS' | 'DEPTH', number>;
  const run = DEPTH % 4 === 0 && k % 4 === 0 ? 4 : 2;
  /** How an operand is bound: as an image, in fours or in pairs. */
  const bind = (side: 'a' | 'b', alongK: boolean, others: number) => {
    const isVector = alongK ? k % run === 0 : others % 4 === 0;
    const tensor = options[side];
    const asImage = run === 4 && isImage(side);
    const asFours = !asImage && isVector && (!alongK || run === 4);
    return {
      isVector,
      asImage,
      fold: asImage ? imageOf(device, tensor).fold : 0,
      tensor: asImage || asFours ? recorder.unused() : tensor,
      fours: asFours ? tensor : recorder.unused(),
    };
  };
  const left = bind('a', !aTransposed, m);
  const right = bind('b', bTransposed, n);
  // A step's parameters were read by the way forward, and have not been written since.
  const isBefore = sgd !== undefined && run === 4 && images && recorder.hasImage(c);
  recorder.dispatch(subgroupKernel, {
    label,
    bindings: {
      ...bindings,
      a: left.tensor,
      a_fours: left.fours,
      b: right.tensor,
      b_fours: right.fours,
    },
    images: {
      ...(left.asImage ? { a_image: a } : {}),
      ...(right.asImage ? { b_image: b } : {}),
      ...(isBefore ? { c_image: c } : {}),
    },
    params: {
      ...params,
      zero: 0,
      a_fold: left.fold,
      b_fold: right.fold,
      c_fold: isBefore ? imageOf(device, c).fold : 0,
    },
    constants: {
      ...epilogue,
      LANES: lanes,
      ...constants,
      RUN: run,
      A_VECTOR: left.isVector,
      B_VECTOR: right.isVector,
      C_IMAGE: isBefore,
      A_IMAGE: left.asImage,
      B_IMAGE: right.asImage,
      C_VECTOR: n % 4 === 0,
      K_TAIL: k % DEPTH !== 0,
    },
    workgroups: grid(4 * QUADS * lanes, ROWS),
  });
  return c;
}
