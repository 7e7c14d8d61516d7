// Networks of convolutions, pools, linear layers and residual connections, written down once and made twice: as layers of
// ours, and in float64 on the host with the gradient of every parameter and a bound on what float32 may make of it.

import { nn } from '../../src/index.ts';
import type { Conv2dOptions, Layer, PoolOptions, Size } from '../../src/nn/index.ts';
import * as reference from '../../src/ops/reference.ts';
import type { Images, Pair, Windows } from '../../src/ops/windows.ts';

const { u } = reference;

/** A layer, in a word or with its arguments. */
export type Spec =
  | 'relu'
  | 'flatten'
  | {
      readonly conv: readonly [
        inChannels: number,
        outChannels: number,
        kernel: Size,
        options?: Conv2dOptions,
      ];
    }
  | { readonly maxPool: readonly [kernel: Size, options?: PoolOptions] }
  | { readonly avgPool: readonly [kernel: Size, options?: PoolOptions] }
  | { readonly linear: readonly [inFeatures: number, outFeatures: number] }
  | { readonly residual: readonly Spec[] };

/** Layers as the host sees them: their specs with their parameters. */
export interface HostLayer {
  readonly spec: Spec;
  readonly parameters: Readonly<Record<string, ArrayLike<number>>>;
  readonly inner: readonly HostLayer[];
}

function makeLayer(spec: Spec): { layer: Layer; host: HostLayer } {
  const of = (layer: Layer, inner: readonly HostLayer[] = []) => {
    const parameters = Object.fromEntries(layer.parameters.map(({ name, data }) => [name, data]));
    return { layer, host: { spec, parameters, inner } };
  };
  if (spec === 'relu') return of(nn.relu());
  if (spec === 'flatten') return of(nn.flatten());
  if ('conv' in spec) return of(nn.conv2d(spec.conv[0], spec.conv[1], spec.conv[2], spec.conv[3] ?? {}));
  if ('maxPool' in spec) return of(nn.maxPool2d(...spec.maxPool));
  if ('avgPool' in spec) return of(nn.avgPool2d(...spec.avgPool));
  if ('linear' in spec) return of(nn.linear(...spec.linear));
  const inner = spec.residual.map(makeLayer);
  return of(
    nn.residual(...inner.map(({ layer }) => layer)),
    inner.map(({ host }) => host),
  );
}

/** Layers in a row, drawn from the default generator. */
export function makeNetwork(specs: readonly Spec[]): { model: Layer; host: readonly HostLayer[] } {
  const made = specs.map(makeLayer);
  return { model: nn.sequential(...made.map(({ layer }) => layer)), host: made.map(({ host }) => host) };
}

/** Numbers, and the same sums with every factor's absolute value. */
interface Rows {
  readonly values: readonly number[];
  readonly magnitudes: readonly number[];
  /** Of a row: [features], or [channels, height, width] in PyTorch's order. */
  readonly shape: readonly number[];
}

/** A parameter's gradient by its key. */
type Gradients = [key: string, values: readonly number[], magnitudes: readonly number[]][];

interface Forward {
  readonly y: Rows;
  readonly back: (d: Rows) => Rows;
}

interface Run {
  readonly count: number;
  readonly gradients: Gradients;
  /** Roundings on the way, in units of u. */
  roundings: number;
  /** How near a value comes to where the gradient jumps. */
  kinkDistance: number;
}

const pair = (size: Size): Pair => (typeof size === 'number' ? [size, size] : size);
const absolute = (values: ArrayLike<number>) => Array.from(values, Math.abs);

function windowsOf([, height, width]: readonly number[], kernel: Size, options: Conv2dOptions): Windows {
  const [k, s, d] = [pair(kernel), pair(options.stride ?? 1), pair(options.dilation ?? 1)];
  const sides = [height, width] as const;
  if (options.padding === 'same') {
    const padding = k.map((n, i) => Math.floor((d[i as 0 | 1] * (n - 1)) / 2)) as [number, number];
    return { kernel: k, stride: s, dilation: d, padding, out: sides as Pair };
  }
  const p = pair(options.padding ?? 0);
  const out = sides.map((side, i) => {
    const axis = i as 0 | 1;
    return Math.floor(((side as number) + 2 * p[axis] - d[axis] * (k[axis] - 1) - 1) / s[axis]) + 1;
  });
  return { kernel: k, stride: s, dilation: d, padding: p, out: out as unknown as Pair };
}

/** y = x·Wᵀ + b of rows of x, and the way back; with absolute values too. */
function linearMap(
  run: Run,
  key: string,
  { weight = [], bias }: HostLayer['parameters'],
  x: Rows,
  rows: number,
): Forward {
  const inputs = x.values.length / rows;
  const outputs = weight.length / inputs;
  const map = (values: readonly number[], w: ArrayLike<number>, b: ArrayLike<number> | undefined) =>
    Array.from({ length: rows * outputs }, (_, c) => {
      const [r, o] = [Math.floor(c / outputs), c % outputs];
      let sum = b === undefined ? 0 : (b[o] as number);
      for (let i = 0; i < inputs; i++)
        sum += (values[r * inputs + i] as number) * (w[o * inputs + i] as number);
      return sum;
    });
  const byWeight = (d: readonly number[], values: readonly number[]) => {
    const sums: number[] = new Array(weight.length).fill(0);
    for (let r = 0; r < rows; r++)
      for (let o = 0; o < outputs; o++)
        for (let i = 0; i < inputs; i++)
          sums[o * inputs + i] =
            (sums[o * inputs + i] as number) +
            (d[r * outputs + o] as number) * (values[r * inputs + i] as number);
    return sums;
  };
  const byBias = (d: readonly number[]) => reference.columnSum(d, rows, outputs).map(({ value }) => value);
  const byInput = (d: readonly number[], w: ArrayLike<number>) =>
    Array.from({ length: rows * inputs }, (_, c) => {
      const [r, i] = [Math.floor(c / inputs), c % inputs];
      let sum = 0;
      for (let o = 0; o < outputs; o++) sum += (d[r * outputs + o] as number) * (w[o * inputs + i] as number);
      return sum;
    });
  run.roundings += 4 * (inputs + outputs + rows);
  const absoluteBias = bias === undefined ? undefined : absolute(bias);
  return {
    y: {
      values: map(x.values, weight, bias),
      magnitudes: map(x.magnitudes, absolute(weight), absoluteBias),
      shape: [outputs],
    },
    back(d) {
      if (bias !== undefined) run.gradients.unshift([`${key}bias`, byBias(d.values), byBias(d.magnitudes)]);
      run.gradients.unshift([
        `${key}weight`,
        byWeight(d.values, x.values),
        byWeight(d.magnitudes, x.magnitudes),
      ]);
      return {
        values: byInput(d.values, weight),
        magnitudes: byInput(d.magnitudes, absolute(weight)),
        shape: x.shape,
      };
    },
  };
}

const both = (x: Rows, shape: readonly number[], map: (values: readonly number[]) => number[]): Rows => ({
  values: map(x.values),
  magnitudes: map(x.magnitudes),
  shape,
});
const valuesOf = (bounded: readonly reference.Bounded[]) => bounded.map(({ value }) => value);

function forwardOne(run: Run, key: string, { spec, parameters, inner }: HostLayer, x: Rows): Forward {
  const { count } = run;
  const near = (distance: number) => {
    run.kinkDistance = Math.min(run.kinkDistance, distance);
  };
  if (spec === 'flatten') {
    return { y: { ...x, shape: [x.values.length / count] }, back: (d) => ({ ...d, shape: x.shape }) };
  }
  if (spec === 'relu') {
    for (const v of x.values) near(Math.abs(v));
    const positive = (values: readonly number[]) =>
      values.map((v, i) => ((x.values[i] as number) > 0 ? v : 0));
    return { y: both(x, x.shape, positive), back: (d) => both(d, x.shape, positive) };
  }
  if ('residual' in spec) {
    const { y: f, back } = forwardAll(run, key, inner, x);
    run.roundings += 8;
    const sum = (a: Rows, b: Rows): Rows => ({
      values: a.values.map((v, i) => v + (b.values[i] as number)),
      magnitudes: a.magnitudes.map((v, i) => v + (b.magnitudes[i] as number)),
      shape: a.shape,
    });
    return { y: sum(x, f), back: (d) => sum(d, back(d)) };
  }
  if ('linear' in spec) return linearMap(run, key, parameters, x, count);

  const [channels, height, width] = x.shape as readonly [number, number, number];
  const images: Images = { count, channels, height, width, channelsLast: false };
  if ('conv' in spec) {
    const [, outChannels, kernel, options = {}] = spec.conv;
    const windows = windowsOf(x.shape, kernel, options);
    const pixels = windows.out[0] * windows.out[1];
    const columns = both(x, [], (values) => reference.im2col(values, images, windows));
    const { y, back } = linearMap(run, key, parameters, columns, count * pixels);
    const shape = [outChannels, ...windows.out];
    return {
      y: both(y, shape, (values) => reference.transpose(values, pixels, outChannels)),
      back: (d) => {
        const rows = both(d, [], (values) => reference.transpose(values, outChannels, pixels));
        return both(back(rows), x.shape, (values) => valuesOf(reference.col2im(values, images, windows)));
      },
    };
  }
  const [kernel, options = {}] = 'maxPool' in spec ? spec.maxPool : spec.avgPool;
  const windows = windowsOf(x.shape, kernel, { stride: kernel, ...options });
  const shape = [channels, ...windows.out];
  run.roundings += 4 * windows.kernel[0] * windows.kernel[1];
  if ('avgPool' in spec) {
    return {
      y: both(x, shape, (values) => valuesOf(reference.avgPool2d(values, images, windows))),
      back: (d) =>
        both(d, x.shape, (values) => valuesOf(reference.avgPool2dBackward(values, images, windows))),
    };
  }
  const { y, index } = reference.maxPool2d(x.values, images, windows);
  // The second largest: what would be the largest without it. Of zeros, which a ReLU makes, any may be the first.
  const second = reference.maxPool2d(withoutWinners(x.values, index, images, windows), images, windows).y;
  y.forEach((v, i) => {
    if (v !== 0 || second[i] !== 0) near(v - (second[i] as number));
  });
  const pixels = height * width;
  const plane = (i: number) => Math.floor(i / (windows.out[0] * windows.out[1])) * pixels;
  const pick = (values: readonly number[]) => index.map((at, i) => values[plane(i) + at] as number);
  return {
    y: both(x, shape, pick),
    back: (d) =>
      both(d, x.shape, (values) => valuesOf(reference.maxPool2dBackward(values, index, images, windows))),
  };
}

/** Only right where windows do not overlap. */
function withoutWinners(
  values: readonly number[],
  index: readonly number[],
  { height, width }: Images,
  { out }: Windows,
): number[] {
  const rest = [...values];
  index.forEach((at, i) => {
    rest[Math.floor(i / (out[0] * out[1])) * height * width + at] = Number.NEGATIVE_INFINITY;
  });
  return rest;
}

function forwardAll(run: Run, key: string, layers: readonly HostLayer[], x: Rows): Forward {
  const backs: Forward['back'][] = [];
  let y = x;
  layers.forEach((layer, i) => {
    const made = forwardOne(run, `${key}${i}.`, layer, y);
    y = made.y;
    backs.push(made.back);
  });
  return { y, back: (d) => backs.reduceRight((gradient, back) => back(gradient), d) };
}

/** Loss and gradients of a network on `targets.length` rows of `shape`. */
export interface HostGradients {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, reference.Bounded[]>;
  /** Smallest distance to a kink of a ReLU, or to a tie in a max pool. */
  readonly kinkDistance: number;
}

/**
 * Forward, mean cross-entropy and backward. The bound of a gradient is γ·u times the same sums with every factor's absolute
 * value, where γ counts the roundings on the way: 4·K for each sum of K products, 128 for exp and log. A probability is off
 * by as much more as its logit is off.
 */
export function hostGradients(
  layers: readonly HostLayer[],
  x: readonly number[],
  shape: readonly number[],
  targets: readonly number[],
): HostGradients {
  const count = targets.length;
  const run: Run = {
    count,
    gradients: [],
    roundings: 128 + 4 * count,
    kinkDistance: Number.POSITIVE_INFINITY,
  };
  const { y, back } = forwardAll(run, '', layers, { values: x, magnitudes: absolute(x), shape });
  const classes = y.values.length / count;
  let loss = 0;
  const [d, magnitudes]: number[][] = [[], []];
  targets.forEach((target, r) => {
    const logits = y.values.slice(r * classes, (r + 1) * classes);
    const largest = Math.max(...logits);
    const total = logits.reduce((sum, v) => sum + Math.exp(v - largest), 0);
    const off = Math.max(...y.magnitudes.slice(r * classes, (r + 1) * classes));
    loss += (Math.log(total) + largest - (logits[target] as number)) / count;
    logits.forEach((v, j) => {
      const p = Math.exp(v - largest) / total;
      const hot = j === target ? 1 : 0;
      (d as number[]).push((p - hot) / count);
      (magnitudes as number[]).push((p * (1 + 2 * off) + hot) / count);
    });
  });
  back({ values: d as number[], magnitudes: magnitudes as number[], shape: y.shape });
  const gradients = new Map(
    run.gradients.map(([key, values, sizes]) => [
      key,
      values.map((value, i) => ({ value, bound: run.roundings * u * (sizes[i] as number) })),
    ]),
  );
  return { loss, gradients, kinkDistance: run.kinkDistance };
}

/** One layer alone: its output, and its gradients for a given one by the output. Bounds: as many roundings as its sums have. */
export function hostForward(
  layer: HostLayer,
  x: readonly number[],
  shape: readonly [count: number, ...row: number[]],
  dy: readonly number[],
): { y: reference.Bounded[]; dx: reference.Bounded[]; gradients: ReadonlyMap<string, reference.Bounded[]> } {
  const [count, ...row] = shape;
  const run: Run = { count, gradients: [], roundings: 16, kinkDistance: Number.POSITIVE_INFINITY };
  const { y, back } = forwardOne(run, '', layer, { values: x, magnitudes: absolute(x), shape: row });
  const d = back({ values: dy, magnitudes: absolute(dy), shape: y.shape });
  const bounded = (values: readonly number[], sizes: readonly number[]) =>
    values.map((value, i) => ({ value, bound: run.roundings * u * (sizes[i] as number) }));
  const gradients = run.gradients.map(([key, values, sizes]) => [key, bounded(values, sizes)] as const);
  return {
    y: bounded(y.values, y.magnitudes),
    dx: bounded(d.values, d.magnitudes),
    gradients: new Map(gradients),
  };
}
