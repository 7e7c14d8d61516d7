// What the command line's writers agree on: the events of a run as they see them, and where their text goes.

import type { AdapterFacts } from '../recipes/record.ts';
import type { CheckpointEvent, DoneEvent, EpochEvent, ProgressEvent, StepEvent } from '../train/events.ts';

/** What a run is, before its first step. Plain JSON. */
export interface RunEvent {
  readonly type: 'run';
  readonly adapter: AdapterFacts;
  /** Which kernels a step uses, and which are avoided because `heddle doctor` found them wrong on this adapter. */
  readonly kernels: {
    readonly plain: boolean;
    readonly avoided: readonly string[];
    readonly used: readonly string[];
    /** The variant chosen for each matrix product; `--kernels RUN` chooses them again. */
    readonly variants: Readonly<Record<string, string>>;
  };
  readonly dataset: {
    readonly name: string;
    readonly synthetic: boolean;
    readonly train: number;
    readonly test: number;
  };
  /** Layer sizes, e.g. `784-512-512-10`. */
  readonly model: string;
  /** Shape of a row of the data, e.g. [1, 28, 28], and how many classes it has. */
  readonly input: readonly number[];
  readonly classes: number;
  readonly parameters: number;
  readonly seed: number;
  readonly options: Readonly<Record<string, unknown>>;
  /** The run's folder. */
  readonly run: string;
}

/** The end of a run, with its folder. */
export type RunDoneEvent = DoneEvent & { readonly run: string };

/** What the writers are given. */
export type CliEvent = RunEvent | StepEvent | ProgressEvent | CheckpointEvent | EpochEvent | RunDoneEvent;

/** Something that prints or keeps events. */
export interface Sink {
  event(event: CliEvent): void;
  /** Wipes what is only there while the run lasts. Harmless when done before. */
  close(): void;
}

/** The part of a stream that writers use; tests have their own. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Takes a terminal's line away, to write another in its place. */
export const eraseLine = '\r\x1b[K';

/** A sink that writes what a pure function says about each event. */
export function textSink(out: Output, format: (event: CliEvent) => string): Sink {
  return {
    event(event) {
      const text = format(event);
      if (text !== '') out.write(text);
    },
    close() {},
  };
}

/** An adapter in a few words, for a line of text. */
export function adapterText(adapter: AdapterFacts): string {
  const name = adapter.description || adapter.device || adapter.vendor || 'unnamed adapter';
  return adapter.software ? `${name} (software)` : name;
}
