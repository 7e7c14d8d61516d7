#!/usr/bin/env node
// The program `heddle`: its commands, and what becomes of their errors. Each command lives in its own file.

import { Command, CommanderError } from 'commander';
import { HeddleError } from '../errors.ts';
import { registerBench } from './bench.ts';
import { registerData } from './data.ts';
import { registerDoctor } from './doctor.ts';
import { registerEval } from './eval.ts';
import { registerExport } from './export.ts';
import { describeFailure, exitCodeOf } from './failure.ts';
import { registerPlan } from './plan.ts';
import { registerPredict } from './predict.ts';
import { reexec } from './reexec.ts';
import { registerRuns } from './runs.ts';
import type { Session } from './session.ts';
import { watchSignals } from './signals.ts';
import { registerSweep } from './sweep.ts';
import { registerTrain } from './train.ts';
import { registerTune } from './tune.ts';
import { registerUi } from './ui.ts';
import { heddleVersion } from './versions.ts';

const overview = `
heddle COMMAND --help tells more about a command.

Exit codes: 0 ok, 1 error, 2 usage, 3 no usable GPU, 4 data, 5 diverged, 6 device lost,
130 interrupted, 143 terminated (in both cases the weights are kept).`;

/** How long the process may linger after its last line, in ms, should something still be pending. */
const linger = 2000;

const session: Session = { watch: watchSignals(), exitCode: 0 };
const program = new Command('heddle')
  .description('Trains neural networks with WebGPU compute shaders.')
  .version(heddleVersion(), '-V, --version', 'print the version')
  .helpOption('-h, --help', 'show this help')
  .addHelpText('after', overview)
  .exitOverride()
  // Commander would print its refusals itself, on several lines.
  .configureOutput({ outputError: () => {} });
registerTrain(program, session);
registerSweep(program, session);
registerEval(program, session);
registerExport(program, session);
registerPredict(program, session);
registerData(program, session);
registerDoctor(program, session);
registerRuns(program, session);
registerPlan(program, session);
registerTune(program, session);
registerBench(program, session);
registerUi(program, session);

function fail(error: unknown): number {
  const name = process.argv[2];
  const command = program.commands.find((known) => known.name() === name)?.name();
  process.stderr.write(describeFailure(command, error, process.env.HEDDLE_DEBUG === '1'));
  return exitCodeOf(error);
}

async function main(): Promise<number> {
  if (process.argv.length <= 2) {
    program.outputHelp();
    return 0;
  }
  try {
    await program.parseAsync();
    return session.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // help or version was printed
    if (error instanceof HeddleError && error.code === 'no-adapter') {
      session.watch.dispose();
      const code = await reexec();
      if (code !== undefined) return code;
    }
    return fail(error);
  }
}

process.on('uncaughtException', (error) => process.exit(fail(error)));
process.exitCode = await main();
session.watch.dispose();
setTimeout(() => process.exit(), linger).unref();
