// `heddle runs`: a list of the runs in folders, and on demand a report of them: a page, or the loss curves as a picture.

import { existsSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import type { Command } from 'commander';
import * as v from 'valibot';
import { HeddleError } from '../errors.ts';
import { parseOptions } from './options.ts';
import { lossPicture } from './report-charts.ts';
import { reportPage } from './report-page.ts';
import { writeWhole } from './run-folder.ts';
import { listRuns } from './run-list.ts';
import { lockOwner } from './run-lock.ts';
import { type ListedRun, sortings, sortRuns } from './run-summary.ts';
import { runsText } from './runs-text.ts';
import type { Session } from './session.ts';
import { cleaned } from './table.ts';
import { oneOf } from './values.ts';

const examples = `
Lists runs, newest first: how they stand, in which options they differ, and what came of them. FOLDER is a run or has
runs below it. accuracy is the best one on the test set, with its epoch; the losses are the last ones.

Examples:
  heddle runs
  heddle runs runs/lr-sweep --sort accuracy
  heddle runs --report report.html                  a page with the curves; report.svg: the loss curves alone
  heddle runs --json | jq 'select(.best.accuracy > 0.9).path'`;

const runsOptions = v.object({
  sort: oneOf(...sortings),
  report: v.exactOptional(v.pipe(v.string(), v.regex(/\.(html|svg)$/i, 'a file ending in .html or .svg'))),
  json: v.optional(v.boolean(), false),
});

/** Where runs are looked for when no folder is named. */
const parent = 'runs';

/** Adds the command to the program. */
export function registerRuns(program: Command, session: Session): void {
  program
    .command('runs')
    .description('List runs, and compare them.')
    .argument('[folders...]', 'runs, or folders that have runs below them (default: "runs")')
    .option('--sort <by>', `${sortings.join(', ')}`, 'date')
    .option('--report <file>', 'write a page (.html), or the loss curves alone (.svg)')
    .option('--json', 'one JSON object for each run, nothing else')
    .addHelpText('after', examples)
    .action((folders: string[], raw: Record<string, unknown>) => {
      session.exitCode = showRuns(folders, parseOptions(runsOptions, raw));
    });
}

function refuseMissing(folder: string): void {
  const found = !existsSync(folder)
    ? 'does not exist'
    : statSync(folder).isDirectory()
      ? undefined
      : 'is a file';
  if (found !== undefined)
    throw new HeddleError('usage', `${folder} ${found}; expected a run, or a folder that has runs below it`);
}

function report(runs: readonly ListedRun[], file: string): string {
  if (extname(file).toLowerCase() === '.svg') return lossPicture(runs);
  return reportPage(runs, new Date());
}

function showRuns(folders: readonly string[], options: v.InferOutput<typeof runsOptions>): number {
  for (const folder of folders) refuseMissing(folder);
  const places = folders.length > 0 ? folders : [parent];
  const { runs: found, notices } =
    folders.length > 0 || existsSync(parent) ? listRuns(places, (run) => lockOwner(run) !== undefined) : none;
  for (const notice of notices) process.stderr.write(`${cleaned(notice)}\n`);
  const runs = sortRuns(found, options.sort);
  if (runs.length === 0) {
    const where = `no run in ${places.join(', ')}`;
    if (options.report !== undefined)
      throw new HeddleError('usage', `--report ${options.report}: ${where}, expected one to report`);
    process.stderr.write(`${where}; heddle train begins one\n`);
  }
  const { stdout } = process;
  if (options.json) {
    for (const { log: _, ...run } of runs) stdout.write(`${JSON.stringify({ type: 'summary', ...run })}\n`);
  } else stdout.write(runsText(runs, stdout.isTTY ? stdout.columns || 80 : undefined));
  if (options.report !== undefined) {
    writeWhole(options.report, new TextEncoder().encode(report(runs, options.report)));
    process.stderr.write(`wrote ${options.report}\n`);
  }
  return 0;
}

const none = { runs: [], notices: [] };
