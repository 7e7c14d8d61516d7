// The kinds of values that options take, each with what a refusal says was expected.

import * as v from 'valibot';

/** A whole number of at least `least`. */
export const wholeNumber = (least: number) => {
  const expected = `a whole number of at least ${least}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d+$/, expected),
    v.transform(Number),
    v.safeInteger(`${expected} and at most ${Number.MAX_SAFE_INTEGER}`),
    v.minValue(least, expected),
  );
};

/** How numbers that are not negative are written. */
export const decimal = /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A number > 0. */
export const positiveNumber = v.pipe(
  v.string(),
  v.regex(decimal, 'a positive number such as 1e-3'),
  v.transform(Number),
  // The GPU computes in float32: what is 0 or infinite there is no learning rate.
  v.check(
    (n) => Math.fround(n) > 0 && Number.isFinite(Math.fround(n)),
    'a positive number that float32 can hold',
  ),
);

/** A number from 0 to `most`. */
export const numberUpTo = (most: number) => {
  const expected =
    most === Number.POSITIVE_INFINITY ? 'a number of at least 0' : `a number from 0 to ${most}`;
  return v.pipe(
    v.string(),
    v.regex(decimal, expected),
    v.transform(Number),
    v.check((n) => Number.isFinite(n) && n <= most, expected),
  );
};

/** One of some words. */
export const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  v.picklist(names, names.length === 1 ? names[0] : `one of ${names.join(', ')}`);

const span = 'a length of time such as 90s, 30m or 2h';

/** A length of time, in seconds; a number alone means seconds. */
export const duration = v.pipe(
  v.string(),
  v.regex(/^(\d+\.?\d*|\.\d+)[smh]?$/, span),
  v.transform((text) => Number.parseFloat(text) * (text.endsWith('h') ? 3600 : text.endsWith('m') ? 60 : 1)),
  v.check((seconds) => seconds > 0 && seconds < 2 ** 31, span),
);

const port = 'a port from 0 to 65535 (0: a free one)';

/** A TCP port. */
export const portNumber = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}$/, port),
  v.transform(Number),
  v.maxValue(65535, port),
);
