// Line charts as SVG text: axes with round ticks, curves that are thinned to what can be seen, hover titles. Colours are
// Okabe and Ito's (https://jfly.uni-koeln.de/color/), which the colour-blind can tell apart. Pure functions.

import { cleaned } from './table.ts';

/** A point of a curve. */
export type Point = readonly [x: number, y: number];

/** A curve. */
export interface Series {
  readonly name: string;
  /** Which of the curves' styles it has. */
  readonly style: number;
  readonly points: readonly Point[];
  /** What `points` was smoothed from; drawn faint behind. */
  readonly raw?: readonly Point[];
  /** Marks each point. */
  readonly dots?: boolean;
}

/** A chart. */
export interface Chart {
  /** Names the chart among those of a page; a word. */
  readonly id: string;
  readonly title: string;
  readonly xLabel: string;
  /** The x axis begins at 0 where the curves begin near it. */
  readonly fromZero?: boolean;
  readonly series: readonly Series[];
  /** A value in words, for hover titles. */
  readonly yText: (value: number) => string;
  readonly yTick?: (value: number) => string;
}

/** Width and height of a chart, in its own units. */
export const chartSize = { width: 760, height: 340 } as const;
const plot = { left: 58, right: 744, top: 40, bottom: 292 } as const;

/** Black is the text's colour, so that it shows on a dark ground; yellow, the eighth, shows on no light one. */
const colors = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', 'currentColor'];
const dashes = ['', '7 4', '2 4', '12 4 2 4'];

/** The SVG attributes of a curve's style: seven colours, then these again with dashes. */
export function strokeOf(style: number): string {
  const dash = dashes[Math.floor(style / colors.length) % dashes.length];
  return `stroke="${colors[style % colors.length]}"${dash && ` stroke-dasharray="${dash}"`}`;
}

/** Text for markup, within an element or a quoted attribute. */
export function escaped(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return cleaned(text).replace(/[&<>"']/g, (character) => entities[character] as string);
}

/** Round numbers from `low` to `high`, 1, 2 or 5 times a power of ten apart: at most `most` of them, and `most / 3` if there can be. */
export function ticks(low: number, high: number, most = 6): number[] {
  const least = (high - low) / most;
  // Nearer to each other than the digits that are shown.
  if (!(least > 1e-11 * Math.max(Math.abs(low), Math.abs(high)))) return Number.isFinite(low) ? [low] : [];
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10, 20].map((round) => round * power).find((round) => round > least) as number;
  // Multiples, not sums, and rounded: 0.3 and not 0.30000000000000004. Adding 0 makes 0 of -0.
  const first = Math.floor(low / step);
  return Array.from({ length: most + 2 }, (_, i) => Number(((first + i) * step).toPrecision(12)) + 0).filter(
    (value) => value >= low && value <= high,
  );
}

/** How much of the moving average to keep for curves of up to so many points: none of the short ones. */
export const smoothing = (points: number) => Math.min(0.98, Math.max(0, 1 - 30 / points));

/** The exponential moving average of a curve, begun without a bias to 0 as TensorBoard does. */
export function smoothed(points: readonly Point[], weight: number): Point[] {
  let [average, share] = [0, 0];
  return points.map(([x, y]) => {
    average = weight * average + (1 - weight) * y;
    share = weight * share + (1 - weight);
    return [x, average / share];
  });
}

/** At most about 2 · `most` of the points: of each of `most` equal parts of the curve, the least and the greatest. */
export function thinned(points: readonly Point[], most: number): Point[] {
  if (points.length <= 2 * most) return [...points];
  const size = points.length / most;
  return Array.from({ length: most }, (_, i) => {
    const part = points.slice(Math.floor(i * size), Math.floor((i + 1) * size));
    const byHeight = part.toSorted((a, b) => a[1] - b[1]);
    return [byHeight[0], byHeight.at(-1)]
      .filter((point) => point !== undefined)
      .toSorted((a, b) => a[0] - b[0]);
  }).flat();
}

/** The range to show of values: all, unless a few lie far above the others. */
export function rangeOf(values: readonly number[]): { low: number; high: number; above: number } {
  const sorted = Float64Array.from(values).sort();
  const low = sorted[0] ?? 0;
  const max = sorted.at(-1) ?? 1;
  const most = sorted[Math.floor(0.95 * (sorted.length - 1))] ?? 1;
  const high = max - low > 4 * (most - low) && most > low ? most + (most - low) / 2 : max;
  const above = sorted.filter((value) => value > high).length;
  // A level curve lies in the middle.
  const margin = high > low ? 0.04 * (high - low) : Math.abs(low) * 0.1 || 1;
  return { low: low - margin, high: high + margin, above };
}

const finite = (points: readonly Point[]) => points.filter(([, y]) => Number.isFinite(y));
const round = (value: number) => String(Math.round(value * 10) / 10);
const digits = (value: number) => value.toLocaleString('en-US', { maximumSignificantDigits: 12 });

/** A number for an axis, where there is little room. */
const shortDigits = (value: number) =>
  value !== 0 && (Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3)
    ? value.toExponential().replace('+', '')
    : digits(value);

/** Whether values are better shown by their logarithms: all are positive, and the bulk of them far apart. */
function logarithmic(values: readonly number[]): boolean {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 1;
  return at(0) > 0 && at(0.95) > 30 * at(0.05);
}

/** Round numbers from `low` to `high` for a logarithmic axis: powers of ten, with 2 and 5 times these where there are few. */
export function logTicks(low: number, high: number, most = 8): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.ceil((to - from) / most);
  const powers = Array.from({ length: to - from + 1 }, (_, i) => from + i).filter(
    (power) => power % every === 0,
  );
  const within = (factors: readonly number[]) =>
    powers
      .flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
      .filter((value) => value >= low && value <= high);
  const dense = within([1, 2, 5]);
  return dense.length <= most ? dense : within([1]);
}

/** Where the x axis begins and ends. */
function xRange({ fromZero = false }: Chart, xs: readonly number[]): readonly [number, number] {
  const first = xs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const last = xs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (fromZero && first < last / 10) return [0, last];
  return first < last ? [first, last] : [first - 1, first + 1];
}

/** How a chart's numbers become places. */
function scales(chart: Chart, series: readonly Series[]) {
  const all = series.flatMap(({ points, raw = [] }) => [...points, ...raw]);
  const [from, to] = xRange(
    chart,
    all.map(([x]) => x),
  );
  const ys = all.map(([, y]) => y);
  const log = logarithmic(ys);
  const height = log ? Math.log10 : (y: number) => y;
  const { low, high, above } = rangeOf(ys.map(height));
  return {
    atX: (value: number) => plot.left + ((value - from) / (to - from)) * (plot.right - plot.left),
    atY: (value: number) => plot.bottom - ((height(value) - low) / (high - low)) * (plot.bottom - plot.top),
    xTicks: ticks(from, to, 8).filter(Number.isInteger),
    yTicks: log ? logTicks(10 ** low, 10 ** high) : ticks(low, high),
    yTick: chart.yTick ?? shortDigits,
    remarks: [...(log ? ['logarithmic'] : []), ...(above > 0 ? [`${digits(above)} points lie above`] : [])],
  };
}

type Scales = ReturnType<typeof scales>;

function pathOf(points: readonly Point[], { atX, atY }: Scales): string {
  const [start, ...rest] = points.map(([x, y]) => `${round(atX(x))} ${round(atY(y))}`);
  // A curve of one point is a dot.
  return `M${start}${rest.length === 0 ? 'h0' : `L${rest.join(' ')}`}`;
}

const title = (text: string) => `<title>${escaped(text)}</title>`;
/** Points of a curve that say their value when pointed at. */
const mostHovers = 60;

const colorOf = (style: number) => colors[style % colors.length];
/** Parts of a curve of which the least and the greatest are drawn. */
const mostParts = 400;

/** What a curve was smoothed from. */
function rawCurve({ style, raw }: Series, scale: Scales): string {
  if (raw === undefined) return '';
  return `<path class="raw" stroke="${colorOf(style)}" d="${pathOf(thinned(raw, mostParts), scale)}"/>\n`;
}

function curve({ name, style, points, dots = false }: Series, chart: Chart, scale: Scales): string {
  const every = Math.ceil(points.length / mostHovers);
  const hovers = points
    .filter((_, i) => dots || i % every === 0 || i === points.length - 1)
    .map(([x, y]) => {
      const text = `${name}: ${chart.yText(y)} at ${chart.xLabel} ${digits(x)}`;
      const at = `cx="${round(scale.atX(x))}" cy="${round(scale.atY(y))}" r="${dots ? 3 : 5}"`;
      return `<circle class="${dots ? 'dot' : 'hover'}" ${at} fill="${colorOf(style)}">${title(text)}</circle>`;
    });
  const path = pathOf(thinned(points, mostParts), scale);
  return `<path class="line" ${strokeOf(style)} d="${path}">${title(name)}</path>\n${hovers.join('')}\n`;
}

/** Rules that the charts' elements go by; for a <style>. */
export const chartStyle = `text { font: 12px system-ui, sans-serif; fill: currentColor; }
.title { font-weight: 600; font-size: 14px; }
.grid { stroke: currentColor; stroke-opacity: 0.15; }
.line, .raw { fill: none; stroke-linejoin: round; stroke-linecap: round; }
.line { stroke-width: 2; }
.raw { stroke-width: 1; stroke-opacity: 0.35; }
.hover { opacity: 0; }
.hover:hover { opacity: 1; }`;

/** What is within a chart's <svg>; undefined when there is nothing to show. */
export function chartBody(chart: Chart): string | undefined {
  const series = chart.series
    .map((one) => ({ ...one, points: finite(one.points), ...(one.raw && { raw: finite(one.raw) }) }))
    .filter(({ points }) => points.length > 0);
  if (series.length === 0) return undefined;
  const scale = scales(chart, series);
  const { left, right, top, bottom } = plot;
  const middle = (left + right) / 2;
  const xAxis = scale.xTicks.map((value, i) => {
    const x = round(scale.atX(value));
    const minor = i % 2 === 1 && scale.xTicks.length > 5 ? ' class="minor"' : '';
    return `<text${minor} x="${x}" y="${bottom + 18}" text-anchor="middle">${digits(value)}</text>`;
  });
  const yAxis = scale.yTicks.map((value) => {
    const y = scale.atY(value);
    const line = `<path class="grid" d="M${left} ${round(y)}H${right}"/>`;
    return `${line}<text x="${left - 8}" y="${round(y + 4)}" text-anchor="end">${escaped(scale.yTick(value))}</text>`;
  });
  const remarks = scale.remarks.length === 0 ? '' : ` (${scale.remarks.join('; ')})`;
  return `<clipPath id="${chart.id}"><rect x="${left - 6}" y="${top - 6}" width="${right - left + 12}" height="${bottom - top + 12}"/></clipPath>
<text class="title" x="${left}" y="20">${escaped(chart.title + remarks)}</text>
${[...yAxis, ...xAxis].join('\n')}
<text x="${middle}" y="${bottom + 40}" text-anchor="middle">${escaped(chart.xLabel)}</text>
<g clip-path="url(#${chart.id})">
${series.map((one) => rawCurve(one, scale)).join('')}${series.map((one) => curve(one, chart, scale)).join('')}</g>`;
}
