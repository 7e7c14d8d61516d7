// The variants of a kernel: which values its constants may have together. Bool constants are found in the kernel and
// take both values; u32 constants take what the tables here say, and one that is in no table is an error.

import type { ConstantValues, KernelSpec } from '../../src/gpu/kernel.ts';
import { activationKinds } from '../../src/ops/activation.ts';
import { allMatmulVariants } from '../../src/ops/matmul_variants.ts';
import { pointwiseKinds } from '../../src/ops/pointwise_loss.ts';

/** u32 constants that no launcher sets: they keep the value written in the file. */
const writtenInFile: Readonly<Record<string, readonly string[]>> = {
  batch_norm_merge: ['CHANNELS', 'STRANDS'],
  clip_gradient: ['THREADS'],
  layer_norm: ['STRANDS'],
  layer_norm_backward: ['STRANDS'],
  linear_cross_entropy: ['GROUPS', 'STRANDS'],
  linear_cross_entropy_subgroup: ['ROWS'],
  matmul: ['TILE_K'],
  mean_loss: ['THREADS'],
  sum_squares: ['THREADS'],
  pointwise_loss: ['THREADS'],
};

const kinds = Object.values(activationKinds).map(({ code }) => ({ KIND: code }));

/** u32 constants that launchers set, in the combinations they set. */
const setByLauncher: Readonly<Record<string, readonly Readonly<Record<string, number>>[]>> = {
  activation: kinds,
  activation_backward: kinds,
  column_sum: [
    { COLUMNS: 16, STRANDS: 16 },
    { COLUMNS: 16, STRANDS: 1 },
    { COLUMNS: 64, STRANDS: 1 },
  ],
  linear_backward: [1, 3, 10, 16].flatMap((OUTPUTS) =>
    [4, 8, 16].map((LANES) => ({ OUTPUTS, LANES, HELD: Math.ceil((2 * OUTPUTS) / LANES) })),
  ),
  linear_cross_entropy: [1, 3, 10, 16].map((CLASSES) => ({ CLASSES })),
  linear_cross_entropy_subgroup: [1, 3, 10, 16].flatMap((CLASSES) =>
    [4, 8, 16].map((LANES) => ({ CLASSES, LANES, HELD: Math.ceil(CLASSES / LANES) })),
  ),
  matmul: allMatmulVariants.filter(({ core }) => core === 'tile').map(({ constants }) => constants),
  matmul_subgroup: allMatmulVariants
    .filter(({ core }) => core === 'subgroup')
    .flatMap(({ lanes, constants }) =>
      ((constants.DEPTH as number) % 4 === 0 ? [2, 4] : [2]).map((RUN) => ({
        LANES: lanes,
        ...constants,
        RUN,
      })),
    ),
  pointwise_loss: Object.values(pointwiseKinds).map((KIND) => ({ KIND })),
};

/** Of the kernels of matmul, which alone can rectify. */
const isProduct = ({ RELU }: ConstantValues) => RELU !== undefined;

/**
 * What no launcher asks for, each with the reason. A rule holds for every kernel that has the constants it names, and
 * forbids nothing as long as a bool it names has no value yet.
 */
const rules: readonly { readonly reason: string; forbids(values: ConstantValues): boolean }[] = [
  {
    reason: 'bias and mask share a binding',
    forbids: (v) => isProduct(v) && v.BIAS === true && v.MASK === true,
  },
  {
    reason: 'runs come with one load only when k is a multiple of them, and then as many steps leave no tail',
    forbids: (v) => v.DEPTH === v.RUN && v.A_VECTOR === true && v.A_TRANSPOSED === false && v.K_TAIL === true,
  },
  {
    reason: 'likewise runs of Bᵀ',
    forbids: (v) => v.DEPTH === v.RUN && v.B_VECTOR === true && v.B_TRANSPOSED === true && v.K_TAIL === true,
  },
  {
    reason:
      'runs of four are taken where k is a multiple of four, and then lie so that they come with one load',
    forbids: (v) =>
      v.RUN === 4 &&
      ((v.DEPTH === 4 && v.K_TAIL === true) ||
        (v.A_TRANSPOSED === false && v.A_VECTOR === false) ||
        (v.B_TRANSPOSED === true && v.B_VECTOR === false)),
  },
  {
    reason: 'where a run could be of four and is of two, k is no multiple of four, and leaves a tail',
    forbids: (v) => v.RUN === 2 && (v.DEPTH as number) >= 4 && v.K_TAIL === false,
  },
  {
    reason: 'images are read beside runs of four',
    forbids: (v) => v.RUN === 2 && (v.A_IMAGE === true || v.B_IMAGE === true || v.C_IMAGE === true),
  },
  {
    reason: 'an image of A has texels of four columns, of floats',
    forbids: (v) => v.A_IMAGE === true && (v.A_VECTOR === false || v.A_U8 === true),
  },
  {
    reason: 'likewise one of B',
    forbids: (v) => v.B_IMAGE === true && (v.B_VECTOR === false || v.B_U8 === true),
  },
  {
    reason: 'rows are summed of a transposed A, as the gradient of a bias needs it',
    forbids: (v) => v.ROW_SUMS === true && v.A_TRANSPOSED === false,
  },
  {
    reason: 'an image of C is of parameters, in fours',
    forbids: (v) => v.C_IMAGE === true && (v.SGD === false || v.C_VECTOR === false),
  },
  {
    reason: 'of the pointwise losses, BCE alone has weights',
    forbids: (v) => v.KIND !== undefined && v.KIND !== pointwiseKinds.bceWithLogits && v.WEIGHTED === true,
  },
  {
    reason: 'an SGD step takes the product as it is',
    forbids: (v) => isProduct(v) && v.SGD === true && (v.BIAS === true || v.RELU === true || v.MASK === true),
  },
  {
    reason: 'a B that is not transposed and C have rows of the same length',
    forbids: (v) =>
      v.B_TRANSPOSED === false &&
      ((v.B_VECTOR === true && v.C_VECTOR === false) || (v.B_VECTOR === false && v.C_VECTOR === true)),
  },
];

/** Values that are chosen together: one bool, or all the u32 constants of a kernel. */
type Factor = readonly ConstantValues[];

function factorsOf(spec: KernelSpec): Factor[] {
  const names = Object.keys(spec.constants);
  const integers = names.filter((name) => spec.constants[name]?.type === 'u32');
  const written = writtenInFile[spec.name] ?? [];
  const rows = setByLauncher[spec.name] ?? [{}];
  const known = [...written, ...Object.keys(rows[0] ?? {})];
  for (const name of integers.filter((integer) => !known.includes(integer))) {
    throw new Error(
      `${spec.name}.wgsl has a u32 constant ${name} of which no values are known: ` +
        'add it to setByLauncher or to writtenInFile in test/support/variants.ts',
    );
  }
  for (const name of known.filter((entry) => !integers.includes(entry))) {
    throw new Error(`${spec.name}.wgsl has no u32 constant ${name}: remove it from test/support/variants.ts`);
  }
  const bools = names.filter((name) => spec.constants[name]?.type === 'bool');
  return [rows, ...bools.map((name) => [{ [name]: false }, { [name]: true }])];
}

/** The values with the file's own for the constants left out, in the file's order: equal for equal variants. */
export function completeValues(spec: KernelSpec, values: ConstantValues): ConstantValues {
  return Object.fromEntries(
    Object.entries(spec.constants).map(([name, { value }]) => [name, values[name] ?? value]),
  );
}

interface Variant {
  readonly values: ConstantValues;
  /** Which of its values each factor has. */
  readonly choices: readonly number[];
}

const enumerated = new WeakMap<KernelSpec, readonly Variant[]>();

/** A kernel's legal variants, thousands for some: each kernel's once. */
function enumerate(spec: KernelSpec): readonly Variant[] {
  const known = enumerated.get(spec);
  if (known !== undefined) return known;
  let chosen: Variant[] = [{ values: {}, choices: [] }];
  for (const factor of factorsOf(spec)) {
    chosen = chosen.flatMap(({ values, choices }) =>
      factor
        .map((more, i) => ({ values: { ...values, ...more }, choices: [...choices, i] }))
        .filter((variant) => !rules.some((rule) => rule.forbids(variant.values))),
    );
  }
  const all = chosen.map(({ values, choices }) => ({ values: completeValues(spec, values), choices }));
  enumerated.set(spec, all);
  return all;
}

/** Every legal combination of the kernel's constants. Throws for a u32 constant that the tables do not know. */
export function allVariants(spec: KernelSpec): ConstantValues[] {
  return enumerate(spec).map(({ values }) => values);
}

/** All ways to pick `size` of the numbers below `count`, each in ascending order. */
function subsets(count: number, size: number, from = 0): number[][] {
  if (size === 0) return [[]];
  const all: number[][] = [];
  for (let first = from; first <= count - size; first++) {
    for (const rest of subsets(count, size - 1, first + 1)) all.push([first, ...rest]);
  }
  return all;
}

/**
 * A few of a kernel's variants in which any `strength` factors (bools; the u32 constants together are one) meet in every
 * legal combination of their values; among those that `may` accepts. Always the same ones: greedy, one of the best each time.
 */
export function coveringVariants(
  spec: KernelSpec,
  strength: number,
  may: (values: ConstantValues) => boolean = () => true,
): ConstantValues[] {
  const variants = enumerate(spec).filter(({ values }) => may(values));
  const factors = variants[0]?.choices.length ?? 0;
  const picks = subsets(factors, Math.min(strength, factors));
  // Of each pick the combinations have numbers of their own, in the order of their values; those that occur are missing.
  const counts = Array.from({ length: factors }, (_, factor) =>
    variants.reduce((most, { choices }) => Math.max(most, (choices[factor] as number) + 1), 1),
  );
  let size = 0;
  const starts = picks.map((pick) => {
    const start = size;
    size += pick.reduce((product, factor) => product * (counts[factor] as number), 1);
    return start;
  });
  const missing = new Uint8Array(size);
  const combinations = variants.map(({ choices }) =>
    Int32Array.from(picks, (pick, i) => {
      let number = 0;
      for (const factor of pick) number = number * (counts[factor] as number) + (choices[factor] as number);
      number += starts[i] as number;
      missing[number] = 1;
      return number;
    }),
  );
  const covering: ConstantValues[] = [];
  // What a variant would add never grows: where it was not enough before, it is not looked at again.
  const gains = new Int32Array(combinations.length).fill(picks.length);
  for (let left = missing.reduce((sum, one) => sum + one, 0); left > 0; ) {
    let best = 0;
    let most = 0;
    const look = (i: number) => {
      if ((gains[i] as number) <= most) return;
      let gain = 0;
      for (const number of combinations[i] as Int32Array) gain += missing[number] as number;
      gains[i] = gain;
      if (gain > most) [best, most] = [i, gain];
    };
    // The one that promises most goes first: few of the others then promise more.
    look(gains.reduce((first, gain, i) => (gain > (gains[first] as number) ? i : first), 0));
    for (let i = 0; i < gains.length; i++) look(i);
    for (const number of combinations[best] as Int32Array) missing[number] = 0;
    covering.push((variants[best] as Variant).values);
    left -= most;
  }
  return covering;
}
