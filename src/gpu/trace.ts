// Spans of host time: what the scheduler does for a running plan, told to whoever observes the device. Costs nothing
// while nobody does.

/** One thing that the host did: wrote data for a chunk of steps, submitted it or a part of it, or waited for it. */
export interface Span {
  readonly name: 'fill' | 'submit' | 'wait';
  /** When it began and ended, in ms as `performance.now()` counts them. */
  readonly start: number;
  readonly end: number;
}

/** What is told of each span as it ends. */
export type Observer = (span: Span) => void;

const nothing = () => {};

/** Begins a span; the result ends it. */
export function beginSpan(
  { observe }: { readonly observe?: Observer | undefined },
  name: Span['name'],
): () => void {
  if (observe === undefined) return nothing;
  const start = performance.now();
  return () => observe({ name, start, end: performance.now() });
}
