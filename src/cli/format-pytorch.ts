// The training text of PyTorch's quickstart tutorial, to the byte. A pure function of the events.

import type { CliEvent } from './sinks.ts';

/**
 * `x` with `digits` (at least 1) decimals as Python's `f'{x:>{width}.{digits}f}'` writes it: halves go to the even
 * digit, where JavaScript's toFixed goes up.
 */
export function pythonFixed(x: number, digits: number, width = 0): string {
  return fixed(x, digits).padStart(width);
}

function fixed(x: number, digits: number): string {
  if (Number.isNaN(x)) return 'nan';
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf';
  if (Math.abs(x) >= 1e21) return `${BigInt(x)}.${'0'.repeat(digits)}`; // toFixed switches to exponents here
  const sign = x < 0 || Object.is(x, -0) ? '-' : '';
  const size = Math.abs(x);
  // A half at this digit is a multiple of 2^-(digits+1), so one digit more writes it exactly.
  const longer = size.toFixed(digits + 1);
  const tie = Number.isInteger(size * 2 ** (digits + 1)) && longer.endsWith('5');
  const down = longer.slice(0, -1);
  return sign + (tie && Number(down.at(-1)) % 2 === 0 ? down : size.toFixed(digits));
}

/** The tutorial's lines for one event; empty when it prints nothing. Holds the epoch whose heading was written. */
export function pytorchText(size: number): (event: CliEvent) => string {
  let epoch = 0;
  const heading = (event: { readonly epoch: number }) => {
    if (event.epoch === epoch) return '';
    epoch = event.epoch;
    return `Epoch ${epoch}\n-------------------------------\n`;
  };
  return (event) => {
    if (event.type === 'progress') return event.phase === 'train' ? heading(event) : '';
    if (event.type === 'step') {
      const current = String(event.samples).padStart(5);
      const of = String(size).padStart(5);
      return `${heading(event)}loss: ${pythonFixed(event.loss, 6, 7)}  [${current}/${of}]\n`;
    }
    if (event.type === 'epoch') {
      if (event.validation === undefined) return heading(event);
      const accuracy = pythonFixed(100 * event.validation.accuracy, 1);
      const loss = pythonFixed(event.validation.loss, 6, 8);
      return `${heading(event)}Test Error: \n Accuracy: ${accuracy}%, Avg loss: ${loss} \n\n`;
    }
    return event.type === 'done' ? 'Done!\n' : '';
  };
}
