// Text tables for a terminal: columns as wide as their widest cell. A pure function.

/** Options of `table`. */
export interface TableOptions {
  /** Alignment by column: `l` (default) or `r`. */
  readonly align?: string;
  /** Put before each line. */
  readonly indent?: string;
}

/** Rows of cells as lines, each ending in a newline; no trailing blanks. */
export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { align = '', indent = '' } = options;
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (align[i] === 'r' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${indent}${line(row)}\n`).join('');
}

/** A line cut to a width, with an ellipsis where something is missing. */
export function cut(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}

/** A foreign text in one line, without what could drive a terminal, turn its direction or be no valid character. */
export function cleaned(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\u202a-\u202e\u2066-\u2069]/gu,
    '\ufffd',
  );
}
