// The errors that Heddle throws on purpose. Imports nothing; everybody may import it.
// A message says what was attempted, what was found, what was expected and what to do, in one line.

/** What kind of trouble an error is; the command line maps it to an exit code. */
export type ErrorCode =
  | 'usage'
  | 'no-adapter'
  | 'data'
  | 'diverged'
  | 'device-lost'
  | 'shape'
  | 'limit'
  | 'gpu'
  | 'file'
  | 'destroyed';

/** Every error that Heddle throws on purpose. `code` tells the kind; `message` is one line for a person. */
export class HeddleError extends Error {
  readonly code: ErrorCode;
  /** Of `diverged`: the optimizer step, from 1, whose loss, gradients or parameters are not finite. */
  readonly step: number | undefined;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly step?: number }) {
    super(message, options);
    this.name = 'HeddleError';
    this.code = code;
    this.step = options?.step;
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
