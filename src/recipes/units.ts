// Numbers as people read them. Pure functions.

/** A count with thousands separated: `60,000`. */
export function count(n: number): string {
  return Math.round(n).toLocaleString('en-US');
}

/** Bytes in the largest binary unit that leaves at least 1: `128 MiB`, `1.5 KiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = value >= 100 ? value.toFixed(0) : value.toFixed(1).replace('.0', '');
  return `${text} ${units[unit]}`;
}
