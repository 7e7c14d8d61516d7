// Compares what a page shows with what a command prints.

const number = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g;
/** How far apart numbers with a decimal point may be: drivers add in different orders. */
const tolerance = 1e-4;

const squeezed = (line: string) => line.replace(/\s+/g, ' ').trim();

/** Whether a printed line is the line that is shown; with `prefix`, or begins with it. */
export function sameLine(shown: string, printed: string, prefix = false): boolean {
  const [expected, found] = [squeezed(shown), squeezed(printed)];
  if (/^-{3,}$/.test(expected)) return /^-{3,}$/.test(found);
  const numbers: string[] = [];
  const pattern = expected
    .replace(number, (text) => `⟨${numbers.push(text) - 1}⟩`)
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('…', '.*?')
    .replace(/⟨\d+⟩/g, '(-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)');
  const match = new RegExp(`^${pattern}${prefix ? '' : '$'}`).exec(found);
  return match !== null && numbers.every((text, i) => sameNumber(text, match[i + 1] as string));
}

function sameNumber(shown: string, printed: string): boolean {
  if (!/[.e]/.test(shown)) return shown === printed;
  const value = Number(shown);
  return Math.abs(value - Number(printed)) <= tolerance * Math.max(1, Math.abs(value));
}

/** The first line that is shown and was not printed; undefined when all is well. */
export function differing(shown: string, printed: string, prefix = false): string | undefined {
  const found = printed.replace(/\n+$/, '').split('\n');
  let at = 0;
  let anywhere = false;
  for (const line of shown.replace(/\n+$/, '').split('\n')) {
    if (line.trim() === '…') {
      anywhere = true;
      continue;
    }
    const next = anywhere
      ? found.findIndex((one, i) => i >= at && sameLine(line, one, prefix))
      : sameLine(line, found[at] ?? '', prefix)
        ? at
        : -1;
    if (next < 0) return `shown:   ${line}\nprinted: ${anywhere ? '(nowhere)' : (found[at] ?? '(nothing)')}`;
    at = next + 1;
    anywhere = false;
  }
  return anywhere || prefix || at >= found.length ? undefined : `printed, not shown: ${found[at]}`;
}
