// Which variants the two matmul kernels have, which of them an adapter can run, and which one suits it for a shape unless
// its owner has measured (`heddle tune`). Knows nothing of recording.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { KernelName } from './kernels.generated.ts';

/** The two matmul kernels: `tile` runs anywhere, `subgroup` is for software adapters with fixed subgroups. */
export type MatmulCore = 'tile' | 'subgroup';

/** A core and the constants that decide how it works, not what it computes. */
export interface MatmulVariant {
  /** `tile 32×1`, `subgroup 64×1×2`: the core and the values of its constants. */
  readonly name: string;
  readonly core: MatmulCore;
  readonly constants: Readonly<Record<string, number>>;
  /** Subgroups that it is meant for; 0 when that does not matter. */
  readonly lanes: number;
}

/** C [m, n] = A·B over k; or as many such as there are parts, each over k of its own. */
export interface MatmulShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly parts?: number;
  /** Whether A and B may be read as images. */
  readonly aImage?: boolean;
  readonly bImage?: boolean;
}

const variant = (core: MatmulCore, lanes: number, constants: Record<string, number>): MatmulVariant => ({
  name: `${core} ${Object.values(constants).join('×')}`,
  core,
  constants,
  lanes,
});
const tile = (TILE: number, SPLIT: number) => variant('tile', 0, { TILE, SPLIT });
const subgroup = (lanes: number, ROWS: number, QUADS: number, DEPTH: number) =>
  variant('subgroup', lanes, { ROWS, QUADS, DEPTH });

/** A variant and when it is the right one for want of measurements. */
interface Row {
  readonly variant: MatmulVariant;
  readonly suits: (shape: MatmulShape) => boolean;
}

const always = () => true;
const never = () => false;
/** Large tiles would leave most of a GPU idle: several teams then share k. */
const isSmall = ({ m, n, k, parts = 1 }: MatmulShape) =>
  Math.ceil(m / 32) * Math.ceil(n / 32) * parts < 256 && k >= 128;

/** The many windows of images by the few channels that a convolution makes of them: half of a wide tile would be left out. */
const isNarrow = ({ m, n }: MatmulShape) => m >= 1024 && n <= 32;

/**
 * With 16 lanes a larger tile is a tenth faster then, though it takes longer to compile; below, it makes no difference, and
 * with A in a buffer, as u8 always is, it is a tenth slower.
 */
const isLarge = ({ m, k, aImage = false }: MatmulShape) => m >= 256 && k >= 256 && aImage;

/**
 * By core, the first that suits wins; those that never do are there to be measured.
 * Subgroups, measured on SwiftShader (4 lanes) and lavapipe (8; 16 where platform/node-lavapipe.ts asks for it): with four
 * lanes a sum's way to memory and back costs as much as five multiply-adds, hence the depth; 64 rows would be a twentieth
 * faster, and take twice as long to compile, at every start. With more lanes loads cost more, and beyond 28 KB of code
 * several times that, so ROWS·QUADS·DEPTH stays at 128, or 256 where images make loads cheap. With 16 lanes 128 is as fast
 * for the tutorial's products, and compiles in two thirds of the time. Tiles: estimates for hardware GPUs, measured on none.
 */
const table: readonly Row[] = [
  { variant: subgroup(4, 16, 2, 8), suits: (shape) => shape.m <= 16 || isNarrow(shape) },
  { variant: subgroup(4, 32, 2, 8), suits: always },
  { variant: subgroup(8, 16, 1, 2), suits: ({ m }) => m <= 16 },
  { variant: subgroup(8, 64, 1, 2), suits: isNarrow },
  { variant: subgroup(8, 32, 2, 4), suits: ({ bImage = false }) => bImage },
  { variant: subgroup(8, 64, 1, 4), suits: ({ aImage = false }) => aImage },
  { variant: subgroup(8, 32, 2, 2), suits: always },
  { variant: subgroup(16, 64, 1, 4), suits: isLarge },
  { variant: subgroup(16, 32, 1, 4), suits: always },
  { variant: tile(16, 8), suits: isSmall },
  { variant: tile(16, 4), suits: never },
  { variant: tile(32, 2), suits: never },
  { variant: tile(64, 1), suits: never },
  { variant: tile(32, 1), suits: always },
];

/** Every variant there is, for any adapter. */
export const allMatmulVariants: readonly MatmulVariant[] = table.map((row) => row.variant);

/** The cores that can run on this device, the one that suits it best first. */
export function matmulCores(device: Device): readonly MatmulCore[] {
  const { software, subgroupSize } = device.info;
  if (!table.some(({ variant: { lanes } }) => lanes !== 0 && lanes === subgroupSize)) return ['tile'];
  return software ? ['subgroup', 'tile'] : ['tile', 'subgroup'];
}

/** The kernel that a core is. */
export const matmulKernelName = (core: MatmulCore): KernelName =>
  core === 'tile' ? 'matmul' : 'matmul_subgroup';

/** Cores that are not to be avoided, best first. Throws a HeddleError `gpu` when none is left. */
function coresLeft(device: Device): readonly MatmulCore[] {
  const cores = matmulCores(device);
  const left = cores.filter((core) => !device.avoided.has(matmulKernelName(core)));
  if (left.length > 0) return left;
  const names = cores.map(matmulKernelName).join(' and ');
  throw new HeddleError('gpu', `matmul: no kernel is left on this adapter: ${names} are to be avoided`);
}

/** The core that `matmul` uses on this device unless told otherwise. Throws a HeddleError when all are to be avoided. */
export const matmulCore = (device: Device): MatmulCore => coresLeft(device)[0] as MatmulCore;

/**
 * Whether matrices that products read had better be copied into images. On lavapipe (8 lanes, or 16) an element of a buffer
 * is loaded lane by lane between a check and a branch, a texel of four by a third of the instructions: products of
 * 64×512×512 take a fifth to a third less of a millisecond, and a copy 16 µs for 128 KiB, 41 µs for 1 MiB. (Stored as a
 * texel in the kernel that makes it, an element takes ten times as long.) On SwiftShader (4 lanes) four lanes' loads of four
 * elements are sixteen, each behind a branch, and a sample of four texels is a call: a step takes a fifth less, and the
 * shorter code a fifth less to compile.
 */
export const prefersImages = (device: Device): boolean => matmulCore(device) === 'subgroup';

/** Of a core, the variant that suits a shape. */
export function variantOf(device: Device, core: MatmulCore, shape: MatmulShape): MatmulVariant {
  const lanes = core === 'tile' ? 0 : device.info.subgroupSize;
  const row = table.find(
    ({ variant: candidate, suits }) => candidate.core === core && candidate.lanes === lanes && suits(shape),
  );
  if (row === undefined) {
    throw new HeddleError('usage', `matmul: the ${core} core has no variant for subgroups of ${lanes}`);
  }
  return row.variant;
}

/**
 * Whether the subgroup core is one to choose for rows of n. Where n is no multiple of four, lanes store components of one
 * vector, of which WGSL says that all of it may be touched; the software drivers store the component alone.
 */
const mayStore = (device: Device, { n }: MatmulShape) => device.info.software || n % 4 === 0;

/** What this device can compute a shape with, its default first. Throws a HeddleError `gpu` when nothing is left. */
export function matmulVariants(device: Device, shape: MatmulShape): readonly MatmulVariant[] {
  const cores = coresLeft(device);
  const preferred = variantOf(device, cores[0] as MatmulCore, shape);
  const others = allMatmulVariants.filter(
    ({ core, lanes, name }) =>
      cores.includes(core) &&
      (core === 'tile' || (lanes === device.info.subgroupSize && mayStore(device, shape))) &&
      name !== preferred.name,
  );
  return [preferred, ...others];
}
