// What keys do to the part of a chart that is seen. Pure.

/** From where to where, in the chart's x; both ends are seen. */
export type Range = readonly [number, number];

interface Seen {
  readonly range: Range;
  /** All that there is to see. */
  readonly whole: Range;
  /** Where the pointer is; what it points at stays there. Undefined: nowhere on the chart, then the middle does. */
  readonly at: number | undefined;
}

const factor = 2;
/** The narrowest that a chart gets, and which share of it is moved by at a time. */
const narrowest = 10;
const share = 0.25;

/** A range as wide, pushed into the whole one; undefined where it is all of that. */
function within([from, to]: Range, [first, last]: Range): Range | undefined {
  if (to - from >= last - first) return undefined;
  const by = Math.max(first - from, 0) + Math.min(last - to, 0);
  return [from + by, to + by];
}

/**
 * The part that is seen after a key: undefined for the whole range, which then grows with what comes; false for a key that
 * means nothing here.
 */
export function zoomedBy(key: string, { range, whole, at }: Seen): Range | undefined | false {
  const [from, to] = range;
  const width = to - from;
  const scaled = (by: number) => {
    const wanted = Math.max(Math.min(narrowest, width), width * by);
    const middle = at !== undefined && at >= from && at <= to ? at : (from + to) / 2;
    const left = middle - ((middle - from) / width) * wanted;
    return within([left, left + wanted], whole);
  };
  const moved = (by: number) => within([from + by * width, to + by * width], whole);
  switch (key) {
    case '+':
    case '=': // the same key, without Shift
      return scaled(1 / factor);
    case '-':
    case '_':
      return scaled(factor);
    case 'ArrowLeft':
      return moved(-share);
    case 'ArrowRight':
      return moved(share);
    case 'Home':
      return within([whole[0], whole[0] + width], whole);
    case 'End':
      return within([whole[1] - width, whole[1]], whole);
    case '0':
    case 'Escape':
      return undefined;
    default:
      return false;
  }
}
