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
  /** Overrides the choice of core, for tests. */
  readonly core?: MatmulCore;
}

/**
 * Rows of C a workgroup of the subgroup core computes. With four lanes (SwiftShader) taller tiles are hardly faster and
 * take several times as long to compile.
 */
const subgroupTileM = (lanes: number): number => (lanes === 4 ? 8 : 32);
/** Rows and columns of C a workgroup of the tile core computes; matmul.wgsl's TILE. */
const tile = 32;

/** The cores that can run on this device, the one that suits it best first. */
export function matmulCores(device: Device): readonly MatmulCore[] {
  const { software, subgroupSize } = device.info;
  if (![4, 8, 16].includes(subgroupSize)) return ['tile'];
  return software ? ['subgroup', 'tile'] : ['tile', 'subgroup'];
}

/** The kernel that a core is. */
export const matmulKernelName = (core: MatmulCore): KernelName =>
  core === 'tile' ? 'matmul' : 'matmul_subgroup';

/** The core that `matmul` uses on this device unless told otherwise. Throws a HeddleError when all are to be avoided. */
export function matmulCore(device: Device): MatmulCore {
  const cores = matmulCores(device);
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
  const c = options.out ?? recorder.tensor(label, [m, n]);
  const bindings = { a, b, bias_or_mask: bias ?? mask ?? b, c }; // something must be bound even when nothing reads it
  const epilogue = {
    A_TRANSPOSED: aTransposed,
    B_TRANSPOSED: bTransposed,
    A_U8: a.dtype === 'u8',
    B_U8: b.dtype === 'u8',
    BIAS: bias !== undefined,
    MASK: mask !== undefined,
    RELU: relu,
  };
  const params = { m, n, k, accumulate: accumulate ? 1 : 0 };

  if ((options.core ?? matmulCore(recorder.device)) === 'tile') {
    const workgroups = [Math.ceil(n / tile), Math.ceil(m / tile), 1] as const;
    recorder.dispatch(tileKernel, { label, bindings, params, constants: epilogue, workgroups });
    return c;
  }
  const lanes = recorder.device.info.subgroupSize;
  recorder.dispatch(subgroupKernel, {
    label,
    bindings,
    params: { ...params, zero: 0 },
    constants: {
      ...epilogue,
      LANES: lanes,
      TILE_M: subgroupTileM(lanes),
      A_VECTOR: (aTransposed ? m : k) % 4 === 0,
      B_VECTOR: (bTransposed ? k : n) % 4 === 0,
      K_TAIL: k % 4 !== 0,
    },
    workgroups: [Math.ceil(n / (4 * lanes)), Math.ceil(m / subgroupTileM(lanes)), 1],
  });
  return c;
}
