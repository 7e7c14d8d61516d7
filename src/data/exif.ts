// Which way up a camera was held: the orientation tag that it writes into a JPEG file. Pure functions of bytes.

import type { Image } from './image.ts';

const orientationTag = 0x0112;
const shortType = 3;

/**
 * The Exif orientation of a JPEG file, 1 … 8 (CIPA DC-008, 4.6.5): 1, as it is, where there is none or nothing that makes
 * sense.
 */
export function orientationOf(file: Uint8Array): number {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // Segments follow each other up to the first scan.
  for (let at = 2; at + 4 <= file.length && file[at] === 0xff; ) {
    const [marker, length] = [file[at + 1], view.getUint16(at + 2)];
    if (marker === 0xda || length < 2) return 1;
    const end = Math.min(file.length, at + 2 + length);
    const isExif = marker === 0xe1 && String.fromCharCode(...file.subarray(at + 4, at + 10)) === 'Exif\0\0';
    if (isExif) return inTiff(file.subarray(at + 10, end));
    at = end;
  }
  return 1;
}

function inTiff(tiff: Uint8Array): number {
  if (tiff.length < 8) return 1;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const little = view.getUint16(0) === 0x4949; // "II", else "MM"
  const start = view.getUint32(4, little);
  if (start + 2 > tiff.length) return 1;
  const entries = view.getUint16(start, little);
  for (let i = 0; i < entries; i++) {
    const at = start + 2 + 12 * i;
    if (at + 12 > tiff.length) return 1;
    if (view.getUint16(at, little) !== orientationTag || view.getUint16(at + 2, little) !== shortType)
      continue;
    const value = view.getUint16(at + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** The image as it was seen by whoever held the camera that way. */
export function upright(image: Image, orientation: number): Image {
  if (orientation === 1) return image;
  const { height, width, pixels } = image;
  // From 5 on rows are columns; then, in the image as it is stored, the row or the column counts from its far end.
  const turned = orientation >= 5;
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBelow = [3, 4, 6, 7].includes(orientation);
  const [rows, columns] = turned ? [width, height] : [height, width];
  const result = new Uint8Array(pixels.length);
  for (let plane = 0, to = 0; plane < pixels.length; plane += height * width)
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        const [row, column] = turned ? [x, y] : [y, x];
        const oldY = fromBelow ? height - 1 - row : row;
        const oldX = fromRight ? width - 1 - column : column;
        result[to++] = pixels[plane + oldY * width + oldX] as number;
      }
  return { height: rows, width: columns, pixels: result };
}
