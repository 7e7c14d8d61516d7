// Mutants that no test can tell from the shader they were made from, each with the reason. scripts/mutate-shaders.ts
// holds this list against what happens: an entry whose mutant is killed, or that fits no mutant, is an error.

/** Mutants by some operators that begin at a place in a line of one of the kernels. */
export interface Explanation {
  readonly kernels: readonly string[];
  readonly operators: readonly string[];
  /** The place: a part of the line. */
  readonly at: RegExp;
  /** What replaces it; anything when left out. */
  readonly after?: RegExp;
  /** Why the two do the same. */
  readonly why: string;
}

const race =
  'a race: strands write what others read in the same round, or read what a last round without a barrier after it wrote; ' +
  'the software drivers run the strands in order, in which it comes out right every time';
const notStored = 'rows and columns beyond the matrix are only read, and their sums are not stored';
const timesZero =
  'infinity times 0 is a NaN where drivers compute as IEEE 754 says; it is there for those that do not';
const sameNumbers = 'chooses between two ways to the same numbers';

/** The kernels of optimizers that keep something, or weigh the gradient. */
const updates = ['adam', 'sgd_momentum', 'rmsprop', 'adagrad'];

/** All explanations. */
export const explanations: readonly Explanation[] = [
  {
    kernels: ['column_sum'],
    operators: ['always enter', 'shift comparison'],
    at: /column < params\.columns(?=\) \{$)(?<!&& column < params\.columns)/,
    why: notStored,
  },
  {
    kernels: ['column_sum', 'mean_loss', 'pointwise_loss'],
    operators: ['always enter', 'shift comparison'],
    at: /(local\.y|thread) < half/,
    why: race,
  },
  {
    kernels: ['pointwise_loss'],
    operators: ['drop min', 'change constant'],
    at: /(min\(abs\(logit\), )?110\.0/,
    why: 'exp(-110) is 0 in float32, as is that of anything below on the drivers at hand; WGSL does not promise it',
  },
  {
    kernels: ['pointwise_loss'],
    operators: ['shift comparison'],
    at: /< (params\.edge|0\.0)/,
    after: /^<=$/,
    why: 'both branches give the same where they meet',
  },
  {
    kernels: ['mean_loss', 'pointwise_loss'],
    operators: ['always enter', 'shift comparison', 'change constant'],
    at: /thread == 0u/,
    why: `all strands would write the same, so that which one does is ${race}`,
  },
  {
    kernels: ['mean_loss', 'pointwise_loss'],
    operators: ['change constant'],
    at: /1u/,
    after: /^2u$/,
    why: 'a flag: every number but 0 says the same',
  },
  {
    kernels: ['sum_squares'],
    operators: ['shift comparison'],
    at: /(?<=4u \* i )< params\.size/,
    why: 'four elements that all lie beyond x count as zeros',
  },
  {
    kernels: updates,
    operators: ['use other binding'],
    at: /(?<=select\()(exp_avg|max_exp_avg_sq|momentum_buffer|sum)(?=\[i\], \w+, inside)/,
    after: /^(exp_avg_sq|gradient)$/,
    why: 'what lies behind an array is the same behind all of them: in the arenas zeros',
  },
  {
    kernels: ['adagrad'],
    operators: ['drop term'],
    at: /\| broken\(after\)/,
    why: 'a step is about rate at most: no value becomes infinite while the sum is not',
  },
  {
    kernels: ['adam'],
    operators: ['drop term'],
    at: /\| broken\(m\)/,
    why: 'a mean gradient that is not finite gives a value that is not, where drivers compute as IEEE 754 says',
  },
  {
    kernels: ['clip_gradient'],
    operators: ['change constant', 'always enter'],
    at: /(?<=var factor = )1\.0|!VALUE/,
    why: 'with VALUE the factor counts for nothing',
  },
  {
    kernels: ['clip_gradient'],
    operators: ['drop accumulation'],
    at: /(?<=^bad )\|=/,
    why:
      'the infinity is in the sum too, and what these drivers make of its root leaves the gradients as they are; WGSL does ' +
      'not promise it',
  },
  {
    kernels: ['clip_gradient'],
    operators: ['change constant'],
    at: /(?<=0u, )1u/,
    after: /^2u$/,
    why: 'a flag: every number but 0 says the same',
  },
  {
    kernels: ['clip_gradient'],
    operators: ['always enter', 'shift comparison'],
    at: /thread < half/,
    why: race,
  },
  { kernels: ['clip_gradient'], operators: ['remove barrier'], at: /^workgroupBarrier\(\); let/, why: race },
  {
    kernels: ['clip_gradient'],
    operators: ['change constant', 'shift comparison'],
    at: /select\(1\.0, SHRINK, total\.y > 0\.0\)/,
    after: /^(2\.0|>=)$/,
    why: 'norm, 1e-6 and limit are shrunk alike: the factor is that of any other power of two',
  },
  {
    kernels: ['clip_gradient'],
    operators: ['shift comparison'],
    at: /(?<=rest \* rest\), )total\.y > 0\.0/,
    why: sameNumbers,
  },
  {
    kernels: ['linear_backward'],
    operators: ['drop condition'],
    at: /SGD && is_broken/,
    after: /^$/,
    why: 'where there is no SGD step, loss is bound to what nobody reads',
  },
  {
    kernels: ['linear_backward', 'linear_cross_entropy_subgroup', 'matmul_subgroup'],
    operators: ['always enter', 'never enter', 'shift comparison', 'change constant'],
    at: /(?<=if \()LANES == 8u|(?<=if \(LANES )==|(?<=LANES == )8u/,
    why: sameNumbers,
  },
  {
    kernels: ['linear_backward'],
    operators: ['swap axis', 'drop factor', 'drop term', 'shift comparison'],
    at: /(?<=is_inside = tile\.)x|(?<=is_inside = tile\.x )\*|(?<=is_inside = tile\.x \* LANES )\+|(?<=is_inside = .*)</,
    why: 'lanes beyond the last four features would store what its lane stores, as on the software drivers all do in step',
  },
  {
    kernels: ['linear_backward'],
    operators: ['drop condition', 'always enter'],
    at: /is_inside(?= &&|\) \{)|&& is_inside/,
    why: 'lanes beyond the last four features would store what its lane stores, as on the software drivers all do in step',
  },
  {
    kernels: ['linear_backward'],
    operators: ['drop min', 'drop term'],
    at: /min\(tile\.x|(?<=quads )- 1u/,
    why: notStored,
  },
  {
    kernels: ['linear_backward'],
    operators: ['shift comparison'],
    at: /(?<=; i )< 2u/,
    why: 'the row after these two is stored as well, and again when it is its turn',
  },
  {
    kernels: ['linear_cross_entropy'],
    operators: ['change constant'],
    at: /(?<=broken\[thread\] = )1u/,
    after: /^2u$/,
    why: 'a flag: every number but 0 says the same',
  },
  {
    kernels: ['linear_cross_entropy'],
    operators: ['change constant'],
    at: /(?<=largest = logit\(local, )0u/,
    why: 'the largest is sought among all classes, whichever it begins with',
  },
  {
    kernels: ['linear_cross_entropy'],
    operators: ['drop min'],
    at: /min\(first \+ group/,
    after: /^\(first/,
    why: notStored,
  },
  {
    kernels: ['linear_cross_entropy', 'linear_cross_entropy_subgroup'],
    operators: ['drop term'],
    at: /- 1u(?=\)\) \*)/,
    why: notStored,
  },
  {
    kernels: ['linear_cross_entropy', 'linear_cross_entropy_subgroup'],
    operators: ['always enter', 'drop bitcast', 'drop factor'],
    at: /is_finite\(bitcast<f32>\(bits\)\)|\(bits & EXPONENT\) != EXPONENT|(?<=\(bits )& EXPONENT/,
    why: 'a NaN is not kept from the sum and makes it one, as it does on these drivers; WGSL does not promise it',
  },
  {
    kernels: ['linear_cross_entropy'],
    operators: ['shift comparison'],
    at: /< params\.strands/,
    why: 'no strand has its turn in a further round',
  },
  {
    kernels: ['linear_cross_entropy_subgroup'],
    operators: ['drop min', 'change constant', 'drop factor', 'swap axis'],
    at: /min\(\(tile\.x|(?<=min\(\(tile\.x \+ )1u|(?<=first = tile\.)x|(?<=first = tile\.x )\*/,
    why: 'a workgroup computes rows of another one as well, and stores the same',
  },
  {
    kernels: ['linear_cross_entropy_subgroup'],
    operators: ['shift comparison', 'drop min'],
    at: /(?<=; first )<|min\(rows/,
    why: notStored,
  },
  {
    kernels: ['linear_cross_entropy_subgroup'],
    operators: ['drop min'],
    at: /min\(h \* LANES/,
    why: 'what lanes beyond the last class hold reaches no other',
  },
  {
    kernels: ['linear_cross_entropy_subgroup'],
    operators: ['shift comparison'],
    at: /(?<=var c = 1u; c )</,
    why: 'an index past the last class is led back to it, and the largest found before',
  },
  {
    kernels: ['linear_cross_entropy', 'linear_cross_entropy_subgroup'],
    operators: ['always enter', 'shift comparison', 'change constant'],
    at: /(lane|thread) == 0u|(?<=(lane|thread) )==|(?<=(lane|thread) == )0u/,
    why: 'all invocations of the workgroup have the same sum',
  },
  {
    kernels: ['relu', 'matmul', 'matmul_subgroup'],
    operators: ['shift comparison'],
    at: /(x\[i\]|value) <= 0\.0/,
    why: 'differs in the sign of a zero alone, which WGSL lets an implementation ignore',
  },
  {
    kernels: ['activation', 'activation_backward'],
    operators: ['drop min', 'change constant'],
    at: /min\(abs\(value\)( \* 0\.70710678)?, (110\.0|55\.0|10\.0)|clamp\(value, -20\.0, 20\.0/,
    after: /^(\(abs.*|220\.0|110\.0|20\.0|40\.0)$/,
    why: 'keeps exp from arguments so large that a driver might trip over them; these do not, and give 0 there in any case',
  },
  {
    kernels: ['activation', 'activation_backward'],
    operators: ['shift comparison'],
    at: /(?<!slope, 1\.0, )value [<>] 0\.0\)/,
    why: 'both sides give the same at 0, but for the sign of a zero, which WGSL lets an implementation ignore',
  },
  {
    kernels: ['activation', 'activation_backward'],
    operators: ['shift comparison'],
    at: /z >= 0\.927734375|abs\(value\) >= 0\.625/,
    why: 'either approximation is right at the seam',
  },
  {
    kernels: ['activation', 'activation_backward'],
    operators: ['change constant'],
    at: /tail, value < 0\.0/,
    after: /^1\.0$/,
    why: 'this far out |x| is more than 1',
  },
  {
    kernels: ['activation'],
    operators: ['drop condition', 'change constant'],
    at: /KIND == 1u \|\| KIND == 2u \|\| KIND == 5u|\|\| times_zero/,
    after: /^([26]u)?$/,
    why: timesZero,
  },
  {
    kernels: ['activation_backward'],
    operators: ['drop condition', 'change constant'],
    at: /\|\| KIND == 5u/,
    after: /^(6u)?$/,
    why: timesZero,
  },
  {
    kernels: ['sgd', ...updates, 'clip_gradient'],
    operators: ['remove guard', 'shift comparison'],
    at: /4u \* i >= params\.size/,
    why: 'beyond the arena every element keeps what was read from it',
  },
  {
    kernels: ['sgd', ...updates],
    operators: ['drop term', 'use other binding'],
    at: /broken\(gradient\[i\]\) \| broken\(before\)/,
    after: /^(value)?$/,
    why:
      'a gradient or value that is not finite gives a value that is not, where drivers compute with such numbers as ' +
      'IEEE 754 says; it is there for those that do not',
  },
  {
    kernels: ['matmul'],
    operators: ['drop condition', 'shift comparison'],
    at: /(row >= params\.m|column >= params\.n)(?= \|\| k >=)/,
    after: /^>?$/,
    why: notStored,
  },
  {
    kernels: ['matmul'],
    operators: ['change constant'],
    at: /return 0\.0/,
    why: 'past the end of k the other operand is 0, and beyond the matrix sums are not stored',
  },
  {
    kernels: ['matmul'],
    operators: ['drop min'],
    at: /min\(\(part \+ 1u\)/,
    after: /part/,
    why: 'rounds past the end of k are rounds of zeros',
  },
  {
    kernels: ['matmul'],
    operators: ['shift comparison'],
    at: /i < FOURS/,
    why: `one element past the tile, which lands in its last one before the strand whose that is writes it: ${race}`,
  },
  {
    kernels: ['matmul_subgroup'],
    operators: ['never enter'],
    at: /(?<=if \()[ABC]_VECTOR/,
    why: sameNumbers,
  },
  { kernels: ['matmul_subgroup'], operators: ['always enter'], at: /K_TAIL|!C_VECTOR/, why: sameNumbers },
  {
    kernels: ['matmul_subgroup'],
    operators: ['always enter', 'never enter'],
    at: /SAMPLED/,
    why: sameNumbers,
  },
  {
    kernels: ['matmul_subgroup'],
    operators: ['change constant'],
    at: /(?<=scale, )0\.0/,
    why: 'an image has one level, which the driver takes whatever is asked for',
  },
  {
    kernels: ['matmul_subgroup'],
    operators: ['drop condition'],
    at: /SGD && is_broken/,
    after: /^$/,
    why: 'nothing is broken where there is no SGD step',
  },
  {
    kernels: ['matmul_subgroup'],
    operators: ['never enter'],
    at: /K_TAIL(?=\) \{ return min)/,
    why: 'elements past k are taken for 0 whatever is read, and no driver lets a shader read beyond its binding',
  },
  {
    kernels: ['matmul_subgroup'],
    operators: ['drop min'],
    at: /min\((row|column|k)\b/,
    after: /^\((row|column|k)( \+ [123]u)?\)$/,
    why: `${notStored}; what lies past the end of k is replaced by 0`,
  },
  {
    kernels: ['matmul_subgroup'],
    operators: ['drop term'],
    at: /(?<=params\.[mnk] )- [14]u/,
    why: `${notStored}; what lies past the end of k is replaced by 0`,
  },
  {
    kernels: ['matmul_subgroup'],
    operators: ['drop term'],
    at: /\+ params\.zero/,
    why: 'it is 0',
  },
  {
    kernels: ['max_pool2d'],
    operators: ['drop condition', 'drop factor'],
    at: /(&& !is|& !are)_nan\(largest\)/,
    after: /^$/,
    why: 'nothing is larger than a NaN on drivers that compare as IEEE 754 says; it is there for those that do not',
  },
  {
    kernels: ['col2im', 'max_pool2d_backward', 'avg_pool2d_backward'],
    operators: ['drop max', 'drop min'],
    at: /(max|min)\(end_[yx], params/,
    after: /^\(params/,
    why: 'more windows are looked at; those that do not hold the element add nothing',
  },
  { kernels: ['col2im'], operators: ['always enter'], at: /DILATED/, why: sameNumbers },
];
