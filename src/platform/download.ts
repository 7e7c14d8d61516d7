// Downloads one verified file, in Node and in browsers alike: mirror after mirror, resuming by Range, in bounded time.
// Keeps the packed bytes in memory (their length is bounded); knows nothing of where they, or parts of them, are stored.

import { HeddleError, messageOf } from '../errors.ts';
import {
  type Bytes,
  type DownloadLimits,
  type FileEntry,
  type Gunzip,
  type LoadFilesOptions,
  maxFileBytes,
  verifyFile,
} from './files.ts';

const DEFAULT_LIMITS: DownloadLimits = { attempts: 4, backoffMs: 500, stallMs: 20_000, totalMs: 900_000 };

/** A file that was downloaded and is what it should be. */
export interface Downloaded {
  /** Unpacked. */
  readonly bytes: Bytes;
  /** As the server sent it. */
  readonly packed: Bytes;
  readonly url: string;
  readonly mirror: string;
}

/** Where what has arrived of a file outlives us. Nothing that goes wrong there is a failure of the download. */
export interface PartStore {
  /** Takes over what was left of `url`, or begins anew. */
  open(url: string): Promise<KeptPart>;
}

/** The beginning of one address's content. */
export interface KeptPart {
  /** What there was when it was opened; it may be wrong. */
  readonly left: Bytes;
  append(piece: Bytes): Promise<void>;
  /** Forgets all of it. */
  clear(): Promise<void>;
  /** Leaves it to whoever opens the address next. */
  close(): Promise<void>;
}

/** One attempt's failure; `transient` says whether the same mirror deserves another one. */
interface Failure {
  readonly reason: string;
  readonly transient: boolean;
}

/**
 * The file `entry` from the first of `mirrors` that yields the right bytes; each is asked for `entry.name` + `.gz`.
 * Throws `data` with every mirror's reason when none does, the signal's own reason when `options.signal` is aborted.
 */
export async function downloadFile(
  entry: FileEntry,
  mirrors: readonly string[],
  gunzip: Gunzip,
  options: LoadFilesOptions,
  parts?: PartStore,
): Promise<Downloaded> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const deadline = Date.now() + limits.totalMs;
  const reasons: string[] = [];
  for (const mirror of mirrors) {
    options.signal?.throwIfAborted();
    const url = `${mirror.endsWith('/') ? mirror : `${mirror}/`}${entry.name}.gz`;
    if (Date.now() >= deadline) {
      reasons.push(`gave up after ${limits.totalMs / 1000} s`);
      break;
    }
    const part = partOf(await parts?.open(url));
    try {
      for (let inherited = part.received > 0; ; inherited = false) {
        const failure = await fetchWhole(url, entry, part, limits, deadline, options);
        if (failure) {
          reasons.push(`${url}: ${failure.reason}`);
          break;
        }
        const packed = joined(part);
        try {
          return { bytes: await verifyFile(url, entry, packed, gunzip, 'download'), packed, url, mirror };
        } catch (error) {
          if (!(error instanceof HeddleError)) throw error;
          await clear(part);
          if (inherited) continue; // what was left there may have been the fault
          reasons.push(error.message);
          break;
        }
      }
    } finally {
      await part.kept?.close();
    }
  }
  options.signal?.throwIfAborted();
  throw new HeddleError(
    'data',
    `cannot download ${entry.name}.gz (${reasons.join('; ') || 'no mirror to ask'})`,
  );
}

async function fetchWhole(
  url: string,
  entry: FileEntry,
  part: Part,
  limits: DownloadLimits,
  deadline: number,
  options: LoadFilesOptions,
): Promise<Failure | undefined> {
  for (let attempt = 1; ; attempt++) {
    const failure = await fetchRest(url, entry, part, limits, deadline, options);
    if (!failure) return undefined;
    const pause = limits.backoffMs * 2 ** (attempt - 1);
    if (!failure.transient || attempt >= limits.attempts || Date.now() + pause >= deadline) return failure;
    await pauseFor(pause, options.signal);
  }
}

/** Waits; throws the signal's reason as soon as there is one. */
async function pauseFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted(); // it would not tell again
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    }
    signal?.addEventListener('abort', done);
  });
}

/** What has arrived of a file so far. */
interface Part {
  chunks: Bytes[];
  received: number;
  readonly kept: KeptPart | undefined;
}

function partOf(kept: KeptPart | undefined): Part {
  const left = kept?.left ?? new Uint8Array();
  return { chunks: [left], received: left.length, kept };
}

async function fetchRest(
  url: string,
  entry: FileEntry,
  part: Part,
  limits: DownloadLimits,
  deadline: number,
  options: LoadFilesOptions,
): Promise<Failure | undefined> {
  const control = new AbortController();
  const signals = options.signal === undefined ? [control.signal] : [control.signal, options.signal];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = () => {
    clearTimeout(timer);
    const wait = Math.min(limits.stallMs, Math.max(0, deadline - Date.now()));
    timer = setTimeout(() => control.abort(), wait);
  };
  let answered = false;
  try {
    patience();
    // Identity: a server that "helps" by declaring the .gz as an encoding would break resuming.
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (part.received > 0) headers.range = `bytes=${part.received}-`;
    const response = await fetch(url, { headers, signal: AbortSignal.any(signals) });
    answered = true;
    const refused = await refusal(response, part);
    if (refused) return refused;
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const encoded = response.headers.has('content-encoding');
    const total = Number.isFinite(length) && !encoded ? part.received + length : undefined;
    const report = () => options.onProgress?.({ file: entry.name, url, received: part.received, total });
    report();
    try {
      const reader = response.body?.getReader();
      for (;;) {
        patience();
        const piece = await reader?.read();
        if (!piece || piece.done) break;
        part.received += piece.value.length;
        if (part.received > maxFileBytes(entry)) {
          await reader?.cancel();
          await clear(part);
          return { reason: `sends more than ${maxFileBytes(entry)} bytes`, transient: false };
        }
        part.chunks.push(piece.value);
        if (!encoded) await part.kept?.append(piece.value);
        report();
      }
    } catch (error) {
      // Decoded bytes do not tell where in the file the transfer broke.
      if (encoded) await clear(part);
      throw error;
    }
    if (total !== undefined && part.received < total) {
      return { reason: `ended after ${part.received} of ${total} bytes`, transient: true };
    }
    return undefined;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (control.signal.aborted) {
      const late = Date.now() >= deadline;
      const reason = late
        ? `gave up after ${limits.totalMs / 1000} s`
        : `no data for ${limits.stallMs / 1000} s`;
      return { reason, transient: answered && !late };
    }
    return networkFailure(error, answered);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks at status and range; what arrived earlier is dropped when the server starts at the beginning again. */
async function refusal(response: Response, part: Part): Promise<Failure | undefined> {
  const { status } = response;
  if (status === 206 && part.received > 0) {
    const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
    // The header is hidden from a page on another origin; the checksum decides then.
    if (start === undefined || Number(start) === part.received) return undefined;
    await response.body?.cancel();
    await clear(part);
    return { reason: `answered with bytes from ${start}, which were not asked for`, transient: true };
  }
  if (status === 200) {
    await clear(part);
    return undefined;
  }
  await response.body?.cancel();
  if (status === 416) await clear(part);
  const transient = status >= 500 || [408, 416, 425, 429].includes(status);
  return { reason: `HTTP ${status}`, transient };
}

function networkFailure(error: unknown, answered: boolean): Failure {
  // fetch hides the reason in the cause: "fetch failed" alone helps nobody.
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reason = messageOf(cause) || code || 'network error';
  return { reason, transient: answered || ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(code) };
}

async function clear(part: Part): Promise<void> {
  part.chunks = [];
  part.received = 0;
  await part.kept?.clear();
}

function joined(part: Part): Bytes {
  const bytes = new Uint8Array(part.received);
  let at = 0;
  for (const chunk of part.chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
