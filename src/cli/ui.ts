// `heddle ui`: the page, served to this machine's own browser: to train in it, or to look at a run of Node's.

import type { Command } from 'commander';
import * as v from 'valibot';
import { HeddleError } from '../errors.ts';
import { fileSets } from './load-data.ts';
import { openBrowser } from './open-browser.ts';
import { parseOptions } from './options.ts';
import { isCheckpointFile } from './run-record.ts';
import { serve } from './serve.ts';
import { dataRoutes } from './serve-data.ts';
import { eventStream } from './serve-events.ts';
import { pageRoutes } from './serve-page.ts';
import type { Session } from './session.ts';
import { aborted } from './signals.ts';
import { portNumber } from './values.ts';
import { watchFolder } from './watch-folder.ts';
import { createWatched } from './watched.ts';

const uiOptions = v.object({
  port: v.exactOptional(portNumber),
  open: v.optional(v.boolean(), false),
  json: v.optional(v.boolean(), false),
});
type UiOptions = v.InferOutput<typeof uiOptions>;

const examples = `
Without RUN the page trains in the browser, with the data sets that are on this machine. With RUN, a run's folder, it
shows that run, and follows it while it is at work. Only this machine can reach the server.
It runs until Ctrl-C, which ends it with exit code 130 (SIGTERM: 143).

Examples:
  heddle ui --open
  heddle ui runs/2026-11-23T22-10-05-mlp
  heddle train --ui                                 trains in Node, and shows it`;

/** Adds the command to the program. */
export function registerUi(program: Command, session: Session): void {
  program
    .command('ui')
    .description('Serve a page that trains in the browser, or shows a run.')
    .argument('[run]', 'the folder of a run to look at')
    .option('--port <n>', '0: a free one (default: 8417, or where that is taken a free one)')
    .option('--open', 'open it in the browser')
    .option('--json', 'JSON lines on stdout, nothing else')
    .addHelpText('after', examples)
    .action(async (run: string | undefined, raw: Record<string, unknown>) => {
      session.exitCode = await runUi(run, parseOptions(uiOptions, raw), session);
    });
}

async function runUi(run: string | undefined, options: UiOptions, { watch }: Session): Promise<number> {
  if (run !== undefined && isCheckpointFile(run))
    throw new HeddleError('usage', `${run} is a file, expected the folder of a run`);
  const routes = pageRoutes(run !== undefined);
  const sets = Object.values(fileSets).map(({ files }) => files);
  for (const [path, handler] of dataRoutes(sets)) routes.set(path, handler);
  const watched = createWatched();
  const events = eventStream(watched);
  const leave = run === undefined ? () => {} : watchFolder(run, watched);
  if (run !== undefined) routes.set('/events', events.handler);
  const mirrors = sets.flatMap((set) => set.mirrors.filter((mirror) => mirror.startsWith('https:')));
  const connect = [...new Set(mirrors.map((mirror) => new URL(mirror).origin))];
  try {
    const server = await serve(routes, { port: options.port, flag: '--port', connect });
    watch.graceful();
    const { url } = server;
    process.stdout.write(options.json ? `${JSON.stringify({ type: 'ui', url })}\n` : `${url}\n`);
    if (options.open)
      openBrowser(url, (reason) => process.stderr.write(`no browser was opened (${reason}): open ${url}\n`));
    await aborted(watch.signal);
    events.close();
    await server.close();
  } finally {
    leave();
    events.close();
  }
  return watch.reason?.code ?? 0;
}
