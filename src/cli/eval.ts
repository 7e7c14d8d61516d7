// `heddle eval RUN`: how good a run's weights are on the test set, class by class.

import type { Command } from 'commander';
import { classScores, dataLoader } from '../index.ts';
import { count } from '../recipes/units.ts';
import { evaluationText } from './format-evaluation.ts';
import { loadSplit, mayDownload, syntheticNotice } from './load-data.ts';
import { openMachine } from './machine.ts';
import { declare, type EvalOptions, evalOptions, parseOptions } from './options.ts';
import { loadRunModel } from './run-model.ts';
import { readRunRecord, readRunWeights } from './run-record.ts';
import type { Session } from './session.ts';
import { adapterText } from './sinks.ts';

const examples = `
Prints accuracy, average loss, precision, recall and F1 of each class, and the confusion matrix.

Examples:
  heddle eval runs/2026-11-23T22-10-05-mlp
  heddle eval runs/mine --json | jq .accuracy`;

/** Adds the command to the program. */
export function registerEval(program: Command, session: Session): void {
  const command = program
    .command('eval')
    .description('Evaluate a run’s weights on the test set.')
    .argument('<run>', 'the run’s folder, e.g. runs/2026-11-23T22-10-05-mlp')
    .addHelpText('after', examples)
    .action(async (run: string, raw: Record<string, unknown>) => {
      session.exitCode = await evaluate(run, parseOptions(evalOptions, raw));
    });
  declare(command, ['dataset', 'data', 'weights', 'adapter', 'json', 'plain'], ['dataset']);
}

async function evaluate(run: string, options: EvalOptions): Promise<number> {
  const record = readRunRecord(run);
  const { weights: which = 'last' } = options;
  const weights = readRunWeights(run, which);
  const { batchSize, hidden, model } = record.options;
  const source = { ...options, dataset: options.dataset ?? record.options.dataset };
  const early = mayDownload(source) ? undefined : await loadSplit('test', source);
  const machine = await openMachine(options);
  try {
    const { device, notice } = machine;
    const test = early ?? (await loadSplit('test', source));
    const shape = {
      model,
      input: test.inputShape,
      hidden,
      classes: test.classes.length,
    };
    process.stderr.write(
      `${adapterText(device.info)} · ${test.name}: ${count(test.length)} images · the ${which} weights\n${notice}`,
    );
    const dtype = test.inputs instanceof Uint8Array ? 'u8' : 'f32';
    const trainer = await loadRunModel(machine, { shape, weights, batchSize, dtype });
    try {
      const evaluation = await trainer.evaluate(dataLoader(test, { batchSize }));
      const { loss, accuracy, confusion, ranks } = evaluation;
      const { classes, synthetic, length: rows } = test;
      if (options.json) {
        const { dataset } = source;
        const result = { type: 'evaluation', run, dataset, synthetic, rows, loss, accuracy };
        process.stdout.write(
          `${JSON.stringify({ ...result, classes: classScores(confusion, classes), confusion, ranks })}\n`,
        );
      } else {
        process.stdout.write(`${syntheticNotice(test)}${evaluationText(evaluation, classes)}`);
      }
      return 0;
    } finally {
      trainer.destroy();
    }
  } finally {
    machine.close();
  }
}
