// `heddle tune`: measures the kernel variants on this adapter and keeps the fastest for the commands that train.

import type { Command } from 'commander';
import { nn, openDevice, optim, type TuneEvent, tuneModel } from '../index.ts';
import { buildModel, modelText, refuseTooLarge } from '../recipes/model.ts';
import { adapterFacts } from '../recipes/record.ts';
import { timeText } from './bench-text.ts';
import { declare, parseOptions, type TuneOptions, tuneOptions } from './options.ts';
import type { Session } from './session.ts';
import { adapterText } from './sinks.ts';
import { table } from './table.ts';
import { forgetTuning, prepareDevice, rememberTuning } from './tuning.ts';

const examples = `
Times every variant of the matrix products that a step needs, in turn, by the GPU's own timestamps, and checks the one
that wins. The choices are kept in your cache by adapter, driver and version; train, eval, bench and plan use them, and a
run's run.json lists those it used: \`heddle train --kernels RUN\` uses them again.

Examples:
  heddle tune
  heddle tune --batch-size 256 --hidden 1024,1024
  heddle tune --forget`;

/** FashionMNIST's rows; tuning needs no data. */
const input = { shape: [1, 28, 28], dtype: 'u8' } as const;
const classes = 10;

/** Adds the command to the program. */
export function registerTune(program: Command, session: Session): void {
  const command = program
    .command('tune')
    .description('Measure kernel variants on this adapter and keep the fastest.')
    .addHelpText('after', examples)
    .action(async (raw: Record<string, unknown>) => {
      session.exitCode = await tune(parseOptions(tuneOptions, raw));
    });
  declare(command, ['model', 'batchSize', 'hidden', 'plain', 'adapter', 'budget', 'forget', 'json']);
}

/** What was found, a line per product: the variant used so far, the one to use, and what that gains. */
export function tuneText(events: readonly TuneEvent[]): string {
  const rows = events.map(({ problem, candidates, skipped, best }) => {
    const [before] = candidates;
    const after = candidates.find(({ variant }) => variant === best) ?? before;
    const gain = 100 * (1 - (after?.seconds ?? 0) / (before?.seconds ?? 1));
    const left = skipped.length === 0 ? '' : `${skipped.length} not tried`;
    const kept = before?.variant === best;
    return [
      problem,
      before?.variant ?? '',
      timeText(before?.seconds ?? 0),
      kept ? 'stays' : best,
      kept ? '' : timeText(after?.seconds ?? 0),
      kept ? '' : `${gain.toFixed(0)} %`,
      left,
    ];
  });
  const header = ['product m×n×k', 'so far', 'time', 'best', 'time', 'gain', ''];
  return table([header, ...rows], { align: 'llrlrrl' });
}

async function tune(options: TuneOptions): Promise<number> {
  const { adapter, model, hidden, batchSize, budget, json } = options;
  const opened = await openDevice({ exactTimestamps: true, ...(adapter === undefined ? {} : { adapter }) });
  const { stdout, stderr } = process;
  try {
    if (options.forget) {
      const path = forgetTuning(opened);
      stdout.write(json ? `${JSON.stringify({ type: 'forgotten', file: path })}\n` : `forgotten: ${path}\n`);
      return 0;
    }
    const { device, choice, notice } = prepareDevice(opened, options);
    const shape = { model, input: input.shape, hidden, classes };
    refuseTooLarge(shape, device.limits.maxStorageBufferBindingSize);
    stderr.write(`${notice}tuning ${modelText(shape)}, batch ${batchSize}, on ${adapterText(device.info)}\n`);
    const events: TuneEvent[] = [];
    let path = '';
    for await (const event of tuneModel(device, {
      model: buildModel(shape),
      loss: nn.crossEntropyLoss(),
      optimizer: optim.sgd({ lr: 1e-3 }),
      batchSize,
      plain: choice.plain,
      input,
      budget,
    })) {
      events.push(event);
      path = rememberTuning(device, new Map([[event.problem, event.best]])); // Ctrl-C keeps what is known
      stderr.write(`${event.problem}: ${event.candidates.length} variants, best ${event.best}\n`);
      if (json) stdout.write(`${JSON.stringify(event)}\n`);
    }
    if (json) {
      const facts = { type: 'tuned', adapter: adapterFacts(device.info), file: path };
      stdout.write(`${JSON.stringify(facts)}\n`);
    } else {
      stdout.write(`${tuneText(events)}\nkept in ${path}\n`);
    }
    return 0;
  } finally {
    opened.destroy();
  }
}
