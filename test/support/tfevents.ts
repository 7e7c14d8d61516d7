// An independent reader of TensorBoard's event files, for tests: checks every checksum, bit by bit instead of by a table,
// and understands what our records may hold.

/** A record: when, of which step, and one of the rest. */
export interface ReadEvent {
  readonly seconds: number;
  readonly step: number;
  readonly version?: string;
  /** A session begins. */
  readonly start?: true;
  readonly tag?: string;
  readonly value?: number;
  readonly text?: string;
  readonly histogram?: ReadHistogram;
}

/** A histogram as it is in the file. */
export interface ReadHistogram {
  readonly min: number;
  readonly max: number;
  readonly num: number;
  readonly sum: number;
  readonly sumSquares: number;
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

function maskedCrc(bytes: Buffer): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

type Field = bigint | Buffer;

/** A message's fields by number; only the last of each, which is enough for ours. */
function fields(message: Buffer): Map<number, Field> {
  const found = new Map<number, Field>();
  let at = 0;
  const varint = () => {
    for (let [value, shift] = [0n, 0n]; ; shift += 7n) {
      const byte = BigInt(message.readUInt8(at++));
      value |= (byte & 127n) << shift;
      if (byte < 128n) return value;
    }
  };
  const take = (length: number) => {
    if (at + length > message.length) throw new Error(`a field ends at ${at + length} of ${message.length}`);
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const key = Number(varint());
    const [kind, field] = [key & 7, key >> 3];
    if (kind === 0) found.set(field, varint());
    else if (kind === 1) found.set(field, take(8));
    else if (kind === 2) found.set(field, take(Number(varint())));
    else if (kind === 5) found.set(field, take(4));
    else throw new Error(`field ${field} is of kind ${kind}`);
  }
  return found;
}

const bytesOf = (message: Map<number, Field>, field: number): Buffer => {
  const value = message.get(field);
  if (!Buffer.isBuffer(value)) throw new Error(`field ${field} is not there`);
  return value;
};
const doubles = (bytes: Buffer) =>
  Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i));

function readValue(value: Map<number, Field>): Partial<ReadEvent> {
  const tag = bytesOf(value, 1).toString();
  if (value.has(2)) return { tag, value: bytesOf(value, 2).readFloatLE() };
  if (value.has(5)) {
    const parts = fields(bytesOf(value, 5));
    const [min, max, num, sum, sumSquares] = [1, 2, 3, 4, 5].map((i) => bytesOf(parts, i).readDoubleLE());
    const [limits, counts] = [doubles(bytesOf(parts, 6)), doubles(bytesOf(parts, 7))];
    return { tag, histogram: { min, max, num, sum, sumSquares, limits, counts } as ReadHistogram };
  }
  return { tag, text: bytesOf(fields(bytesOf(value, 8)), 8).toString() };
}

function readEvent(data: Buffer): ReadEvent {
  const event = fields(data);
  const head = { seconds: bytesOf(event, 1).readDoubleLE(), step: Number(event.get(2) ?? 0n) };
  if (event.has(3)) return { ...head, version: bytesOf(event, 3).toString() };
  if (event.has(7)) {
    const status = fields(bytesOf(event, 7)).get(1);
    if (status !== 1n) throw new Error(`a session log of status ${status}`);
    return { ...head, start: true };
  }
  return { ...head, ...readValue(fields(bytesOf(fields(bytesOf(event, 5)), 1))) };
}

/** The records of a file. Throws for one that is torn or whose checksums are wrong. */
export function readRecords(file: Buffer): ReadEvent[] {
  const events: ReadEvent[] = [];
  for (let at = 0; at < file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    if (file.readUInt32LE(at + 8) !== maskedCrc(file.subarray(at, at + 8)))
      throw new Error('length: wrong CRC');
    if (file.readUInt32LE(at + 12 + length) !== maskedCrc(data)) throw new Error('data: wrong CRC');
    events.push(readEvent(data));
    at += 16 + length;
  }
  return events;
}
