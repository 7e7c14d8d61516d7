// The JSON that heads a safetensors file: an object of one object a tensor, and of strings under `__metadata__`. Read by a
// reader of its own, as JSON.parse drops all but the last of equal keys, and takes any depth and any kind of value first.

import { HeddleError } from '../errors.ts';

/** Where a tensor lies in a file's data, and as what. Nothing of it is checked against the file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes of the data, the end not among them. */
  readonly begin: number;
  readonly end: number;
}

/** A header's content, in its order. */
export interface Header {
  readonly entries: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** The name that is no tensor's. */
export const metadataName = '__metadata__';

/** Throws a HeddleError `file`. */
export const refuse = (what: string, cause?: unknown): never => {
  throw new HeddleError('file', `safetensors: ${what}`, cause === undefined ? {} : { cause });
};

/** Text of a file's own as a message shows it: in one line, without control characters, and cut. */
export function shown(text: string): string {
  const most = 80;
  const escaped = (c: string) => `\\u${(c.codePointAt(0) as number).toString(16).padStart(4, '0')}`;
  const start = text.length > most ? `${text.slice(0, most)}…` : text;
  return start.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}

/** A shape as a message shows it. */
export const shapeText = (shape: readonly number[]) => shown(`[${shape.slice(0, 40).join(', ')}]`);

/** Says where in a header something is. Called for messages alone. */
type Where = () => string;

const space = /[ \t\n\r]*/y;
const wholeNumber = /(?:0|[1-9]\d*)(?![\d.eE])/y;
/** NumPy's limit, and PyTorch's. */
const mostSizes = 64;

/** Steps through a header's text. Its functions throw for what is not there. */
function reader(text: string) {
  let at = 0;
  const skipSpace = () => {
    space.lastIndex = at;
    space.test(text);
    at = space.lastIndex;
  };
  const unexpected = (expected: string, where: Where) => {
    const found = at < text.length ? `'${shown(text.slice(at, at + 20))}'` : 'its end';
    return refuse(`the header is not JSON as expected: ${where()}: found ${found}, expected ${expected}`);
  };
  const taken = (mark: string): boolean => {
    skipSpace();
    if (text[at] !== mark) return false;
    at++;
    return true;
  };
  const take = (mark: string, where: Where) => {
    if (!taken(mark)) unexpected(`'${mark}'`, where);
  };
  const word = (where: Where): string => {
    skipSpace();
    if (text[at] !== '"') return unexpected('a string', where);
    let end = at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    try {
      const value: string = JSON.parse(text.slice(at, end + 1)); // knows the escapes
      at = end + 1;
      return value;
    } catch {
      return unexpected('a string', where);
    }
  };
  const size = (where: Where): number => {
    skipSpace();
    wholeNumber.lastIndex = at;
    const value = wholeNumber.test(text) ? Number(text.slice(at, wholeNumber.lastIndex)) : Number.NaN;
    if (!Number.isSafeInteger(value)) return unexpected('a whole number', where);
    at = wholeNumber.lastIndex;
    return value;
  };
  /** Reads things separated by commas up to a closing mark. */
  const list = (close: string, where: Where, one: () => void): void => {
    if (taken(close)) return;
    do one();
    while (taken(','));
    take(close, where);
  };
  const object = (where: Where, value: (key: string) => void): void => {
    take('{', where);
    const keys = new Set<string>();
    list('}', where, () => {
      const key = word(where);
      if (keys.has(key)) refuse(`${where()}: the key ${shown(key)} is there twice`);
      keys.add(key);
      take(':', where);
      value(key);
    });
  };
  const sizes = (where: Where): number[] => {
    const all: number[] = [];
    take('[', where);
    list(']', where, () => {
      if (all.push(size(where)) > mostSizes) refuse(`${where()}: more than ${mostSizes} numbers`);
    });
    return all;
  };
  const end = () => {
    skipSpace();
    if (at < text.length) unexpected('its end', () => 'after the object');
  };
  return { word, object, sizes, end };
}

/** Reads a header. Throws a HeddleError `file` that says what is wrong and where. */
export function parseHeader(bytes: Uint8Array): Header {
  if (bytes[0] !== 0x7b) refuse(`the header does not begin with '{': not a safetensors file`);
  let text = '';
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    refuse('the header is not UTF-8', cause);
  }
  const read = reader(text);
  const entries: TensorEntry[] = [];
  const metadata = new Map<string, string>();
  read.object(
    () => 'the header',
    (name) => {
      const where = () => shown(name);
      if (name === metadataName) {
        read.object(where, (key) =>
          metadata.set(
            key,
            read.word(() => `${name}: ${shown(key)}`),
          ),
        );
        return;
      }
      const fields: { dtype?: string; shape?: number[]; offsets?: number[] } = {};
      read.object(where, (key) => {
        const field = () => `${where()}: ${key}`;
        if (key === 'dtype') fields.dtype = read.word(field);
        else if (key === 'shape') fields.shape = read.sizes(field);
        else if (key === 'data_offsets') fields.offsets = read.sizes(field);
        else refuse(`${where()}: ${shown(key)} is unknown, expected dtype, shape and data_offsets`);
      });
      const { dtype, shape, offsets } = fields;
      if (dtype === undefined || shape === undefined || offsets === undefined)
        return refuse(`${where()}: expected dtype, shape and data_offsets`);
      const [begin, end, ...more] = offsets;
      if (begin === undefined || end === undefined || more.length > 0)
        return refuse(`${where()}: data_offsets ${shapeText(offsets)}, expected two offsets`);
      entries.push({ name, dtype, shape, begin, end });
    },
  );
  read.end();
  return { entries, metadata };
}
