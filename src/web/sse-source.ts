// A run in Node as a source: its server-sent events. It can be told nothing. The browser connects again by itself, and the
// server then goes on where it was.

import type { Message, StepPoint } from '../recipes/protocol.ts';
import type { Source } from './source.ts';

/** What of `EventSource` is used; tests have their own. */
export interface Stream {
  readonly readyState: number;
  onmessage: ((event: MessageEvent<string>) => void) | null;
  onerror: ((event: Event) => void) | null;
  close(): void;
}

/** `EventSource.CLOSED`: it will not connect again. */
const closed = 2;
const ends = new Set(['done', 'stopped', 'failed']);

/** JSON has no word for a loss that is not finite. */
const finite = (loss: number | null) => loss ?? Number.NaN;

/** A message as it was before it became JSON. */
function revive(message: Message): Message {
  if (message.type === 'steps') {
    const steps = message.steps.map((point): StepPoint => ({ ...point, loss: finite(point.loss) }));
    return { ...message, steps };
  }
  if (message.type === 'epoch') {
    const { trainLoss, validation } = message;
    const { loss, accuracy } = validation;
    return {
      ...message,
      trainLoss: finite(trainLoss),
      validation: { ...validation, loss: finite(loss), accuracy: finite(accuracy) },
    };
  }
  if (message.type === 'filters') {
    const { filters } = message;
    return { ...message, filters: { ...filters, values: Float32Array.from(filters.values) } };
  }
  if (message.type === 'mistakes') {
    const mistakes = message.mistakes.map((one) => ({ ...one, pixels: Uint8Array.from(one.pixels) }));
    return { ...message, mistakes };
  }
  return message;
}

/** The messages of a run that a server streams at `url`. */
export function sseSource(url: string, open: (url: string) => Stream = (at) => new EventSource(at)): Source {
  const listeners = new Set<(message: Message) => void>();
  const tell = (message: Message) => {
    for (const told of listeners) told(message);
  };
  const stream = open(url);
  let atWork = true;
  let lost = false;
  stream.onmessage = ({ data }) => {
    let message: Message;
    try {
      message = revive(JSON.parse(data) as Message);
    } catch {
      return; // cut short
    }
    lost = false;
    if (message.type === 'status') atWork = !ends.has(message.status);
    tell(message);
  };
  stream.onerror = () => {
    if (!atWork) {
      stream.close(); // the run has ended, and its server with it
    } else if (!lost) {
      lost = true;
      const tail = stream.readyState === closed ? 'Reload the page to try again.' : 'Trying again.';
      tell({
        type: 'status',
        status: 'stopped',
        text: `Nothing is heard of the run: it has ended, or its process is gone. ${tail}`,
      });
    }
  };
  return {
    commands: false,
    send: () => {},
    listen(told) {
      listeners.add(told);
      return () => listeners.delete(told);
    },
    close: () => stream.close(),
  };
}
