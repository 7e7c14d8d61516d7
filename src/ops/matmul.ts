// Launches matmul.wgsl and matmul_subgroup.wgsl: which core suits the adapter, how large its grid is, what its epilogue does.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import {
  type KernelName,
  matmulSubgroup as subgroupKernel,
  matmul as tileKernel,
} from './kernels.generated.ts';

/** The two matmul kernels: `tile` runs anywhere, `subgroup` is for software adapters with fixed subgroups. */
export type MatmulCore = 'tile' | 'subgroup';

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
  /** [m, n]: results become 0 where it is ≤ 0, the backward of a ReLU whose output it is. */
  readonly mask?: Tensor;
  /** Where C goes, [m, n]; a new intermediate when left out. */
  readonly out?: Tensor;
  /** Adds to what `out` holds. */
  readonly accumulate?: boolean;
  /** [m]: the sums of op(A)'s rows go here, added likewise. */
  readonly rowSums?: Tensor;
  /**
   * An SGD step: `out` and `rowSums` hold parameters, from which step.lr · (what would be stored there) is taken. A value
   * that is not finite is reported in the step's slot of `losses`. Not together with `accumulate`.
   */
  readonly sgd?: { readonly losses: Tensor; readonly step: Tensor };
  /** Overrides the choice of core, for tests. */
  readonly core?: MatmulCore;
}

/** Constants of a core that decide how it works, not what it computes. */
export type MatmulTile = Readonly<Record<string, number>>;

/**
 * The subgroup core's tile for C of m rows. With four lanes (SwiftShader) an iteration costs as much as a hundred
 * multiply-adds, hence the depth; with more (lavapipe) loads do, and beyond 28 KB of code they cost several times that.
 */
function subgroupTile(lanes: number, m: number): { ROWS: number; QUADS: number; DEPTH: number } {
  if (lanes === 4) return { ROWS: 16, QUADS: 2, DEPTH: 8 };
  return { ROWS: m <= 16 && lanes === 8 ? 16 : m <= 32 ? 32 : 64, QUADS: 1, DEPTH: 2 };
}

/** The tile core's: where large tiles would leave most of a GPU idle, small ones of which several teams share k. */
function workgroupTile(m: number, n: number, k: number): { TILE: number; SPLIT: number } {
  const large = Math.ceil(m / 32) * Math.ceil(n / 32);
  return large < 256 && k >= 128 ? { TILE: 16, SPLIT: 8 } : { TILE: 32, SPLIT: 1 };
}

/** The cores that can run on this device, the one that suits it best first. */
export function matmulCores(device: Device): readonly MatmulCore[] {
  const { software, subgroupSize } = device.info;
  if (![4, 8, 16].includes(subgroupSize)) return ['tile'];
  return software ? ['subgroup', 'tile'] : ['tile', 'subgroup'];
}

/** The kernel that a core is. */
export const matmulKernelName = (core: MatmulCore): KernelName =>
  core === 'tile' ? 'matmul' : 'matmul_subgroup';

/** Whether a core can compute a C of n columns: the subgroup core stores two neighbours at a time. */
export const canStore = (core: MatmulCore, n: number): boolean => core === 'tile' || n % 2 === 0;

/**
 * The core that `matmul` uses on this device for a C of n columns unless told otherwise. Throws a HeddleError when all are
 * to be avoided.
 */
export function matmulCore(device: Device, n: number): MatmulCore {
  const cores = matmulCores(device).filter((core) => canStore(core, n));
  const core = cores.find((candidate) => !device.avoided.has(matmulKernelName(candidate)));
  if (core !== undefined) return core;
  const names = cores.map(matmulKernelName).join(' and ');
  throw new HeddleError('gpu', `matmul: no kernel is left on this adapter: ${names} are to be avoided`);
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
  const c = options.out ?? recorder.tensor(label, [m, n]);
  const bindings = {
    a,
    b,
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
  const params = { m, n, k, accumulate: accumulate ? 1 : 0 };
  const grid = (columns: number, rows: number) =>
    [Math.ceil(n / columns) + (rowSums === undefined ? 0 : 1), Math.ceil(m / rows), 1] as const;

  const core = options.core ?? matmulCore(recorder.device, n);
  if (!canStore(core, n))
    throw new HeddleError('usage', `${label}: the ${core} core cannot store rows of ${n}, an odd number`);
  if (core === 'tile') {
    const tile = workgroupTile(m, n, k);
    const constants = { ...epilogue, ...tile };
    recorder.dispatch(tileKernel, {
      label,
      bindings,
      params,
      constants,
      workgroups: grid(tile.TILE, tile.TILE),
    });
    return c;
  }
  const lanes = recorder.device.info.subgroupSize;
  const tile = subgroupTile(lanes, m);
  recorder.dispatch(subgroupKernel, {
    label,
    bindings,
    params: { ...params, zero: 0 },
    constants: {
      ...epilogue,
      LANES: lanes,
      ...tile,
      A_VECTOR: aTransposed ? m % 4 === 0 : k % 2 === 0,
      B_VECTOR: bTransposed ? k % 2 === 0 : n % 4 === 0,
      K_TAIL: k % tile.DEPTH !== 0,
    },
    workgroups: grid(4 * tile.QUADS * lanes, tile.ROWS),
  });
  return c;
}
