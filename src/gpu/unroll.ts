// Unrolls the WGSL loops that ask for it with the comment `// unroll`, for drivers that stop unrolling at a limit of
// their own. `for (var i = 0u; i < BOUND; i++) { body }` becomes BOUND blocks `{ const i = 0u; body }`, where BOUND is an
// integer or a module constant made of integers, other constants, * and /.

import { HeddleError } from '../errors.ts';

const head = /^[ \t]*\/\/ unroll\n[ \t]*for \(var (\w+) = 0u; \1 < ([^;]+); \1\+\+\) \{/m;

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

/** Index just past the brace that closes the block whose opening brace ends before `start`. */
function endOfBlock(source: string, start: number): number {
  let depth = 1;
  for (let i = start; i < source.length; i++) {
    if (source[i] === '{') depth++;
    if (source[i] === '}' && --depth === 0) return i + 1;
  }
  throw new HeddleError('gpu', 'cannot unroll a loop: its closing brace is missing');
}

/** The source with every loop marked `// unroll` written out. Throws a HeddleError for a bound that is not constant. */
export function unrollLoops(source: string): string {
  let text = source;
  for (let match = head.exec(text); match !== null; match = head.exec(text)) {
    const [opening, name, bound] = match as unknown as [string, string, string];
    const start = match.index + opening.length;
    const end = endOfBlock(text, start);
    const body = text.slice(start, end); // with its closing brace
    const count = evaluate(text, bound);
    const blocks = Array.from({ length: count }, (_, i) => `{ const ${name} = ${i}u;${body}`);
    text = text.slice(0, match.index) + blocks.join('\n') + text.slice(end);
  }
  return text;
}
