// `heddle doctor`: what this machine has, and whether every kernel gives the right answers on it.

import type { Command } from 'commander';
import { loadFiles } from '#platform';
import { FASHION_MNIST_FILES } from '../data/fashion-mnist.ts';
import { messageOf } from '../errors.ts';
import { type Device, HeddleError, openDevice } from '../index.ts';
import { type SelfTestResult, selfTest } from '../ops/index.ts';
import { type DoctorOptions, declare, doctorOptions, parseOptions } from './options.ts';
import { driverEnvironment } from './reexec.ts';
import type { Session } from './session.ts';
import { adapterFacts } from './sinks.ts';
import { bytesText, table } from './table.ts';
import { type Versions, versions } from './versions.ts';

const examples = `
Exits with 0 when all is well, 1 when a kernel gives wrong answers, 3 without a usable GPU.

Examples:
  heddle doctor
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
    .description('Check the GPU, the data, and every kernel with known answers.')
    .addHelpText('after', examples)
    .action(async (raw: Record<string, unknown>) => {
      session.exitCode = await doctor(parseOptions(doctorOptions, raw));
    });
  declare(command, ['data', 'adapter', 'json']);
}

/** Where the data set's files were found; or why they are no good. */
export interface DataReport {
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

const percent = (worst: number) => (Number.isFinite(worst) ? `${(100 * worst).toFixed(1)} %` : '–');

/** One kernel's line: its name, what it was tried on, the verdict, and the worst error as a share of what is allowed. */
export function kernelLine({ kernel, shape, ok, worst, message }: SelfTestResult): string {
  const verdict = ok ? 'ok    ' : 'FAILED';
  const line = `${kernel.padEnd(20)}  ${verdict}  ${percent(worst).padStart(7)}  ${shape}`;
  return message === undefined ? `${line}\n` : `${line}\n  ${message}\n`;
}

async function doctor({ json, data, adapter }: DoctorOptions): Promise<number> {
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
    if (!json) process.stdout.write(machineText(device, found, dataReport));
    const kernels: SelfTestResult[] = [];
    if (device !== undefined) {
      if (!json) process.stdout.write('\nkernels: worst error as a share of what is allowed\n');
      for await (const result of selfTest(device)) {
        kernels.push(result);
        if (!json) process.stdout.write(kernelLine(result));
      }
    }
    const failed = kernels.filter(({ ok }) => !ok).length;
    if (json) {
      const facts =
        device === undefined
          ? { adapter: null, limits: null, features: [] }
          : { adapter: adapterFacts(device.info), limits: limitsOf(device), features: device.features };
      const ok = device !== undefined && failed === 0;
      const report = { type: 'doctor', ok, versions: found, ...facts, data: dataReport, kernels };
      process.stdout.write(`${JSON.stringify(report)}\n`);
    } else if (device !== undefined) {
      process.stdout.write(
        `\n${failed === 0 ? `all ${kernels.length} checks ok` : `${failed} of ${kernels.length} checks FAILED`}\n`,
      );
    }
    if (none !== undefined) throw none;
    return failed === 0 ? 0 : 1;
  } finally {
    device?.destroy();
  }
}
