// The charts of a report on runs, and the loss curves as a picture of its own. Pure functions.

import {
  type Chart,
  chartBody,
  chartSize,
  chartStyle,
  escaped,
  type Series,
  smoothed,
  smoothing,
  strokeOf,
} from './chart.ts';
import type { ListedRun } from './run-summary.ts';
import { shortNumber } from './runs-text.ts';
import { cut } from './table.ts';

const percent = (value: number) => `${(100 * value).toFixed(2)} %`;

function lossChart(runs: readonly ListedRun[]): Chart {
  const curves = runs.map(({ log }) =>
    log.steps.map(({ step, loss }) => [step, loss] as const).filter(([, loss]) => Number.isFinite(loss)),
  );
  const weight = smoothing(Math.max(...curves.map(({ length }) => length))); // of all, so that they can be compared
  const series = runs.map(({ name }, style): Series => {
    const raw = curves[style] ?? [];
    return { name, style, points: smoothed(raw, weight), raw };
  });
  return { id: 'loss', title: 'training loss', xLabel: 'step', fromZero: true, series, yText: shortNumber };
}

/** The charts of a report: training loss over steps, accuracy and loss of each epoch's validation. */
export function reportCharts(runs: readonly ListedRun[]): Chart[] {
  const validation = (value: 'accuracy' | 'loss') =>
    runs.map(({ name, log }, style): Series => {
      const points = log.epochs.map(
        ({ epoch, validation }) => [epoch, validation?.[value] ?? Number.NaN] as const,
      );
      return { name, style, points, dots: true };
    });
  return [
    lossChart(runs),
    {
      ...{ id: 'accuracy', title: 'test accuracy', xLabel: 'epoch', series: validation('accuracy') },
      ...{ yText: percent, yTick: (value) => `${Number((100 * value).toPrecision(10))} %` },
    },
    { id: 'test-loss', title: 'test loss', xLabel: 'epoch', series: validation('loss'), yText: shortNumber },
  ];
}

const legendLine = 22;
/** About the width of a letter, and the most letters of a name. */
const letter = 7;
const mostLetters = 60;

/** A legend in lines, as wide as a chart. */
function legend(runs: readonly ListedRun[], top: number): { body: string; height: number } {
  let [x, y] = [58, top];
  const items = runs.map(({ name }, style) => {
    const width = 36 + letter * Math.min(name.length, mostLetters);
    if (x > 58 && x + width > chartSize.width) [x, y] = [58, y + legendLine];
    const line = `<path class="line" ${strokeOf(style)} d="M${x} ${y - 4}h22"/>`;
    const text = `<text x="${x + 28}" y="${y}">${escaped(cut(name, mostLetters))}</text>`;
    x += width + 12;
    return line + text;
  });
  return { body: items.join('\n'), height: y - top + legendLine };
}

/** The loss curves of runs as an SVG file, with a legend. */
export function lossPicture(runs: readonly ListedRun[]): string {
  const { width, height } = chartSize;
  const nothing = `<text x="58" y="20">No run has logged a step yet.</text>`;
  const key = legend(runs, height + 14);
  const whole = height + key.height;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${whole}" width="${width}" height="${whole}" color="#1b1b1b">
<title>Training loss</title>
<style>
svg { background: #fff; }
@media (prefers-color-scheme: dark) { svg { background: #16181c; color: #e8e8e8; } }
${chartStyle}
</style>
${chartBody(lossChart(runs)) ?? nothing}
${key.body}
</svg>
`;
}
