// Unrolls the WGSL loops that ask for it with the comment `// unroll`, for drivers that stop unrolling at a limit of
// their own. `for (var i = 0u; i < BOUND; i++) { body }` becomes BOUND blocks `{ const i = 0u; body }`, where BOUND is an
// integer or a module constant made of integers, other constants, * and /.
// Lines keep their numbers, so that a compile error points into the file: the first block stays as it is written, the
// others follow on the line of its closing brace.

import { HeddleError } from '../errors.ts';

const head = /^([ \t]*\/\/ unroll\n[ \t]*)(for \(var (\w+) = 0u; \3 < ([^;]+); \3\+\+\) \{)/m;

function evaluate(source: string, expression: string): number {
  const terms = expression.trim().split(/\s*([*/])\s*/);
  let value = evaluateTerm(source, terms[0] as string);
  for (let i = 1; i < terms.length; i += 2) {
    const operand = evaluateTerm(source, terms[i + 1] as string);
    value = terms[i] === '*' ? value * operand : Math.floor(value / operand);
  }
  return value;
}

function evaluateTerm(source: string, term: string): number {
  const number = /^(\d+)u?$/.exec(term);
  if (number !== null) return Number(number[1]);
  const constant = new RegExp(`^const ${term} = ([^;]+);`, 'm').exec(source);
  if (constant === null)
    throw new HeddleError('gpu', `cannot unroll a loop up to '${term}': it is no module constant`);
  return evaluate(source, constant[1] as string);
}

/** The text with spaces for comments, every other character in its place. WGSL has no strings to mistake for them. */
function blankComments(text: string): string {
  return text.replace(/\/\/.*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
}

/** Index of the brace that closes the block whose opening brace ends before `start`. */
function closingBrace(source: string, start: number): number {
  const code = blankComments(source.slice(start));
  let depth = 1;
  for (let i = 0; i < code.length; i++) {
    if (code[i] === '{') depth++;
    if (code[i] === '}' && --depth === 0) return start + i;
  }
  throw new HeddleError('gpu', 'cannot unroll a loop: its closing brace is missing');
}

/** Unrolls the loops of `text`, a part of a module whose constants stand in `source`. */
function unrollPart(text: string, source: string): string {
  const match = head.exec(text);
  if (match === null) return text;
  const [opening, marker, loop = '', name, bound = ''] = match;
  const start = match.index + opening.length;
  const end = closingBrace(text, start);
  // Inner loops first: flattening loses their markers, which are comments.
  const body = unrollPart(text.slice(start, end), source);
  const flat = blankComments(body).replace(/\s*\n\s*/g, ' ');
  const blocks = Array.from({ length: evaluate(source, bound) }, (_, i) => {
    const opening = `{ const ${name} = ${i}u;`;
    // The first is as wide as the loop's head, so that columns hold too.
    return i === 0 ? `${opening.padEnd(loop.length)}${body}}` : `${opening}${flat}}`;
  });
  const unrolled = blocks.length > 0 ? blocks.join(' ') : body.replace(/[^\n]/g, '');
  return text.slice(0, match.index) + marker + unrolled + unrollPart(text.slice(end + 1), source);
}

/** The source with every loop marked `// unroll` written out. Throws a HeddleError for a bound that is not constant. */
export function unrollLoops(source: string): string {
  return unrollPart(source, source);
}
