// A report on runs as one HTML page that needs nothing else: no scripts, nothing from elsewhere. Also well-formed XML. A
// pure function.

import { chartBody, chartSize, chartStyle, escaped, strokeOf } from './chart.ts';
import { reportCharts } from './report-charts.ts';
import { compareOptions, sameText } from './run-options.ts';
import type { ListedRun } from './run-summary.ts';
import { dateText, runColumns } from './runs-text.ts';

const style = `:root { color-scheme: light dark; --ground: #fff; --text: #1b1b1b; --soft: #5d6066; --rule: #d9dbe0; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #16181c; --text: #e8e8e8; --soft: #a3a7ae; --rule: #363a42; }
}
body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 22px; margin: 0; }
p { margin: 4px 0 16px; color: var(--soft); }
figure { margin: 0 0 20px; }
svg { display: block; width: 100%; height: auto; }
.key { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 0 0 16px; padding: 0; }
.key li { overflow-wrap: anywhere; }
.swatch { display: inline-block; width: 24px; height: 10px; vertical-align: middle; margin-right: 6px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; width: 100%; }
th, td { padding: 4px 8px; border-bottom: 1px solid var(--rule); text-align: left; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 10em; }
.r { text-align: right; }
.best { font-weight: 700; }
.why { color: var(--soft); font-size: 12px; white-space: normal; }
${chartStyle}
@media (max-width: 560px) {
  svg text { font-size: 19px; }
  svg .title { font-size: 21px; }
  svg .minor { display: none; }
  svg .line { stroke-width: 3; }
}
@media print {
  :root { --ground: #fff; --text: #000; --soft: #444; --rule: #bbb; color-scheme: light; }
  main { max-width: none; padding: 0; }
  figure, tr { break-inside: avoid; }
  .wide { overflow: visible; }
  table, .why { font-size: 9px; }
  th, td { padding: 2px 4px; white-space: normal; }
}`;

const swatch = (i: number) =>
  `<svg class="swatch" viewBox="0 0 24 10" aria-hidden="true"><path class="line" ${strokeOf(i)} d="M1 5h22"/></svg>`;

/** The least of a number that runs have, where it is worth marking. */
function leastOf(
  runs: readonly ListedRun[],
  value: (run: ListedRun) => number | undefined,
): number | undefined {
  const found = runs.map(value).filter((one) => one !== undefined && Number.isFinite(one));
  return found.length > 1 ? Math.min(...(found as number[])) : undefined;
}

/** What is marked as the best of its column, by heading. */
const contests: Readonly<Record<string, (run: ListedRun) => number | undefined>> = {
  accuracy: ({ best }) => best && -best.accuracy,
  'train loss': ({ trainLoss }) => trainLoss,
  'test loss': ({ validationLoss }) => validationLoss,
};

function runTable(runs: readonly ListedRun[], different: readonly string[]): string {
  const columns = runColumns(different).map((column) => {
    const value = contests[column.heading];
    return { ...column, value, least: value && leastOf(runs, value) };
  });
  const open = (tag: string, align: 'l' | 'r', best = false) => {
    const classes = [...(align === 'r' ? ['r'] : []), ...(best ? ['best'] : [])];
    return `<${tag}${classes.length > 0 ? ` class="${classes.join(' ')}"` : ''}>`;
  };
  const head = columns.map(({ heading, align }) => `${open('th', align)}${escaped(heading)}</th>`);
  const rows = runs.map((run, i) => {
    const cells = columns.map(({ text, align, value, least }, column) => {
      const best = least !== undefined && value?.(run) === least;
      const why =
        column === 0 && run.error !== undefined ? `<div class="why">${escaped(run.error)}</div>` : '';
      return `${open('td', align, best)}${column === 0 ? swatch(i) : ''}${escaped(text(run))}${why}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<table>
<thead><tr>${head.join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>`;
}

/** The page, of runs in the order in which they are to appear. */
export function reportPage(runs: readonly ListedRun[], now: Date): string {
  const { same, different } = compareOptions(runs);
  const adapters = [...new Set(runs.map(({ adapter }) => adapter).filter((name) => name !== undefined))];
  const facts = [...same.map(sameText), ...(adapters.length > 0 ? [`on ${adapters.join(' and ')}`] : [])];
  const heading = runs.length === 1 ? (runs[0]?.name ?? '') : `${runs.length} runs`;
  const figures = reportCharts(runs).flatMap((chart) => {
    const body = chartBody(chart);
    if (body === undefined) return [];
    const view = `viewBox="0 0 ${chartSize.width} ${chartSize.height}"`;
    return [
      `<figure><svg ${view} role="img" aria-label="${escaped(chart.title)}">\n${body}\n</svg></figure>`,
    ];
  });
  const key = runs.map(({ name }, i) => `<li>${swatch(i)}${escaped(name)}</li>`);
  return `<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<title>${escaped(heading)} · Heddle</title>
<style>
${style}
</style>
</head>
<body>
<main>
<h1>${escaped(heading)}</h1>
<p>${escaped(facts.join(', '))}</p>
<ul class="key">
${key.join('\n')}
</ul>
${figures.length === 0 ? '<p>No run has logged a step yet.</p>' : figures.join('\n')}
<p>Training loss: each logged step faint, its moving average in front. Test accuracy and loss: after each epoch.</p>
<div class="wide">
${runTable(runs, different)}
</div>
<p>Made by heddle runs on ${dateText({ started: now.toISOString() })}.</p>
</main>
</body>
</html>
`;
}
