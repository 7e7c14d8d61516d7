// `heddle train --ui`: a page beside the training, served by the same process. It opens before anything else is done, so
// that a port that is taken is told at once, and may outlive the run while somebody looks at it.

import { HeddleError, messageOf } from '../errors.ts';
import type { RunRecord } from '../recipes/record.ts';
import { serve } from './serve.ts';
import { eventStream } from './serve-events.ts';
import { pageRoutes } from './serve-page.ts';
import type { Session } from './session.ts';
import { shellWord } from './shell-words.ts';
import { aborted } from './signals.ts';
import type { RunEvent, Sink } from './sinks.ts';
import { type MoreFacts, runFacts } from './watch-facts.ts';
import { filtersIn } from './watch-filters.ts';
import { replayFrom } from './watch-folder.ts';
import { createWatched, type Watched } from './watched.ts';

/** A run's page. Its events are those of a writer of results, except `run`. */
export interface TrainUi
  extends Pick<Watched, 'event' | 'close' | 'status' | 'notice' | 'mistakes' | 'rewind'>,
    Sink {
  /** Says where the page is, in a line. */
  readonly address: string;
  /** Whether anybody looks at it. */
  readonly watched: boolean;
  /** The run is this one; of one that goes on, its folder has what came before. */
  begin(run: RunEvent, facts: MoreFacts, before?: RunRecord): void;
  /** An epoch has ended with this checkpoint; `input` is the shape of a row of the data. */
  weights(checkpoint: Uint8Array, input: readonly number[]): void;
}

/** The options that it has. */
export interface UiOptions {
  readonly ui?: boolean;
  readonly uiPort?: number;
}

/** How long a page that was reloaded may take to come again, in ms. */
const reload = 3000;

/** Weights are shown at most so often, in ms. */
const pictureInterval = 500;

/** What a user can do about a run that failed. */
function todoOf(code: string, folder: string | undefined): string {
  if (folder === undefined) return 'The terminal says more.';
  if (code === 'diverged') return `A smaller learning rate may help; ${folder} has the last good checkpoint.`;
  return `heddle train --resume ${shellWord(folder)} goes on from the last checkpoint.`;
}

/**
 * Runs a training with its page, where one is asked for, and keeps the page on a terminal until it is closed or Ctrl-C
 * comes. Throws what the training throws, `usage` for options that make no sense, `file` as `serve` and `pageRoutes`.
 */
export async function withUi(
  { ui, uiPort }: UiOptions,
  { watch }: Pick<Session, 'watch'>,
  train: (page?: TrainUi) => Promise<number>,
  {
    terminal = process.stderr.isTTY === true,
    say = (line: string): unknown => process.stderr.write(line),
  } = {},
): Promise<number> {
  if (ui !== true) {
    if (uiPort !== undefined) throw new HeddleError('usage', '--ui-port: expected together with --ui');
    return train();
  }
  const watched = createWatched();
  const events = eventStream(watched);
  const routes = pageRoutes(true).set('/events', events.handler);
  const server = await serve(routes, { port: uiPort, flag: '--ui-port' });
  let folder: string | undefined;
  let shown = Number.NEGATIVE_INFINITY;
  const page: TrainUi = {
    ...watched,
    // `progress` has every step's loss, in their order.
    event: (event) => (event.type === 'step' ? undefined : watched.event(event)),
    address: `the run’s page: ${server.url}\n`,
    get watched() {
      return events.clients > 0;
    },
    begin(run, facts, before) {
      folder = run.run;
      if (before !== undefined) replayFrom(folder, before, watched)();
      watched.begin(runFacts(run, facts));
    },
    weights(checkpoint, input) {
      const due = events.clients > 0 && performance.now() - shown >= pictureInterval;
      if (due) shown = performance.now();
      watched.picture(() => {
        const filters = filtersIn(checkpoint, input);
        return filters && { type: 'filters', filters };
      }, due);
    },
  };
  try {
    const code = await train(page);
    if (code === 0 && terminal && events.clients > 0 && !watch.signal.aborted) {
      say(`the page stays at ${server.url} until it is closed; Ctrl-C ends it\n`);
      const left = new Promise<void>((resolve) => {
        let timer: NodeJS.Timeout | undefined;
        events.onChange = () => {
          clearTimeout(timer);
          if (events.clients === 0) timer = setTimeout(resolve, reload);
        };
      });
      await Promise.race([left, aborted(watch.signal)]);
      events.onChange = () => {};
    }
    return code;
  } catch (error) {
    const code = error instanceof HeddleError ? error.code : 'unexpected';
    watched.fail({ type: 'error', code, message: messageOf(error), todo: todoOf(code, folder) });
    throw error;
  } finally {
    events.close();
    await server.close();
  }
}
