// What a picture is, once decoded, and what decoders have in common.

/** A decoded image. */
export interface Image {
  readonly height: number;
  readonly width: number;
  /** [channels, height, width]. */
  readonly pixels: Uint8Array;
}

/** No picture for training is larger, and a header that says so is a bomb. */
export const mostPixels = 2 ** 24;

/** ITU-R 601-2 luma in fixed point, as Pillow has it. */
export function grey(red: number, green: number, blue: number): number {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}
