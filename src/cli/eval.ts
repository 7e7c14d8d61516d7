// `heddle eval RUN`: how good a run's weights are on the test set, class by class.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import * as v from 'valibot';
import { messageOf } from '../errors.ts';
import { createTrainer, dataLoader, HeddleError, nn, openDevice, optim } from '../index.ts';
import { classScores, evaluationText } from './format-evaluation.ts';
import { loadSplit, mayDownload, syntheticNotice } from './load-data.ts';
import { buildModel, refuseTooLarge } from './model.ts';
import { declare, type EvalOptions, evalOptions, parseOptions } from './options.ts';
import { runFiles } from './run-folder.ts';
import type { Session } from './session.ts';
import { adapterText } from './sinks.ts';
import { count } from './table.ts';

const examples = `
Prints accuracy, average loss, precision, recall and F1 of each class, and the confusion matrix.

Examples:
  heddle eval runs/2026-11-23T22-10-05-mlp
  heddle eval runs/mine --json | jq .accuracy`;

/** What this command needs of run.json. */
const runRecord = v.object({
  options: v.object({
    dataset: v.picklist(['fashion-mnist', 'synthetic']),
    batchSize: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    hidden: v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  }),
});

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
  declare(command, ['dataset', 'data', 'adapter', 'json', 'plain'], ['dataset']);
}

function readRunFile(run: string, name: string): Uint8Array {
  const path = join(run, name);
  try {
    return new Uint8Array(readFileSync(path)); // not a Buffer, whose slice() is a view
  } catch (cause) {
    const missing =
      cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
    const reason = missing
      ? 'does not exist; expected the folder of a run'
      : `cannot be read: ${messageOf(cause)}`;
    throw new HeddleError(missing ? 'usage' : 'file', `${path} ${reason}`, { cause });
  }
}

function readRecord(run: string): v.InferOutput<typeof runRecord> {
  const path = join(run, runFiles.info);
  const text = new TextDecoder().decode(readRunFile(run, runFiles.info));
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new HeddleError('file', `${path} is not JSON: ${messageOf(cause)}`, { cause });
  }
  const result = v.safeParse(runRecord, parsed);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new HeddleError('file', `${path}: ${v.getDotPath(issue) ?? 'content'}: ${issue.message}`);
}

async function evaluate(run: string, options: EvalOptions): Promise<number> {
  const record = readRecord(run);
  const weights = readRunFile(run, runFiles.model);
  const { batchSize, hidden } = record.options;
  const source = { ...options, dataset: options.dataset ?? record.options.dataset };
  const early = mayDownload(source) ? undefined : await loadSplit('test', source);
  const device = await openDevice(options.adapter === undefined ? {} : { adapter: options.adapter });
  try {
    const test = early ?? (await loadSplit('test', source));
    const shape = { inputFeatures: test.inputs.length / test.length, hidden, classes: test.classes.length };
    refuseTooLarge(shape, device.limits.maxStorageBufferBindingSize);
    process.stderr.write(`${adapterText(device.info)} · ${test.name}: ${count(test.length)} images\n`);
    const trainer = await createTrainer(device, {
      model: buildModel(shape),
      loss: nn.crossEntropyLoss(),
      optimizer: optim.sgd({ lr: 0 }),
      batchSize,
      plain: options.plain,
      input: { shape: test.inputShape, dtype: test.inputs instanceof Uint8Array ? 'u8' : 'f32' },
    });
    try {
      await trainer.load(weights);
      const evaluation = await trainer.evaluate(dataLoader(test, { batchSize }));
      const { loss, accuracy, confusion } = evaluation;
      const { classes, synthetic, length: rows } = test;
      if (options.json) {
        const { dataset } = source;
        const result = { type: 'evaluation', run, dataset, synthetic, rows, loss, accuracy };
        process.stdout.write(
          `${JSON.stringify({ ...result, classes: classScores(confusion, classes), confusion })}\n`,
        );
      } else {
        process.stdout.write(`${syntheticNotice(test)}${evaluationText(evaluation, classes)}`);
      }
      return 0;
    } finally {
      trainer.destroy();
    }
  } finally {
    device.destroy();
  }
}
