// Rows of row-major arrays.

type Rows = Uint8Array | Int32Array | Float32Array;

/** The `chosen` rows of `array`, which has `length` rows, in an array of their own. */
export function pickRows<Kind extends Rows>(array: Kind, length: number, chosen: Int32Array): Kind {
  const size = array.length / length;
  const Kind = array.constructor as new (length: number) => Kind;
  const picked = new Kind(chosen.length * size);
  // One value a row is usual for targets, and a set() of it would take longer than the value.
  if (size === 1) for (let i = 0; i < chosen.length; i++) picked[i] = array[chosen[i]!]!;
  else
    for (let i = 0; i < chosen.length; i++) {
      const from = chosen[i]! * size;
      picked.set(array.subarray(from, from + size), i * size);
    }
  return picked;
}
