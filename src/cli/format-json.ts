// The events as JSON lines, exactly as the contract names their fields: what `--json` prints and `events.jsonl` keeps.

import type { CliEvent } from './sinks.ts';

/** One line for an event, with its newline; empty for those that are not part of the contract (`progress`). */
export function jsonLine(event: CliEvent): string {
  const record = contractRecord(event);
  return record === undefined ? '' : `${JSON.stringify(record)}\n`;
}

function contractRecord(event: CliEvent): object | undefined {
  switch (event.type) {
    case 'progress':
      return undefined;
    case 'run':
      return event;
    case 'step': {
      const { type, epoch, step, samples, loss, lr } = event;
      return { type, epoch, step, samples, loss, lr };
    }
    case 'epoch': {
      const { type, epoch, seconds, samplesPerSecond, train, validation } = event;
      const base = { type, epoch, seconds, samplesPerSecond, train: { loss: train.loss } };
      if (validation === undefined) return base;
      return { ...base, validation: { loss: validation.loss, accuracy: validation.accuracy } };
    }
    case 'done': {
      const { type, steps, seconds, secondsPerStep, run } = event;
      return { type, steps, seconds, secondsPerStep, run };
    }
  }
}
