// Just enough of WGSL's grammar for mutations: tokens with their brackets, and how far an operand reaches. Comments are
// blanks here, and everything outside of function bodies is told apart.

/** A token and where it stands. */
export interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly kind: 'name' | 'number' | 'symbol';
}

/** A shader cut into tokens. Indices are positions in `tokens`. */
export interface Shader {
  readonly source: string;
  readonly tokens: readonly Token[];
  /** For each bracket its partner. */
  readonly partner: ReadonlyMap<number, number>;
  /** Tokens of template lists, such as those of `array<vec4f, 4>`. */
  readonly inTemplate: ReadonlySet<number>;
  /** Tokens inside of function bodies. */
  readonly inBody: ReadonlySet<number>;
  /** Tokens inside of the headers of `for` loops. */
  readonly inForHeader: ReadonlySet<number>;
  /** Tokens inside of index brackets in loops that are unrolled: an index out of range there does not compile. */
  readonly inConstantIndex: ReadonlySet<number>;
}

const lexeme =
  /0x[0-9a-fA-F]+u?|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?[uif]?|[A-Za-z_]\w*|&&|\|\||[-+*/%&|^<>=!]=|\+\+|--|->|[^\s\w]/g;
const templated = /^(?:array|atomic|bitcast|ptr|var|vec[234]|mat[234]x[234])$/;

/** The source with every comment turned into blanks of the same length. */
export function blankComments(source: string): string {
  return source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
}

function tokensOf(text: string): Token[] {
  return [...text.matchAll(lexeme)].map((match) => {
    const [found] = match;
    const kind = /^[A-Za-z_]/.test(found) ? 'name' : /^\.?\d/.test(found) ? 'number' : 'symbol';
    return { text: found, start: match.index, end: match.index + found.length, kind };
  });
}

/** Cuts a shader into tokens. Throws for brackets without a partner. */
export function parse(source: string): Shader {
  const tokens = tokensOf(blankComments(source));
  const text = (i: number) => tokens[i]?.text;
  const partner = new Map<number, number>();
  const inTemplate = new Set<number>();
  const inBody = new Set<number>();
  const inForHeader = new Set<number>();
  const inConstantIndex = new Set<number>();
  const fill = (set: Set<number>, from: number, to: number) => {
    for (let i = from; i < to; i++) set.add(i);
  };

  const open: number[] = [];
  const closing: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
  tokens.forEach((token, i) => {
    if ('([{'.includes(token.text)) open.push(i);
    const opening = closing[token.text];
    if (opening === undefined) return;
    const start = open.pop();
    if (start === undefined || text(start) !== opening) throw new Error(`'${token.text}' without a partner`);
    partner.set(start, i);
    partner.set(i, start);
  });
  if (open.length > 0) throw new Error(`'${text(open[0] as number)}' without a partner`);

  tokens.forEach((token, i) => {
    if (token.text !== '<' || !templated.test(text(i - 1) ?? '')) return;
    let depth = 1;
    let end = i + 1;
    while (end < tokens.length && depth > 0) {
      if (text(end) === '<') depth++;
      if (text(end) === '>') depth--;
      end++;
    }
    fill(inTemplate, i, end);
  });

  const endOf = (i: number) => partner.get(i) as number;
  const next = (symbol: string, from: number) => tokens.findIndex((t, i) => i >= from && t.text === symbol);
  tokens.forEach((token, i) => {
    if (token.text === 'fn') {
      const body = next('{', endOf(next('(', i)));
      fill(inBody, body + 1, endOf(body));
    }
    if (token.text === 'for') {
      const header = i + 1;
      fill(inForHeader, header + 1, endOf(header));
      if (!/\/\/ unroll\s*$/.test(source.slice(0, token.start))) return;
      const body = endOf(header) + 1;
      for (let k = body; k < endOf(body); k++) {
        if (text(k) === '[') fill(inConstantIndex, k + 1, endOf(k));
      }
    }
  });
  return { source, tokens, partner, inTemplate, inBody, inForHeader, inConstantIndex };
}

const ranks: Readonly<Record<string, number>> = {
  '||': 1,
  '&&': 2,
  '|': 3,
  '^': 3,
  '&': 4,
  '==': 5,
  '!=': 5,
  '<': 5,
  '>': 5,
  '<=': 5,
  '>=': 5,
  '+': 6,
  '-': 6,
  '*': 7,
  '/': 7,
  '%': 7,
};

/** Whether the token at `i` is an operator between two operands. */
export function isBinary(shader: Shader, i: number): boolean {
  const { tokens, inTemplate } = shader;
  const before = tokens[i - 1];
  if (before === undefined || ranks[tokens[i]?.text ?? ''] === undefined || inTemplate.has(i)) return false;
  return (before.kind !== 'symbol' && before.text !== 'return') || /^[)\]]$/.test(before.text);
}

/** Position after the last token of the right operand of the binary operator at `i`. */
export function endOfOperand(shader: Shader, i: number): number {
  const { tokens, partner } = shader;
  const rank = ranks[tokens[i]?.text as string] as number;
  let k = i + 1;
  for (; k < tokens.length; k++) {
    const { text } = tokens[k] as Token;
    if (/^[([]$/.test(text)) k = partner.get(k) as number;
    else if (/^[)\]{};,]$/.test(text)) break;
    else if (k > i + 1 && isBinary(shader, k) && (ranks[text] as number) <= rank) break;
  }
  return k;
}

/** Position of the first token of the left operand of the binary operator at `i`. */
export function startOfOperand(shader: Shader, i: number): number {
  const { tokens, partner } = shader;
  const rank = ranks[tokens[i]?.text as string] as number;
  let k = i - 1;
  for (; k >= 0; k--) {
    const { text } = tokens[k] as Token;
    if (/^[)\]]$/.test(text)) k = partner.get(k) as number;
    else if (/^[([{};,]$/.test(text) || text === 'return' || /^[-+*/%&|^]?=$/.test(text)) break;
    else if (isBinary(shader, k) && (ranks[text] as number) < rank) break;
  }
  return k + 1;
}

/** The arguments of a call whose opening bracket is at `i`, as positions [from, to). */
export function argumentsOf(shader: Shader, i: number): [number, number][] {
  const { tokens, partner, inTemplate } = shader;
  const end = partner.get(i) as number;
  const found: [number, number][] = [];
  let from = i + 1;
  for (let k = i + 1; k <= end; k++) {
    const text = tokens[k]?.text as string;
    if (/^[([{]$/.test(text)) k = partner.get(k) as number;
    else if (k === end || (text === ',' && !inTemplate.has(k))) {
      if (k > from) found.push([from, k]);
      from = k + 1;
    }
  }
  return found;
}

/** The source text of the tokens [from, to). */
export function textOf(shader: Shader, from: number, to: number): string {
  const [first, last] = [shader.tokens[from], shader.tokens[to - 1]];
  return first === undefined || last === undefined ? '' : shader.source.slice(first.start, last.end);
}
