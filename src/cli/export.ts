// `heddle export RUN`: a run's model for other programs, as ONNX, safetensors or JSON. Needs no GPU.

import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import * as v from 'valibot';
import { encodeOnnx, encodeSafetensors, HeddleError, type NamedTensor } from '../index.ts';
import { inputText } from '../io/onnx.ts';
import { weightsOf } from '../io/weights.ts';
import { weightsJson } from '../io/weights-json.ts';
import { buildModel, countParameters, modelText, type Shape } from '../recipes/model.ts';
import { bytesText, count } from '../recipes/units.ts';
import { classNamesOf } from './class-names.ts';
import { pythonLines } from './export-python.ts';
import { parseOptions } from './options.ts';
import { runFiles, writeWhole } from './run-folder.ts';
import { isCheckpointFile, readRunRecord, readRunWeights } from './run-record.ts';
import type { Session } from './session.ts';
import { oneOf } from './values.ts';
import { heddleVersion } from './versions.ts';

const examples = `
onnx         operator set 17, for ONNX Runtime and its like: input, float32 [batch, ...], pixels divided by 255; logits
safetensors  the weights alone, under PyTorch's keys; the lines that load them in Python are printed
json         the weights as text that any program can read, with the model's shapes and classes

The file is RUN/model.onnx and so on, and replaces that of an earlier export. A FILE of your own is left alone if it is
there, unless --force is given; - is stdout.

Examples:
  heddle export runs/mine
  heddle export runs/mine --format safetensors --weights best
  heddle export runs/mine --format json --output - | jq '.tensors | keys'`;

const formats = ['onnx', 'safetensors', 'json'] as const;

const exportOptions = v.object({
  format: oneOf(...formats),
  weights: oneOf('last', 'best'),
  output: v.exactOptional(v.pipe(v.string(), v.nonEmpty('a file, or - for stdout'))),
  force: v.optional(v.boolean(), false),
});
type ExportOptions = v.InferOutput<typeof exportOptions>;

/** Adds the command to the program. */
export function registerExport(program: Command, session: Session): void {
  program
    .command('export')
    .description('Write a run’s model for other programs: ONNX, safetensors or JSON.')
    .argument('<run>', 'the run’s folder, e.g. runs/2026-11-23T22-10-05-mlp')
    .option('--format <name>', 'onnx, safetensors or json', 'onnx')
    .option('--weights <which>', 'last, or best (by test accuracy)', 'last')
    .option('--output <file>', 'where to, - for stdout (default: "RUN/model.FORMAT")')
    .option('--force', 'replace FILE if it is there')
    .addHelpText('after', examples)
    .action(async (run: string, raw: Record<string, unknown>) => {
      session.exitCode = await exportRun(run, parseOptions(exportOptions, raw));
    });
}

/** Throws `usage` for a file that is not to be written. */
function refuseOutput(run: string, output: string, force: boolean): void {
  const refuse = (why: string) => {
    throw new HeddleError('usage', `--output: ${output} ${why}`);
  };
  if (Object.values(runFiles).some((name) => resolve(run, name) === resolve(output)))
    refuse('is a file of the run itself; name another');
  if (statSync(dirname(output), { throwIfNoEntry: false })?.isDirectory() !== true)
    refuse(`cannot be written: ${dirname(output)} is no folder`);
  const found = statSync(output, { throwIfNoEntry: false });
  if (found?.isDirectory()) refuse('is a folder, expected a file');
  if (found !== undefined && !force) refuse('is there already; name another file, or give --force');
}

/** Bytes to be written, piece by piece. */
type Pieces = Iterable<Uint8Array>;

function* encoded(texts: Iterable<string>): Generator<Uint8Array, void, void> {
  const encoder = new TextEncoder();
  for (const text of texts) yield encoder.encode(text);
}

/**
 * Throws `file` when a run's record tells of a model far larger than its weights, before so much is drawn. What is off by
 * less is told key by key, once there is a model.
 */
function refuseFarLarger(run: string, shape: Shape, weights: ReadonlyMap<string, NamedTensor>): void {
  const expected = countParameters(shape);
  const found = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  if (expected <= 10 * found) return;
  throw new HeddleError(
    'file',
    `${run}: its record tells of ${modelText(shape)}, ${count(expected)} parameters; its weights are ${count(found)} numbers`,
  );
}

async function exportRun(run: string, options: ExportOptions): Promise<number> {
  const { format, force } = options;
  const alone = isCheckpointFile(run); // then its model goes beside it
  const output = options.output ?? join(alone ? dirname(run) : run, `model.${format}`);
  const record = readRunRecord(run);
  if ((options.output !== undefined || alone) && output !== '-') refuseOutput(run, output, force);
  const { input, classes } = record;
  const { model: name, hidden } = record.options;
  const shape = { model: name, input, hidden, classes };
  const found = readRunWeights(run, options.weights);
  refuseFarLarger(run, shape, found);
  const model = buildModel(shape);
  const weights = weightsOf(model, found);
  const classNames = classNamesOf(record);
  const facts = { inputShape: input, classes, classNames };

  let pieces: Pieces;
  let hint = '';
  if (format === 'onnx') {
    const producerVersion = heddleVersion();
    const names = { inputShape: input, classes: classNames, producerVersion };
    pieces = [await encodeOnnx(model, weights, names)];
    hint = `input [batch, ${input.join(', ')}]: ${inputText}\nlogits [batch, ${classes}]\n`;
  } else if (format === 'safetensors') {
    pieces = [encodeSafetensors(weights, new Map([['format', 'pt']]))];
    hint = `In Python:\n\n${pythonLines(model, output, modelText(shape) === '784-512-512-10')}`;
  } else {
    pieces = encoded(weightsJson(weights, { model: modelText(shape), ...facts }));
  }
  if (output === '-') {
    for (const piece of pieces) await written(piece);
    return 0;
  }
  writeWhole(output, pieces);
  process.stdout.write(`${output}: ${bytesText(statSync(output).size)}\n${hint}`);
  return 0;
}

/** Writes to stdout, and waits for it: a pipe takes its time. */
const written = (piece: Uint8Array) =>
  new Promise<void>((done) => {
    process.stdout.write(piece, () => done());
  });
