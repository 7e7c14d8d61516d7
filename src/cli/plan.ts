// `heddle plan`: the training step as it was recorded, a line per dispatch.

import type { Command } from 'commander';
import { createTrainer, type DispatchDescription, nn, openDevice, optim } from '../index.ts';
import { variantText } from '../ops/check.ts';
import { buildModel, countParameters, modelText, refuseTooLarge } from '../recipes/model.ts';
import { bytesText, count } from '../recipes/units.ts';
import { declare, type PlanOptions, parseOptions, planOptions } from './options.ts';
import type { Session } from './session.ts';
import { adapterText } from './sinks.ts';
import { cut, table } from './table.ts';
import { prepareDevice } from './tuning.ts';

const examples = `
Each line is a dispatch: its label, the kernel, the grid of workgroups, the bytes of the tensors it reads and of those it
writes (or reads and writes), and the constants that make the kernel's variant. What a kernel reads as an image (A_IMAGE,
B_IMAGE) may have to be copied into it first; that counts, too.

Examples:
  heddle plan
  heddle plan --plain --batch-size 128 --hidden 256`;

/** FashionMNIST's rows; the plan needs no data. */
const input = { shape: [1, 28, 28], dtype: 'u8' } as const;
const classes = 10;

/** Adds the command to the program. */
export function registerPlan(program: Command, session: Session): void {
  const command = program
    .command('plan')
    .description('Show the recorded training step, dispatch by dispatch.')
    .addHelpText('after', examples)
    .action(async (raw: Record<string, unknown>) => {
      session.exitCode = await plan(parseOptions(planOptions, raw));
    });
  declare(command, ['model', 'batchSize', 'hidden', 'plain', 'kernels', 'json', 'adapter']);
}

/** Bytes bound for reading, and bound for writing; of images also what is copied into them. */
export function boundBytes({ bindings, images }: Pick<DispatchDescription, 'bindings' | 'images'>): {
  read: number;
  written: number;
} {
  let [read, written] = [0, 0];
  for (const { access, bytes } of bindings) {
    if (access === 'read-write') written += bytes;
    else read += bytes;
  }
  for (const { bytes, copied } of images) {
    read += copied ? 2 * bytes : bytes;
    written += copied ? bytes : 0;
  }
  return { read, written };
}

/** The table of a step's dispatches, with their totals below; lines are cut at `width`. */
export function planText(
  dispatches: readonly DispatchDescription[],
  width = Number.POSITIVE_INFINITY,
): string {
  let [read, written, groups] = [0, 0, 0];
  const rows = dispatches.map((dispatch) => {
    const bytes = boundBytes(dispatch);
    const [x, y, z] = dispatch.workgroups;
    read += bytes.read;
    written += bytes.written;
    groups += x * y * z;
    const size = [bytesText(bytes.read), bytesText(bytes.written)];
    return [dispatch.label, dispatch.kernel, [x, y, z].join('×'), ...size, variantText(dispatch)];
  });
  const header = ['label', 'kernel', 'workgroups', 'reads', 'writes', 'constants'];
  const copies = dispatches.flatMap(({ images }) => images.filter(({ copied }) => copied)).length;
  const all = `${dispatches.length} dispatches${copies === 0 ? '' : `, ${copies} copies`}`;
  const total = [all, '', count(groups), bytesText(read), bytesText(written)];
  const text = table([header, ...rows, total], { align: 'llrrrl' });
  return text.replace(/.+/g, (line) => cut(line, width));
}

async function plan(options: PlanOptions): Promise<number> {
  const opened = await openDevice(options.adapter === undefined ? {} : { adapter: options.adapter });
  try {
    const { device, choice, notice } = prepareDevice(opened, options);
    const { plain } = choice;
    process.stderr.write(notice);
    const { model: name, batchSize, hidden } = options;
    const shape = { model: name, input: input.shape, hidden, classes };
    refuseTooLarge(shape, device.limits.maxStorageBufferBindingSize);
    const trainer = await createTrainer(device, {
      model: buildModel(shape),
      loss: nn.crossEntropyLoss(),
      optimizer: optim.sgd({ lr: 1e-3 }),
      batchSize,
      plain,
      input,
    });
    try {
      const { dispatches, bytes } = trainer.describe();
      const model = modelText(shape);
      if (options.json) {
        const parameters = trainer.parameterCount;
        const facts = { type: 'plan', model, parameters, batchSize, plain, deviceBytes: bytes };
        process.stdout.write(`${JSON.stringify({ ...facts, dispatches })}\n`);
      } else {
        const head = `${plain ? 'plain' : 'fused'} step of ${model}, batch ${batchSize}, on ${adapterText(device.info)}`;
        const memory = `${count(countParameters(shape))} parameters; ${bytesText(bytes)} on the device`;
        process.stdout.write(`${head}\n\n${planText(dispatches, process.stdout.columns)}\n${memory}\n`);
      }
      return 0;
    } finally {
      trainer.destroy();
    }
  } finally {
    opened.destroy();
  }
}
