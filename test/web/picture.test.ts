import { expect, test } from 'vitest';
import { columnsFor, greyPicture, modelPixels, mostOf, tilesPicture } from '../../src/web/picture.ts';

/** A picture with one colour outside and another in a square in its middle. */
function square(width: number, height: number, outside: number[], inside: number[]) {
  const data = new Uint8ClampedArray(4 * width * height);
  const near = (at: number, size: number) => Math.abs(at + 0.5 - size / 2) < 0.25 * Math.min(width, height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.set(near(x, width) && near(y, height) ? inside : outside, 4 * (y * width + x));
  return { width, height, data };
}
const [white, black, nothing] = [
  [255, 255, 255, 255],
  [0, 0, 0, 255],
  [0, 0, 0, 0],
];
const corner = (pixels: Uint8Array) => pixels[0];
const middle = (pixels: Uint8Array) => pixels[28 * 14 + 14];

test.each([
  ['dark on light', square(56, 56, white, black)],
  ['light on dark', square(56, 56, black, white)],
  ['dark on nothing', square(56, 56, nothing, black)],
  ['wide', square(100, 40, white, black)],
  ['high', square(30, 90, black, white)],
])('%s becomes light on dark, 28 × 28', (_, picture) => {
  const pixels = modelPixels(picture);
  expect(pixels).toHaveLength(784);
  expect([corner(pixels), middle(pixels)]).toEqual([0, 255]);
});

test('a picture of the model’s size stays as it is', () => {
  const pixels = Uint8Array.from({ length: 784 }, (_, i) => (i % 28 === 0 || i < 28 ? 0 : (7 * i) % 120));
  expect(modelPixels(greyPicture(pixels, 28, 28))).toEqual(pixels);
});

test('colours are grey by their weight', () => {
  const pixels = modelPixels(square(28, 28, black, [255, 0, 0, 255]));
  expect(middle(pixels)).toBe(76); // 0.299 of 255
});

test('tiles lie side by side with a pixel between them, blue below zero and orange above it', () => {
  const values = Float32Array.of(-1, -1, -1, -1, 1, 1, 1, 1, 0, 0, 0, 0);
  const tiles = { label: 'w', count: 3, height: 2, width: 2, values };
  const { width, height, data } = tilesPicture(tiles, 3, 2, [10, 20, 30]);
  expect([width, height]).toEqual([5, 5]);
  const at = (x: number, y: number) => [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)];
  expect(at(0, 0)).toEqual([0, 114, 178, 255]);
  expect(at(3, 1)).toEqual([213, 94, 0, 255]);
  expect(at(1, 4)).toEqual([10, 20, 30, 255]);
  expect(at(2, 0)).toEqual([0, 0, 0, 0]); // between two
  expect(at(4, 4)).toEqual([0, 0, 0, 0]); // no tile
});

test('one number out of a hundred does not wash out the colours, and what is not finite does not count', () => {
  const values = Float32Array.from({ length: 200 }, (_, i) => (i === 0 ? 1000 : i === 1 ? Number.NaN : -2));
  expect(mostOf(values)).toBe(2);
  expect(mostOf(new Float32Array(4))).toBe(1);
});

test('columns suit the place', () => {
  expect(columnsFor(64, 1, 64)).toBe(8);
  expect(columnsFor(3, 100, 64)).toBe(3);
  expect(columnsFor(1000, 100, 64)).toBe(64);
  expect(columnsFor(1, 0.1, 64)).toBe(1);
});
