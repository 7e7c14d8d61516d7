// The axes of a sweep: `lr=1e-3,1e-2`, `hidden=128;512,512`, `lr=log:1e-4..1e-1`, and the configurations that they span.
// Pure: knows no option of `heddle train` and runs nothing.

import { createGenerator, type Generator, HeddleError } from '../index.ts';

/** Numbers from which a random search draws; both ends are included. */
export interface Range {
  readonly from: number;
  readonly to: number;
  /** Whether the numbers' logarithms are spread evenly, not the numbers. */
  readonly log: boolean;
  readonly whole: boolean;
}

/** An option of `heddle train`, its name without dashes, and the texts or numbers that it takes. */
export interface Axis {
  readonly name: string;
  readonly values: readonly string[] | Range;
}

/** The text that each axis has, by its name. */
export type Configuration = Readonly<Record<string, string>>;

/** More configurations than this are a slip of the pen. */
export const mostConfigurations = 10_000;

const number = String.raw`(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const range = new RegExp(`^(log:)?(int:)?(${number})\\.\\.(${number})$`, 'i');

const isRange = (values: Axis['values']): values is Range => !Array.isArray(values);

function refusal(text: string, expected: string): HeddleError {
  return new HeddleError('usage', `--grid: found '${text}', expected ${expected}`);
}

function parseRange(text: string, [, log, int, low, high]: readonly (string | undefined)[]): Range {
  const [from, to, whole] = [Number(low), Number(high), int !== undefined];
  if (!(from < to && Number.isFinite(to))) throw refusal(text, 'a range from a lower to a higher number');
  if (log !== undefined && from === 0) throw refusal(text, 'a logarithmic range from above 0');
  if (whole && !(Number.isSafeInteger(from) && Number.isSafeInteger(to)))
    throw refusal(text, 'whole numbers at both ends of int:');
  return { from, to, log: log !== undefined, whole };
}

/**
 * NAME=VALUES. Values are separated by `;` where there is one (at the end too, of a single value that has commas), otherwise
 * by `,`. Or they are a range: `0..0.95`, `int:64..512`, `log:1e-4..1e-1`, `log:int:8..1024`. Throws `usage`.
 */
export function parseAxis(text: string): Axis {
  const [name = '', values] = text.split(/=(.*)/s);
  if (!/^[a-z][a-z-]*$/.test(name) || values === undefined || values === '')
    throw refusal(text, 'NAME=VALUES, such as lr=1e-3,1e-2 or hidden=128;512,512');
  const limits = range.exec(values);
  if (limits !== null) return { name, values: parseRange(text, limits) };
  const list = values.includes(';') ? values.replace(/;$/, '').split(';') : values.split(',');
  if (list.includes('')) throw refusal(text, 'no empty value');
  const twice = list.find((value, i) => list.indexOf(value) < i);
  if (twice !== undefined) throw refusal(text, `'${twice}' only once`);
  return { name, values: list };
}

/** The axes, each name once. Throws `usage`. */
export function parseAxes(texts: readonly string[]): Axis[] {
  const axes = texts.map(parseAxis);
  const twice = axes.find(({ name }, i) => axes.findIndex((axis) => axis.name === name) < i);
  if (twice !== undefined)
    throw new HeddleError('usage', `--grid: found ${twice.name} twice, expected one axis of that name`);
  return axes;
}

/** All configurations; the last axis changes fastest. Throws `usage` for ranges, and for too many. */
export function gridOf(axes: readonly Axis[]): Configuration[] {
  let grid: Configuration[] = [{}];
  for (const { name, values } of axes) {
    if (isRange(values))
      throw new HeddleError(
        'usage',
        `--grid: found a range for ${name}, expected its values one by one; ranges are drawn from with --random N`,
      );
    if (grid.length * values.length > mostConfigurations)
      throw new HeddleError(
        'usage',
        `--grid: found more than ${mostConfigurations} configurations, expected fewer; --random N tries N of them`,
      );
    grid = grid.flatMap((begun) => values.map((value) => ({ ...begun, [name]: value })));
  }
  return grid;
}

function draw(values: Axis['values'], generator: Generator): string {
  const u = generator.random32() / 2 ** 32; // of [0, 1)
  if (!isRange(values)) return values[Math.floor(u * values.length)] as string;
  const { from, to, log, whole } = values;
  const end = whole ? to + 1 : to; // as wide a share for the last whole number as for the others
  const x = log ? from * (end / from) ** u : from + u * (end - from);
  // Four digits: a configuration can be typed by hand.
  const short = whole ? Math.floor(x) : Number(x.toPrecision(4));
  return String(Math.min(to, Math.max(from, short)));
}

/** How many configurations there are at most. */
function sizeOf(axes: readonly Axis[]): number {
  const sizes = axes.map(({ values }) => {
    if (!isRange(values)) return values.length;
    return values.whole ? values.to - values.from + 1 : Number.POSITIVE_INFINITY;
  });
  return sizes.reduce((product, size) => product * size, 1);
}

function tooFew(count: number, most: number): HeddleError {
  return new HeddleError(
    'usage',
    `--random: found ${count}, expected at most ${most}: the axes have no more different configurations`,
  );
}

/**
 * `count` configurations that differ, drawn at random: the same for the same seed, and the first of them the same for any
 * count. Throws `usage` when there are not so many.
 */
export function drawFrom(axes: readonly Axis[], count: number, seed: number): Configuration[] {
  if (sizeOf(axes) < count) throw tooFew(count, sizeOf(axes));
  const generator = createGenerator(seed);
  const found = new Map<string, Configuration>();
  // Enough for the last of `count` to turn up, were there no more: on average that takes count · ln(count) draws.
  for (let draws = 0; found.size < count && draws < 1000 * count; draws++) {
    const configuration = Object.fromEntries(axes.map(({ name, values }) => [name, draw(values, generator)]));
    const key = JSON.stringify(configuration);
    if (!found.has(key)) found.set(key, configuration);
  }
  if (found.size < count) throw tooFew(count, found.size); // a range so narrow that four digits are few
  return [...found.values()];
}
