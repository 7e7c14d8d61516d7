// How long a user waits for the first step: processes of their own, from their start to the loss of the step, with an
// empty and with a filled cache of compiled shaders.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { HeddleError } from '../index.ts';
import { endlessLoader, openTrainer, openWorkshop } from './bench-job.ts';
import { type Spread, spreadOf } from './bench-result.ts';
import type { BenchOptions } from './options.ts';

const answer = v.object({ type: v.literal('first-step'), seconds: v.number() });

/** What such a process does: one step, and a line that says when its loss was there. */
export async function firstStep(options: BenchOptions): Promise<void> {
  const workshop = await openWorkshop(options, true);
  try {
    const trainer = await openTrainer(workshop, options);
    for (const batch of endlessLoader(workshop.train, options.batchSize, 1).epoch(0)) trainer.step(batch);
    await trainer.loss();
    const seconds = performance.now() / 1000; // since the process began
    process.stdout.write(`${JSON.stringify({ type: 'first-step', seconds })}\n`);
    trainer.destroy();
  } finally {
    workshop.destroy();
  }
}

/** The arguments that make another process do the same job. */
export function jobArguments({
  model,
  dataset,
  data,
  batchSize,
  hidden,
  plain,
  adapter,
  kernels,
}: BenchOptions): readonly string[] {
  return [
    ...[
      '--model',
      model,
      '--dataset',
      dataset,
      '--batch-size',
      String(batchSize),
      '--hidden',
      hidden.join(','),
    ],
    ...(data === undefined ? [] : ['--data', data]),
    ...(adapter === undefined ? [] : ['--adapter', adapter]),
    ...(kernels === undefined ? [] : ['--kernels', kernels]),
    ...(plain ? ['--plain'] : []),
  ];
}

function runChild(options: BenchOptions, cache: string): Promise<number> {
  const [node, script = ''] = process.argv;
  const args = [...process.execArgv, script, 'bench', '--first-step', ...jobArguments(options)];
  const child = spawn(node ?? process.execPath, args, {
    // Where Mesa's drivers and NVIDIA's keep what they compiled.
    env: { ...process.env, MESA_SHADER_CACHE_DIR: cache, __GL_SHADER_DISK_CACHE_PATH: cache },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      try {
        resolve(v.parse(answer, JSON.parse(stdout)).seconds);
      } catch (cause) {
        const last = stderr.trimEnd().split('\n').at(-1) || 'it said nothing';
        const what = `the process that measures the first step ended with ${code} and no time: ${last}`;
        reject(new HeddleError('gpu', what, { cause }));
      }
    });
  });
}

/** Times to the first step, cold and warm in turn. */
export async function measureFirstStep(
  options: BenchOptions,
  pairs: number,
): Promise<{ cold: Spread; warm: Spread }> {
  const [cold, warm]: [number[], number[]] = [[], []];
  for (let i = 0; i < pairs; i++) {
    const cache = mkdtempSync(join(tmpdir(), 'heddle-bench-'));
    const remove = () => rmSync(cache, { recursive: true, force: true });
    process.once('exit', remove); // Ctrl-C ends the process right here
    try {
      cold.push(await runChild(options, cache));
      warm.push(await runChild(options, cache));
    } finally {
      process.off('exit', remove);
      remove();
    }
  }
  return { cold: spreadOf(cold), warm: spreadOf(warm) };
}
