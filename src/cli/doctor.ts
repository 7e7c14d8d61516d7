// `heddle doctor`: what this machine has, whether every kernel gives the right numbers on it at a model's own shapes, and
// which kernels to train with when some do not.

import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { loadFiles } from '#platform';
import { FASHION_MNIST_FILES } from '../data/fashion-mnist.ts';
import { messageOf } from '../errors.ts';
import {
  type CheckResult,
  type ClipOptions,
  checkModel,
  type Device,
  HeddleError,
  type KernelChoice,
  nn,
  openDevice,
  type TrainerOptions,
  withVariants,
} from '../index.ts';
import {
  buildModel,
  type ModelName,
  modelNames,
  modelText,
  refuseTooLarge,
  type Shape,
} from '../recipes/model.ts';
import { clippingFor, optimizerFor } from '../recipes/optimizer.ts';
import { adapterFacts } from '../recipes/record.ts';
import { bytesText, count } from '../recipes/units.ts';
import { type DoctorOptions, declare, doctorOptions, parseOptions } from './options.ts';
import { driverEnvironment } from './reexec.ts';
import { readRunRecord } from './run-record.ts';
import type { Session } from './session.ts';
import { cut, table } from './table.ts';
import { readTuning } from './tuning.ts';
import { choiceText, rememberVerdict, type Verdict } from './verdicts.ts';
import { type Versions, versions } from './versions.ts';

const examples = `
Runs every dispatch that training and evaluating the model needs, in its fast and in its plain form, on random data on
your GPU, and compares all numbers with float64. Kernels found wrong are not used by later runs on this adapter; another
\`heddle doctor\` of the same model that finds them right lifts that.
Exits with 0 when all is well, 1 when a kernel gives wrong numbers, 3 without a usable GPU.

Examples:
  heddle doctor
  heddle doctor --model cnn
  heddle doctor --model runs/2026-11-23T22-10-05-mlp
  heddle doctor --report doctor.md
  heddle doctor --json | jq '.kernels[] | select(.ok | not)'`;

/** The limits that decide how large a model or a batch may be, and which kernels can run. */
const limitNames = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
  'minStorageBufferOffsetAlignment',
] as const;
type Limits = Record<(typeof limitNames)[number], number>;

/** Adds the command to the program. */
export function registerDoctor(program: Command, session: Session): void {
  const command = program
    .command('doctor')
    .description('Check the GPU, the data, and every kernel against float64.')
    .addHelpText('after', examples)
    .action(async (raw: Record<string, unknown>) => {
      const options = parseOptions(doctorOptions, raw);
      if (options.json && options.report !== undefined)
        throw new HeddleError('usage', '--json and --report exclude each other: each is a text of its own');
      session.exitCode = await doctor(options);
    });
  declare(command, ['data', 'adapter', 'checked', 'report', 'json']);
}

/** Where the data set's files were found; or why they are no good. */
interface DataReport {
  readonly name: string;
  readonly ok: boolean;
  readonly from: readonly string[];
  readonly message?: string;
}

async function lookForData(data: string | undefined): Promise<DataReport> {
  const { name, files } = FASHION_MNIST_FILES;
  try {
    const names = files.map((file) => file.name);
    const found = await loadFiles(FASHION_MNIST_FILES, names, { data, download: false });
    return { name, ok: true, from: found.map(({ from }) => from) };
  } catch (error) {
    return { name, ok: false, from: [], message: messageOf(error) };
  }
}

function limitsOf(device: Device): Limits {
  return Object.fromEntries(limitNames.map((name) => [name, device.limits[name]])) as Limits;
}

function sizeText(limits: Limits): string {
  return [
    `buffer ${bytesText(limits.maxBufferSize)}`,
    `storage binding ${bytesText(limits.maxStorageBufferBindingSize)}`,
    `workgroup memory ${bytesText(limits.maxComputeWorkgroupStorageSize)}`,
  ].join(', ');
}

function countText(limits: Limits): string {
  return [
    `${limits.maxComputeInvocationsPerWorkgroup} invocations a workgroup`,
    `${limits.maxStorageBuffersPerShaderStage} storage buffers`,
    `${limits.maxComputeWorkgroupsPerDimension} workgroups a dimension`,
  ].join(', ');
}

/** The report's upper part, before the kernels run. */
function machineText(device: Device | undefined, found: Versions, data: DataReport): string {
  const rows = [
    ['versions', `heddle ${found.heddle}, webgpu ${found.webgpu}, node ${found.node}`],
    ['system', found.os],
  ];
  if (device === undefined) {
    rows.push(['adapter', 'none']);
  } else {
    const { vendor, architecture, device: name, description, backend, software } = device.info;
    const kind = software ? 'software: computes on the CPU' : 'hardware';
    const limits = limitsOf(device);
    rows.push(
      ['adapter', [vendor, architecture, name].filter((text) => text !== '').join(' ')],
      ['driver', description || 'not told'],
      ['backend', `${backend || 'not told'} (${kind})`],
      ['limits', sizeText(limits)],
      ['', countText(limits)],
      ['features', device.features.join(', ') || 'none'],
    );
  }
  const folders = [...new Set(data.from.map((path) => path.replace(/[\\/][^\\/]*$/, '')))];
  rows.push(['data', data.ok ? `${data.name} ok: ${folders.join(', ')}` : `missing: ${data.message}`]);
  return table(rows);
}

const percent = (worst: number) =>
  worst === 0 ? 'exact' : Number.isFinite(worst) ? `${(100 * worst).toFixed(1)} %` : '–';

/** A check's line: kernel, verdict, worst error as a share of what is allowed, shapes, variant; and what is wrong. */
function checkLine(result: CheckResult, width = Number.POSITIVE_INFINITY): string {
  const { kernel, variant, shape, ok, worst, message } = result;
  const verdict = ok ? 'ok    ' : 'FAILED';
  const parts = [kernel.padEnd(20), verdict, percent(worst).padStart(7), shape, variant];
  const line = cut(parts.join('  ').trimEnd(), width);
  return message === undefined ? `${line}\n` : `${line}\n  ${message}\n`;
}

/** The model to check: a run's, trained as there, or one by its name, trained as the tutorial does. */
interface Subject {
  readonly shape: Shape;
  /** How it is trained, for `checkModel`. */
  readonly training: Pick<TrainerOptions, 'optimizer' | 'batchSize'> & ClipOptions;
  readonly name: string;
}

const isModelName = (name: string): name is ModelName => modelNames.some((known) => known === name);

function subjectOf(named = 'mlp'): Subject {
  const tutorial = { hidden: [512, 512], batchSize: 64, optimizer: 'sgd', nesterov: false } as const;
  const record = isModelName(named)
    ? { input: [1, 28, 28], classes: 10, options: { ...tutorial, model: named } }
    : readRunRecord(named);
  const { input, classes, options } = record;
  const { model, hidden, batchSize } = options;
  const shape = { model, input, hidden, classes };
  const training = { optimizer: optimizerFor(options), ...clippingFor(options), batchSize };
  return { shape, training, name: `${modelText(shape)}, batch ${count(batchSize)}` };
}

/** What the checks of a model's kernels came to. */
interface Examination {
  readonly kernels: readonly CheckResult[];
  readonly wrong: readonly string[];
  /** The ways to train that are right, the fastest first. */
  readonly right: readonly KernelChoice[];
  /** Why later runs will not know of it. */
  readonly notKept?: string;
}

async function examine(
  device: Device,
  { shape, training, name }: Subject,
  onResult: (result: CheckResult) => void,
): Promise<Examination> {
  refuseTooLarge(shape, device.limits.maxStorageBufferBindingSize);
  const kernels: CheckResult[] = [];
  let verdict: Verdict = { wrong: [], right: [] };
  // The variants that training uses here: those that were tuned, where somebody has.
  const checks = checkModel(withVariants(device, readTuning(device)), {
    model: buildModel(shape),
    loss: nn.crossEntropyLoss(),
    ...training,
    input: { shape: shape.input, dtype: 'u8' },
  });
  for await (const event of checks) {
    if (event.type === 'check') {
      const { type: _, ...result } = event;
      kernels.push(result);
      onResult(result);
    } else {
      verdict = event;
    }
  }
  const { wrong, right } = verdict;
  try {
    rememberVerdict(device, name, verdict);
    return { kernels, wrong, right };
  } catch (error) {
    const notKept = messageOf(error);
    process.stderr.write(`the verdict could not be kept for later runs: ${notKept}\n`);
    return { kernels, wrong, right, notKept };
  }
}

/** The last lines of the report: how many checks failed, and what training does about it. */
function verdictText({ kernels, wrong, right: [choice], notKept }: Examination): string {
  const failed = kernels.filter(({ ok }) => !ok).length;
  if (failed === 0) return `all ${kernels.length} checks ok\n`;
  const then =
    choice === undefined
      ? 'no way to train is right on this adapter: update its driver, or take another adapter'
      : notKept === undefined
        ? `runs on this adapter go on ${choiceText(choice)}`
        : `runs on this adapter should go on ${choiceText(choice)}, but will not know it`;
  return `${failed} of ${kernels.length} checks FAILED: ${wrong.join(', ')}; ${then}\n`;
}

/** Everything as a text to paste into an issue. */
function reportText(machine: string, model: string, found: Examination | undefined): string {
  const fence = '```';
  const kernels =
    found === undefined
      ? ''
      : `kernels of ${model}: worst error as a share of what is allowed\n${found.kernels.map((result) => checkLine(result)).join('')}\n${verdictText(found)}`;
  return `### heddle doctor\n\n${fence}\n${machine}${kernels === '' ? '' : `\n${kernels}`}${fence}\n`;
}

async function doctor({ json, data, adapter, model, report }: DoctorOptions): Promise<number> {
  const subject = subjectOf(model);
  let device: Device | undefined;
  let none: HeddleError | undefined;
  try {
    device = await openDevice(adapter === undefined ? {} : { adapter });
  } catch (error) {
    // With a cached driver main.ts starts us again, so there is nothing to report yet.
    if (!(error instanceof HeddleError) || error.code !== 'no-adapter' || driverEnvironment() !== undefined) {
      throw error;
    }
    none = error;
  }
  try {
    const found = versions();
    const dataReport = await lookForData(data);
    const machine = machineText(device, found, dataReport);
    const { stdout } = process;
    const live = !json && report !== true;
    if (live) stdout.write(machine);
    let examination: Examination | undefined;
    if (device !== undefined) {
      if (live) stdout.write(`\nkernels of ${subject.name}: worst error as a share of what is allowed\n`);
      examination = await examine(device, subject, (result) => {
        if (live) stdout.write(checkLine(result, stdout.columns));
      });
      if (live) stdout.write(`\n${verdictText(examination)}`);
    }
    const ok = examination !== undefined && examination.wrong.length === 0;
    if (json) {
      const facts =
        device === undefined
          ? { adapter: null, limits: null, features: [] }
          : { adapter: adapterFacts(device.info), limits: limitsOf(device), features: device.features };
      const { kernels = [], wrong = [], right = [] } = examination ?? {};
      const record = { type: 'doctor', ok, versions: found, ...facts, data: dataReport, model: subject.name };
      stdout.write(`${JSON.stringify({ ...record, kernels, wrong, choice: right[0] ?? null })}\n`);
    }
    if (report !== undefined) {
      const text = reportText(machine, subject.name, examination);
      if (report === true) stdout.write(text);
      else writeReport(report, text);
    }
    if (none !== undefined) throw none;
    return ok ? 0 : 1;
  } finally {
    device?.destroy();
  }
}

function writeReport(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new HeddleError('file', `--report: ${path} could not be written: ${messageOf(cause)}`, { cause });
  }
  process.stderr.write(`report written to ${path}\n`);
}
