// What a person at a terminal sees: a live bar on stderr while an epoch runs, a line of results on stdout when it ends.

import pc from 'picocolors';
import { count } from '../recipes/units.ts';
import type { ProgressEvent } from '../train/events.ts';
import { type CliEvent, eraseLine, type Output, type Sink } from './sinks.ts';

/** Options of `barSink`. */
export interface BarOptions {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly epochs: number;
  /** Rows of the training set, and rows in a batch: for the time that is left. */
  readonly rows: number;
  readonly batchSize: number;
  /** Milliseconds from anywhere; tests have their own. */
  readonly now?: () => number;
}

/** Redraws are at least this far apart, in ms. */
const interval = 100;
const full = '━';
const empty = '─';
const shortestBar = 10;
const longestBar = 40;

/** A bar of `room` characters, `share` of it done, 0 … 1. */
export function progressBar(share: number, room: number): string {
  const done = Math.round(room * Math.min(1, share));
  return full.repeat(done) + empty.repeat(room - done);
}

/** Seconds as `0:07`, `12:34` or `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${pad(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

function secondsLeft(event: ProgressEvent, { epochs, rows, batchSize }: BarOptions): number {
  const here = event.phase === 'train' ? Math.max(0, rows - event.batch * batchSize) : 0;
  return (here + (epochs - event.epoch) * rows) / event.samplesPerSecond;
}

/** The bar for one event, at most `width` characters. Parts that do not fit are left out, the bar first. */
export function barLine(event: ProgressEvent, options: BarOptions, width: number): string {
  const title = `epoch ${event.epoch}/${options.epochs}${event.phase === 'validate' ? ' test' : ''}`;
  const batches = `${String(event.batch).padStart(String(event.batches).length)}/${event.batches}`;
  const parts = [batches];
  if (event.phase === 'train' && Number.isFinite(event.loss)) parts.push(`loss ${event.loss.toFixed(4)}`);
  if (event.samplesPerSecond > 0) {
    parts.push(`${count(event.samplesPerSecond)} img/s`);
    // The rate of an evaluation says nothing about training.
    if (event.phase === 'train') parts.push(`ETA ${clock(secondsLeft(event, options))}`);
  }
  const text = parts.join('  ');
  const room = Math.min(longestBar, width - title.length - text.length - 4);
  if (room < shortestBar) return `${title}  ${text}`.slice(0, width);
  return `${title}  ${progressBar(event.batch / Math.max(1, event.batches), room)}  ${text}`;
}

function resultLine(event: CliEvent, epochs: number): string {
  if (event.type === 'epoch') {
    const number = String(event.epoch).padStart(String(epochs).length);
    const parts = [`epoch ${number}/${epochs}`, `train loss ${event.train.loss.toFixed(6)}`];
    if (event.validation !== undefined) {
      parts.push(`test loss ${event.validation.loss.toFixed(6)}`);
      parts.push(`accuracy ${(100 * event.validation.accuracy).toFixed(2)} %`);
    }
    parts.push(`${event.seconds.toFixed(1)} s`, `${count(event.samplesPerSecond)} img/s`);
    return `${parts.join('  ')}\n`;
  }
  if (event.type !== 'done') return '';
  const perStep = `${(1000 * event.secondsPerStep).toFixed(2)} ms a step`;
  return `${count(event.steps)} steps in ${event.seconds.toFixed(1)} s, ${perStep} → ${event.run}\n`;
}

/** Draws the bar where stderr is a terminal, and notices above it; prints the results in any case. */
export function barSink(options: BarOptions): Sink & { notice(line: string): void } {
  const { stdout, stderr, epochs, now = () => performance.now() } = options;
  const colors = pc.createColors(stderr.isTTY === true && pc.isColorSupported);
  let drawn = false;
  let last = Number.NEGATIVE_INFINITY;
  const wipe = () => {
    if (drawn) stderr.write(eraseLine);
    drawn = false;
  };
  const draw = (event: ProgressEvent) => {
    const time = now();
    if (stderr.isTTY !== true || time - last < interval) return;
    last = time;
    drawn = true;
    // One column stays free: some terminals wrap as soon as the last one is written.
    const line = barLine(event, options, (stderr.columns || 80) - 1);
    const painted = line
      .replace(new RegExp(`${full}+`), (text) => colors.cyan(text))
      .replace(new RegExp(`${empty}+`), (text) => colors.dim(text));
    stderr.write(`${eraseLine}${painted}`);
  };
  return {
    event(event) {
      if (event.type === 'progress') return draw(event);
      const text = resultLine(event, epochs);
      if (text === '') return;
      wipe();
      stdout.write(text);
    },
    notice(line) {
      wipe();
      stderr.write(`${line}\n`);
    },
    close: wipe,
  };
}
