// Numbers as the page writes them. Pure functions.

/** A loss or another real number, about four figures: `0.4821`, `12.30`, `1.2e-5`. */
export function real(value: number | null | undefined, figures = 4): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(Math.max(0, figures - 3));
  const whole = size < 1 ? 0 : Math.floor(Math.log10(size));
  return value.toFixed(Math.max(0, figures - whole - (size < 1 ? 0 : 1)));
}

/** A learning rate, without digits that say nothing: `0.001`, `2.5e-5`. */
export function rate(value: number): string {
  const rounded = Number(value.toPrecision(3));
  return rounded !== 0 && rounded < 1e-4 ? rounded.toExponential().replace('e-0', 'e-') : String(rounded);
}

/** A share as percent: `84.3%`. */
export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined || Number.isNaN(share)
    ? '–'
    : `${(100 * share).toFixed(digits)}%`;
}

/** Seconds in a unit that suits: `340 µs`, `4.2 ms`, `12 s`, `3 min 20 s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.round(seconds);
  if (whole >= 90) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (seconds >= 1) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds >= 1e-3) return `${figure(1e3 * seconds)} ms`;
  return `${figure(1e6 * seconds)} µs`;
}

const figure = (value: number) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

/** A count in few letters: `12.4k`, `3.1M`. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 999_500) return `${figure(value / 1e6)}M`;
  return value >= 10_000 ? `${figure(value / 1e3)}k` : Math.round(value).toLocaleString('en-US');
}
