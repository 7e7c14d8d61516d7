// What the page is told while a run trains: its status, the losses of steps, the speed, the first layer's weights, mistakes.
// Never waits where training would wait with it.

import type { EpochEvent, ProgressEvent, Span, StepEvent } from '../../index.ts';
import { type Judgement, judge, mistakesOf } from '../../recipes/judge.ts';
import type { Message, Settings, Status } from '../../recipes/protocol.ts';
import { count } from '../../recipes/units.ts';
import { every } from './pace.ts';
import { type Setup, testLoader } from './setup.ts';
import { createSteps } from './steps.ts';
import { filtersOf } from './tiles.ts';

/** Spans that are kept for a timeline: about the last two minutes. */
const mostSpans = 10_000;

/** See `createReport`. */
export type Report = ReturnType<typeof createReport>;

/** Tells `tell` of one run. */
export function createReport(tell: (message: Message) => void, { epochs }: Settings, batchSize: number) {
  const steps = createSteps(tell, batchSize);
  const dueBytes = every(1000);
  const dueFilters = every(500);
  let status: Status | undefined;
  let reading = false;
  const spans: Span[][] = [];

  const say = (now: Status, text: string) => {
    if (status === now && now !== 'loading') return;
    status = now;
    tell({ type: 'status', status: now, text });
  };

  /** Reads the first layer's weights and tells them, some time. What fails here fails in the training too, and is told there. */
  const showFilters = async ({ trainer, model, data }: Setup) => {
    if (reading) return;
    reading = true;
    try {
      const filters = filtersOf(model, await trainer.parameters(), data.train.inputShape);
      if (filters !== undefined) tell({ type: 'filters', filters });
    } catch {
      // See above.
    } finally {
      reading = false;
    }
  };

  return {
    tell,
    /** Tells a status, once. */
    say,
    showFilters,
    /** What is told from now on comes after these. */
    startFrom(step: number, epoch: number): void {
      Object.assign(steps.told, { step, epoch });
    },
    /** The device's spans of the stretches of training, the newest last. */
    get spans(): readonly (readonly Span[])[] {
      return spans.filter(({ length }) => length > 0);
    },
    observe: (span: Span) => spans.at(-1)?.push(span),
    /** A stretch of training begins. */
    begin(): void {
      spans.push([]);
      while (spans.length > 2 && spans.flat().length > mostSpans) spans.shift();
      steps.begin(performance.now());
    },
    step: (event: StepEvent) => steps.step(event),
    progress(setup: Setup, event: ProgressEvent): void {
      const at = performance.now();
      if (event.phase === 'validate') {
        steps.flush();
        say('evaluating', `testing after epoch ${count(event.epoch)}`);
        return;
      }
      say('training', `epoch ${count(event.epoch)} of ${count(epochs)}`);
      steps.progress(event, at);
      if (dueFilters(at)) void showFilters(setup);
      if (dueBytes(at)) tell({ type: 'bytes', bytes: setup.device.bytes });
    },
    epoch({ epoch, seconds, train, validation }: EpochEvent, step: number): void {
      steps.flush();
      if (validation === undefined || epoch <= steps.told.epoch) return;
      steps.told.epoch = epoch;
      tell({ type: 'epoch', epoch, step, trainLoss: train.loss, seconds, validation });
    },
    flush: () => steps.flush(),
    /** Judges the test set with the trainer at rest, and tells the worst mistakes. */
    async judge(setup: Setup): Promise<Judgement> {
      const { trainer, data } = setup;
      const made = judge(await trainer.logits(testLoader(setup)), data.test.classes.length);
      tell({ type: 'mistakes', mistakes: mistakesOf(data.test, made) });
      return made;
    },
  };
}
