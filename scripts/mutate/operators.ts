// The ways in which a shader is broken on purpose: rules over its tokens, so that a new shader file gets its mutants by
// itself. Only function bodies, workgroup sizes and bit patterns are touched: declarations say nothing that a test could
// hold against them, and the other constants belong to the launchers.

import {
  argumentsOf,
  blankComments,
  endOfOperand,
  isBinary,
  parse,
  type Shader,
  startOfOperand,
  type Token,
  textOf,
} from './wgsl.ts';

/** One way in which one shader is wrong. */
export interface Mutant {
  /** `relu.wgsl:18:3 remove guard: i >= params.size → false`; the same as long as the shader stays the same. */
  readonly id: string;
  /** The kernel's name: its file without `.wgsl`. */
  readonly kernel: string;
  readonly line: number;
  readonly operator: string;
  /** The source line that the change begins in, without indentation. */
  readonly text: string;
  /** Where in `text` it begins. */
  readonly column: number;
  /** Offset in the source of `before`, which `after` replaces. */
  readonly start: number;
  readonly before: string;
  readonly after: string;
}

/** A replacement of the tokens [from, to). */
interface Change {
  readonly operator: string;
  readonly from: number;
  readonly to: number;
  readonly after: string;
}

type Rule = (shader: Shader, i: number, token: Token) => readonly Change[];

/** Bindings and module variables by name, with what they hold; and structs with their fields. */
interface Declarations {
  readonly variables: ReadonlyMap<string, { readonly type: string; readonly writable: boolean }>;
  readonly structs: ReadonlyMap<string, readonly { readonly name: string; readonly type: string }[]>;
  readonly tests: ReadonlySet<string>;
}

function declarationsOf(source: string): Declarations {
  const text = blankComments(source);
  const variables = new Map<string, { type: string; writable: boolean }>();
  for (const match of text.matchAll(/\bvar<([^>]*)>\s*(\w+)\s*:\s*([^;]+);/g)) {
    const [, space, name, type] = match as unknown as [string, string, string, string];
    variables.set(name, { type: type.trim(), writable: /workgroup|read_write/.test(space) });
  }
  const structs = new Map<string, { name: string; type: string }[]>();
  for (const match of text.matchAll(/\bstruct (\w+) \{([^}]*)\}/g)) {
    const fields = [...(match[2] as string).matchAll(/(\w+)\s*:\s*(\w+)/g)];
    structs.set(
      match[1] as string,
      fields.map(([, name, type]) => ({ name: name as string, type: type as string })),
    );
  }
  const tests = new Set(
    [...text.matchAll(/\bfn (\w+)\([^)]*\)\s*->\s*bool/g)].map(([, name]) => name as string),
  );
  return { variables, structs, tests };
}

const one = (operator: string, from: number, to: number, after: string): Change[] => [
  { operator, from, to, after },
];
const textAt = (shader: Shader, i: number) => shader.tokens[i]?.text ?? '';

const barrier: Rule = (shader, i, token) =>
  /^\w+Barrier$/.test(token.text)
    ? one('remove barrier', i, (shader.partner.get(i + 1) as number) + 2, '')
    : [];

/** Guards that leave a function are never taken; other conditions are taken always, and never. */
const condition: Rule = (shader, i, token) => {
  if (token.text !== 'if') return [];
  const end = shader.partner.get(i + 1) as number;
  const body = end + 1;
  const close = shader.partner.get(body) as number;
  let last = close - 2;
  while (last > body && !/^[;{}]$/.test(textAt(shader, last))) last--;
  const compares = shader.tokens.slice(i + 2, end).some(({ text }) => /^[<>]=?$/.test(text));
  if (compares && textAt(shader, last + 1) === 'return') return one('remove guard', i + 2, end, 'false');
  return [...one('never enter', i + 2, end, 'false'), ...one('always enter', i + 2, end, 'true')];
};

const dropCondition: Rule = (shader, i, token) => {
  if (!/^(\|\||&&)$/.test(token.text)) return [];
  const [start, end] = [startOfOperand(shader, i), endOfOperand(shader, i)];
  return [...one('drop condition', i, end, ''), ...one('drop condition', start, i + 1, '')];
};

const comparisons: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '==': '!=',
  '!=': '==',
};
const comparison: Rule = (shader, i, token) => {
  const other = comparisons[token.text];
  if (other === undefined || !isBinary(shader, i)) return [];
  // An unsigned number is always at least 0: as a loop's condition that never ends, as another's it is no mistake to make.
  if (token.text === '>' && textAt(shader, i + 1) === '0u') return [];
  return one('shift comparison', i, i + 1, other);
};

const loopEnd: Rule = (shader, i, token) =>
  token.text === '<' && shader.inForHeader.has(i) && isBinary(shader, i)
    ? one('end loop early', i, i + 1, '+ 1u <')
    : [];

const loopStride: Rule = (shader, i, token) => {
  if (!shader.inForHeader.has(i)) return [];
  if (token.text === '++') return one('change stride', i, i + 1, ' += 2u');
  if (token.text !== '+=' || shader.tokens[i + 1]?.kind === 'number') return [];
  return one('change stride', i, i + 1, '+= 1u +');
};

/** The operator with its right operand. What a wrong operator would do is hardly ever harder to see. */
const dropTerm: Rule = (shader, i, token) => {
  if (!/^[-+*/%&|]$/.test(token.text) || !isBinary(shader, i) || shader.inConstantIndex.has(i)) return [];
  // Without it, a number would stand where the vector that it was added to is meant.
  if (/^[-+]$/.test(token.text) && /^vec\d/.test(textAt(shader, i + 1))) return [];
  const operator = /^[-+|]$/.test(token.text) ? 'drop term' : 'drop factor';
  return one(operator, i, endOfOperand(shader, i), '');
};

const constant: Rule = (shader, i, token) => {
  if (token.kind !== 'number' || shader.inTemplate.has(i) || shader.inConstantIndex.has(i)) return [];
  const hexadecimal = /^0x/.test(token.text);
  if (hexadecimal) {
    const withSign = (Number.parseInt(token.text, 16) | 0x80000000) >>> 0;
    const isMask = textAt(shader, i - 1) === '&';
    const sign = isMask ? one('change bit pattern', i, i + 1, `0x${withSign.toString(16)}u`) : [];
    return [...one('change bit pattern', i, i + 1, '0u'), ...sign];
  }
  const value = Number.parseFloat(token.text);
  if (/\./.test(token.text))
    return one('change constant', i, i + 1, (value === 0 ? 1 : 2 * value).toFixed(1));
  return one('change constant', i, i + 1, token.text.replace(/^\d+/, `${value + 1}`));
};

const call = (shader: Shader, i: number, names: RegExp): [number, number][] | undefined =>
  names.test(textAt(shader, i)) && textAt(shader, i + 1) === '(' ? argumentsOf(shader, i + 1) : undefined;
const endOfCall = (shader: Shader, i: number) => (shader.partner.get(i + 1) as number) + 1;

const select: Rule = (shader, i) => {
  const parts = call(shader, i, /^select$/)?.map(([from, to]) => textOf(shader, from, to));
  if (parts === undefined) return [];
  return one('swap select', i, endOfCall(shader, i), `select(${parts[1]}, ${parts[0]}, ${parts[2]})`);
};

const extremum: Rule = (shader, i, token) =>
  (call(shader, i, /^(min|max)$/) ?? []).flatMap(([from, to]) =>
    one(`drop ${token.text}`, i, endOfCall(shader, i), `(${textOf(shader, from, to)})`),
  );

const dropCall: Rule = (shader, i) =>
  call(shader, i, /^(exp|exp2|log|log2|sqrt|inverseSqrt|abs|tanh|sign|floor|round)$/) === undefined
    ? []
    : one('drop call', i, i + 1, '');

const dropAddend: Rule = (shader, i) => {
  const parts = call(shader, i, /^fma$/)?.map(([from, to]) => textOf(shader, from, to));
  return parts === undefined
    ? []
    : one('drop addend', i, endOfCall(shader, i), `((${parts[0]}) * (${parts[1]}))`);
};

/** A conversion of the value where its bits were meant. */
const bitcast: Rule = (shader, i, token) =>
  token.text === 'bitcast' && textAt(shader, i + 1) === '<'
    ? one('drop bitcast', i, i + 4, textAt(shader, i + 2))
    : [];

const assignment: Rule = (shader, i, token) => {
  if (!/^[-+|]=$/.test(token.text) || shader.inForHeader.has(i)) return [];
  const plain = one('drop accumulation', i, i + 1, '=');
  return token.text === '|='
    ? plain
    : [...plain, ...one('swap sign', i, i + 1, token.text === '+=' ? '-=' : '+=')];
};

/** Statements alone in the body of an `if` are left out: not entering it is the same. */
const statement: Rule = (shader, i, token) => {
  if (shader.inForHeader.has(i) || !/^[;{}]$/.test(textAt(shader, i - 1)) || token.kind !== 'name') return [];
  if (/^(let|var|const|return|if|else|for|while|loop|switch|break|continue|\w+Barrier)$/.test(token.text))
    return [];
  const end = shader.tokens.findIndex((t, k) => k > i && t.text === ';') + 1;
  const condition = shader.partner.get(i - 2);
  if (condition !== undefined && textAt(shader, condition - 1) === 'if' && textAt(shader, end) === '}')
    return [];
  return one('delete statement', i, end, '');
};

const negation: Rule = (shader, i, token) =>
  (token.text === '-' && !isBinary(shader, i)) || token.text === '!'
    ? one('drop negation', i, i + 1, '')
    : [];

const neighbours: Readonly<Record<string, string>> = { x: 'y', y: 'x', z: 'y', w: 'z' };
const axis: Rule = (shader, i, token) => {
  const other = neighbours[token.text];
  return other !== undefined && textAt(shader, i - 1) === '.' ? one('swap axis', i, i + 1, other) : [];
};

/** `row * columns + column` as if the matrix were transposed. */
const indexFactors: Rule = (shader, i, token) => {
  if (token.text !== '*' || shader.inConstantIndex.has(i)) return [];
  const plus = endOfOperand(shader, i);
  if (textAt(shader, plus) !== '+') return [];
  const [start, end] = [startOfOperand(shader, i), endOfOperand(shader, plus)];
  const parts = [textOf(shader, start, i), textOf(shader, i + 1, plus), textOf(shader, plus + 1, end)];
  if (parts.some((part) => !/^[\w.]+$/.test(part))) return [];
  return one('swap index factors', start, end, `${parts[2]} * ${parts[1]} + ${parts[0]}`);
};

/** Rules that look at what the shader declares. */
function declaredRules({ variables, structs, tests }: Declarations): Rule[] {
  const binding: Rule = (shader, i, token) => {
    const variable = variables.get(token.text);
    if (variable === undefined || textAt(shader, i + 1) !== '[' || textAt(shader, i - 1) === '.') return [];
    const isWritten = /^[-+*/|]?=$/.test(textAt(shader, (shader.partner.get(i + 1) as number) + 1));
    const names = [...variables.keys()];
    const at = names.indexOf(token.text);
    const others = [...names.slice(at + 1), ...names.slice(0, at)];
    const other = others.find((name) => {
      const candidate = variables.get(name);
      return candidate?.type === variable.type && (candidate.writable || !isWritten);
    });
    return other === undefined ? [] : one('use other binding', i, i + 1, other);
  };
  const field: Rule = (shader, i, token) => {
    const owner = variables.get(textAt(shader, i - 2));
    const fields = textAt(shader, i - 1) === '.' ? structs.get(owner?.type ?? '') : undefined;
    const at = fields?.findIndex(({ name }) => name === token.text) ?? -1;
    if (fields === undefined || at < 0) return [];
    const others = [...fields.slice(at + 1), ...fields.slice(0, at)];
    const other = others.find(({ type }) => type === fields[at]?.type);
    const changes = other === undefined ? [] : one('use other field', i, i + 1, other.name);
    for (const [name, { type }] of variables) {
      if (type === owner?.type || !structs.get(type)?.some((f) => f.name === token.text)) continue;
      changes.push(...one('use other record', i - 2, i - 1, name));
    }
    return changes;
  };
  const skipTest: Rule = (shader, i, token) =>
    tests.has(token.text) && textAt(shader, i + 1) === '('
      ? one('skip test', i, endOfCall(shader, i), 'true')
      : [];
  return [binding, field, skipTest];
}

const rules: readonly Rule[] = [
  barrier,
  condition,
  dropCondition,
  comparison,
  loopEnd,
  loopStride,
  dropTerm,
  constant,
  select,
  extremum,
  dropCall,
  dropAddend,
  bitcast,
  assignment,
  statement,
  negation,
  axis,
  indexFactors,
];

/** Outside of function bodies: bit patterns, and workgroups of half the size. */
function outside(shader: Shader, i: number, token: Token): readonly Change[] {
  if (/^0x/.test(token.text)) return constant(shader, i, token);
  if (token.text !== 'workgroup_size') return [];
  return argumentsOf(shader, i + 1).flatMap(([from, to]) => {
    const size = Number(textOf(shader, from, to));
    return size > 1 ? one('halve workgroup', from, to, `${Math.floor(size / 2)}`) : [];
  });
}

/** Constants within functions are left out: what they say has to fit what is written around them. */
const isInConstant = (shader: Shader, i: number): boolean => {
  let k = i;
  while (k > 0 && !/^[;{}]$/.test(textAt(shader, k - 1))) k--;
  return textAt(shader, k) === 'const';
};

const squeezed = (text: string) => text.replace(/\s+/g, ' ').trim();

/** All mutants of a shader, in the order of the source. Two changes that give the same text count once. */
export function mutantsOf(kernel: string, source: string): Mutant[] {
  const shader = parse(source);
  const inside = [...rules, ...declaredRules(declarationsOf(source))];
  const seen = new Set<string>();
  const mutants: Mutant[] = [];
  shader.tokens.forEach((token, i) => {
    const changes =
      shader.inBody.has(i) && !isInConstant(shader, i)
        ? inside.flatMap((rule) => rule(shader, i, token))
        : outside(shader, i, token);
    for (const { operator, from, to, after } of changes) {
      const start = (shader.tokens[from] as Token).start;
      const before = textOf(shader, from, to);
      const result = source.slice(0, start) + after + source.slice(start + before.length);
      if (seen.has(result)) continue;
      seen.add(result);
      const line = source.slice(0, start).split('\n').length;
      const column = start - source.lastIndexOf('\n', start - 1);
      const whole = source.split('\n')[line - 1] as string;
      const indent = whole.length - whole.trimStart().length;
      const place = { line, text: whole.trim(), column: column - 1 - indent, start };
      const id = `${kernel}.wgsl:${line}:${column} ${operator}: ${squeezed(before)} → ${squeezed(after) || 'nothing'}`;
      mutants.push({ id, kernel, operator, ...place, before, after });
    }
  });
  return mutants;
}

/** The shader with the mutant in it. Throws when the source is not the one that the mutant was made from. */
export function applyMutant(
  source: string,
  mutant: Pick<Mutant, 'id' | 'start' | 'before' | 'after'>,
): string {
  const { id, start, before, after } = mutant;
  const end = start + before.length;
  if (source.slice(start, end) !== before) throw new Error(`'${id}' does not fit the source`);
  return source.slice(0, start) + after + source.slice(end);
}
