// `heddle predict RUN IMAGE…`: what a run's model takes pictures for.

import type { Command } from 'commander';
import * as v from 'valibot';
import { decodePicture, type FitOptions, type Fitted, fitPicture } from '../data/picture.ts';
import { dataLoader, fromArrays, HeddleError, probabilities } from '../index.ts';
import { readNamed, readStream } from '../platform/node-read.ts';
import type { RunRecord } from '../recipes/record.ts';
import { classNamesOf } from './class-names.ts';
import { progressBar } from './format-bar.ts';
import { openMachine } from './machine.ts';
import { declare, evalOptions, parseOptions } from './options.ts';
import { loadRunModel } from './run-model.ts';
import { bestOrLast, readRunRecord, readRunWeights } from './run-record.ts';
import type { Session } from './session.ts';
import { adapterText } from './sinks.ts';
import { table } from './table.ts';
import { oneOf, wholeNumber } from './values.ts';

const { weights, adapter, json, plain } = evalOptions.entries;
const invert = oneOf('auto', 'yes', 'no');
const predictOptions = v.object({ top: wholeNumber(1), invert, weights, adapter, json, plain });
type PredictOptions = v.InferOutput<typeof predictOptions>;

/** How the makers of a data set placed what it shows: this many pixels from the edge. */
const margins: Readonly<Record<string, number>> = { 'fashion-mnist': 0, mnist: 4 };
const mostBytes = 2 ** 28;
const barRoom = 20;

const examples = `
Takes PNG and JPEG files; - reads one from stdin. A picture is made grey for a model of grey images, and scaled until it
fits the model's input, its proportions kept; for fashion-mnist and mnist an even ground around it is cut away first, as
their makers did. What is transparent is white. What is dark on light is inverted: those data sets are light on dark.
Without --weights the best are taken where the run has kept any, else the last. Exit code 4 when a file could not be
read; the others are done.

Examples:
  heddle predict runs/mine boot.png shirt.jpg
  heddle predict runs/mine *.png --json | jq -r '[.image, .class] | @tsv'
  curl -s https://example.org/boot.jpg | heddle predict runs/mine -`;

/** Adds the command to the program. */
export function registerPredict(program: Command, session: Session): void {
  const command = program
    .command('predict')
    .description('Say what a run’s model takes pictures for.')
    .argument('<run>', 'the run’s folder, e.g. runs/2026-11-23T22-10-05-mlp')
    .argument('<image...>', 'PNG or JPEG files, or - for stdin')
    .option('--top <n>', 'the n most probable classes', '3')
    .option('--invert <name>', 'auto (what is dark on light), yes or no; auto leaves colour as it is', 'auto')
    .addHelpText('after', examples)
    .action(async (run: string, images: string[], raw: Record<string, unknown>) => {
      const options = parseOptions(predictOptions, raw);
      if (images.filter((image) => image === '-').length > 1)
        throw new HeddleError('usage', 'found - twice, expected one image on stdin');
      session.exitCode = await predict(run, images, options);
    });
  declare(command, ['weights', 'adapter', 'json', 'plain'], ['weights']);
}

/** What pictures must become. Throws `usage` for a run of something else. */
function inputOf(
  run: string,
  { input }: RunRecord,
): readonly [channels: 1 | 3, height: number, width: number] {
  const [channels, height, width] = input;
  if (input.length === 3 && (channels === 1 || channels === 3) && height !== undefined && width !== undefined)
    return [channels, height, width];
  throw new HeddleError(
    'usage',
    `${run} takes rows of [${input.join(', ')}]: expected images, [1 or 3, height, width]`,
  );
}

async function predict(run: string, images: readonly string[], options: PredictOptions): Promise<number> {
  const record = readRunRecord(run);
  const [channels, ...size] = inputOf(run, record);
  const which = options.weights ?? bestOrLast(run);
  const weights = readRunWeights(run, which);
  const { batchSize, hidden, model, dataset } = record.options;
  const inversion = options.invert === 'auto' && channels === 3 ? 'no' : options.invert;
  const fit = { inversion, margin: channels === 1 ? margins[dataset] : undefined } as const;
  const machine = await openMachine(options);
  try {
    const { device, notice } = machine;
    const shape = { model, input: record.input, hidden, classes: record.classes };
    const drawn = dataset === 'synthetic' ? ', trained on SYNTHETIC data' : '';
    process.stderr.write(`${adapterText(device.info)} · the ${which} weights of ${run}${drawn}\n${notice}`);
    const trainer = await loadRunModel(machine, { shape, weights, batchSize, dtype: 'u8' });
    try {
      const names = classNamesOf(record) ?? Array.from({ length: record.classes }, (_, i) => String(i));
      let failed = false;
      // A batch at a time: there may be more pictures than memory for them.
      for (let start = 0; start < images.length; start += batchSize) {
        const pictures: { readonly name: string; readonly pixels: Uint8Array }[] = [];
        for (const name of images.slice(start, start + batchSize)) {
          const picture = await pictureOf(name, channels, size, fit);
          if (picture === undefined) failed = true;
          else pictures.push({ name, pixels: picture.pixels });
        }
        if (pictures.length === 0) continue;
        const rowBytes = channels * size[0] * size[1];
        const inputs = new Uint8Array(pictures.length * rowBytes);
        pictures.forEach(({ pixels }, i) => {
          inputs.set(pixels, i * rowBytes);
        });
        const rows = fromArrays({
          inputs,
          inputShape: record.input,
          targets: new Uint8Array(pictures.length), // nobody looks at them
          classes: names,
        });
        const logits = await trainer.logits(dataLoader(rows, { batchSize }));
        pictures.forEach(({ name }, i) => {
          const row = logits.subarray(i * names.length, (i + 1) * names.length);
          process.stdout.write(resultText(name, row, names, options));
        });
      }
      return failed ? 4 : 0;
    } finally {
      trainer.destroy();
    }
  } finally {
    machine.close();
  }
}

/** Reads a picture and brings it to the model's size. Undefined, with a line on stderr, when that cannot be done. */
async function pictureOf(
  path: string,
  channels: 1 | 3,
  size: readonly [height: number, width: number],
  options: FitOptions,
): Promise<Fitted | undefined> {
  const name = path === '-' ? 'stdin' : path;
  try {
    const bytes =
      path === '-' ? await readStream(name, process.stdin, mostBytes) : await readNamed(path, mostBytes);
    const picture = await decodePicture(name, bytes, channels);
    const fitted = fitPicture(picture, size, options);
    if (options.inversion === 'auto' && fitted.inverted)
      process.stderr.write(`${name}: dark on light, so it is inverted (--invert no leaves it as it is)\n`);
    return fitted;
  } catch (error) {
    if (!(error instanceof HeddleError && error.code === 'data')) throw error;
    process.stderr.write(`heddle predict: ${error.message}\n`);
    return undefined;
  }
}

function resultText(
  image: string,
  logits: Float32Array,
  names: readonly string[],
  { json, top: most }: PredictOptions,
): string {
  if (!logits.every(Number.isFinite))
    throw new HeddleError('diverged', `${image}: the model gives ${logits.find((x) => !Number.isFinite(x))}`);
  const top = [...probabilities(logits)]
    .map((probability, index) => ({ class: names[index] as string, index, probability }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, most);
  if (json) return `${JSON.stringify({ type: 'prediction', image, ...top[0], top })}\n`;
  const rows = top.map((one) => [
    one.class,
    `${(100 * one.probability).toFixed(1)} %`,
    progressBar(one.probability, barRoom),
  ]);
  return `${image}\n${table(rows, { align: 'lrl', indent: '  ' })}`;
}
