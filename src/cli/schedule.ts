// `--schedule SPEC`: parts such as `cosine` or `step:size=3,gamma=0.1`, joined by `+` (at once) or by `/` (one after the
// other). What is refused is told as what was expected, in one line.

import * as v from 'valibot';
import { HeddleError, messageOf } from '../errors.ts';
import { optim } from '../index.ts';
import { count, expected, kinds, type Part } from './schedule-kinds.ts';

/** How long a run is going to be, and its learning rate: what parts are made of where they do not say it themselves. */
export interface RunLength {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly lr: number;
}

/** The keys of a part: `a=1,b=2,3` is a = `1`, b = `2,3`. */
function valuesOf(name: string, text: string, keys: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  let last: string | undefined;
  for (const piece of text.split(',')) {
    const [key = '', value] = piece.split(/=(.*)/s);
    if (value === undefined) {
      if (last === undefined) throw expected(`${name}:KEY=VALUE, not '${name}:${piece}'`);
      values[last] += `,${piece}`;
      continue;
    }
    if (!keys.includes(key)) throw expected(`a key of ${name} to be one of ${keys.join(', ')}, not '${key}'`);
    if (Object.hasOwn(values, key)) throw expected(`${name}’s ${key} only once`);
    values[key] = value;
    last = key;
  }
  return values;
}

function readPart(text: string): Part {
  const [name = '', given] = text.split(/:(.*)/s);
  const found = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (found === undefined)
    throw expected(`a schedule to be one of ${Object.keys(kinds).join(', ')}, not '${name}'`);
  const { until, ...values } = given === undefined ? {} : valuesOf(name, given, [...found.keys, 'until']);
  const milestone = until === undefined ? undefined : v.safeParse(count, until);
  if (milestone?.success === false) throw expected(`${name}’s until to be ${milestone.issues[0].message}`);
  return { ...found.read(name, values), until: milestone?.output };
}

/** What makes a schedule once the run's length is known. */
type Maker = (run: RunLength) => optim.Schedule;

const lengthIn = (every: optim.ScheduleUnit, { epochs, stepsPerEpoch }: RunLength) =>
  every === 'step' ? Math.min(epochs * stepsPerEpoch, Number.MAX_SAFE_INTEGER) : epochs;

function chain(parts: readonly Part[]): Maker {
  for (const [i, { name, until }] of parts.entries()) {
    if (until !== undefined) throw expected(`until=… only where another part follows after a /`);
    if (name === 'one-cycle' && i > 0)
      throw expected('one-cycle as the first part: it sets the rate whatever the others made of it');
  }
  if (parts.filter(({ name }) => name === 'plateau').length > 1) throw expected('one plateau at most');
  return (run) => {
    const made = parts.map(({ unit, every = unit, make }) =>
      make({ every, left: lengthIn(every, run), lr: run.lr }),
    );
    return made.length === 1 ? (made[0] as optim.Schedule) : optim.chainedScheduler(made);
  };
}

function sequence(parts: readonly Part[]): Maker {
  const { name: firstName, unit, every = unit } = parts[0] as Part;
  const ends: number[] = [];
  for (const [i, { name, unit, every: told, length, until }] of parts.entries()) {
    if (name === 'plateau') throw expected('plateau alone or joined by +, not by /');
    const counted = told ?? (name === 'warmup' ? unit : every);
    if (counted !== every)
      throw expected(`parts joined by / to count alike; ${firstName} counts ${every}s, ${name} ${counted}s`);
    if (i === parts.length - 1) {
      if (until !== undefined) throw expected(`no until in the last part, ${name}`);
      break;
    }
    const begin = ends.at(-1) ?? 0;
    const end = until ?? (length === undefined ? undefined : begin + length);
    if (end === undefined) throw expected(`${name} with until=N, where the next part begins`);
    if (end <= begin) throw expected(`${name}’s until to be above ${begin}, where it begins`);
    if (name === 'one-cycle' && length !== undefined && end - begin > length)
      throw expected('one-cycle’s for to reach to its until');
    ends.push(end);
  }
  return (run) => {
    const schedules = parts.map(({ make }, i) => {
      const left = Math.max(1, (ends[i] ?? lengthIn(every, run)) - (ends[i - 1] ?? 0));
      return make({ every, left, lr: run.lr });
    });
    return optim.sequentialLr({ schedules, milestones: ends });
  };
}

function parse(text: string): Maker {
  const steps = text.split('/');
  const atOnce = text.split(/\+(?=\D|$)/); // not the sign of 1e+3
  if (steps.length > 1 && atOnce.length > 1) throw expected('parts joined by + or by /, not by both');
  return steps.length > 1 ? sequence(steps.map(readPart)) : chain(atOnce.map(readPart));
}

/** The option's value: SPEC itself, when it can be read. */
export const scheduleSpec = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      parse(dataset.value);
    } catch (error) {
      addIssue({ message: messageOf(error) });
    }
  }),
);

/** The schedule that SPEC means for a run. Throws a HeddleError `usage` where it ends before the run. */
export function makeSchedule(spec: string, run: RunLength): optim.Schedule {
  const schedule = parse(spec)(run);
  try {
    schedule.lr({ steps: lengthIn('step', run) - 1, epochs: run.epochs - 1 }, run.lr);
  } catch (cause) {
    const length = `${run.stepsPerEpoch * run.epochs} steps, ${run.epochs} epochs`;
    throw new HeddleError(
      'usage',
      `--schedule: found '${spec}', expected a one-cycle that is as long as the run: ${length}`,
      { cause },
    );
  }
  return schedule;
}
