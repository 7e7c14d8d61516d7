// A place to draw on, light on dark, or to put a picture; it gives 28 × 28 pixels while one draws.

import { useEffect, useRef } from 'preact/hooks';
import { greyPicture, modelPixels, side } from '../picture.ts';

/** Pixels a side of the canvas: ten for each of the model's. */
const size = 10 * side;
/** Between two predictions while one draws. */
const milliseconds = 80;

export interface DrawingProps {
  readonly onPixels: (pixels: Uint8Array) => void;
  /** A picture to show in place of what was drawn; another array is another picture. */
  readonly given: Uint8Array | undefined;
}

/** Each of the model's pixels is the mean of a hundred. */
function shrunk({ data }: ImageData): Uint8Array {
  const pixels = new Uint8Array(side * side);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (let dy = 0; dy < 10; dy++)
        for (let dx = 0; dx < 10; dx++) sum += data[4 * ((10 * y + dy) * size + 10 * x + dx)] as number;
      pixels[y * side + x] = Math.round(sum / 100);
    }
  return pixels;
}

export function Drawing({ onPixels, given }: DrawingProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const timer = useRef(0);
  const from = useRef<readonly [number, number] | undefined>(undefined);
  const context = () => canvas.current?.getContext('2d', { willReadFrequently: true });

  useEffect(() => {
    const brush = context();
    if (!brush) return;
    brush.fillStyle = '#000';
    brush.fillRect(0, 0, size, size);
    if (given === undefined) return;
    const { data } = greyPicture(given, side, side);
    const small = document.createElement('canvas');
    small.width = side;
    small.height = side;
    const image = new ImageData(side, side);
    image.data.set(data);
    small.getContext('2d')?.putImageData(image, 0, 0);
    brush.imageSmoothingEnabled = false;
    brush.drawImage(small, 0, 0, size, size);
  }, [given]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const tell = () => {
    timer.current = 0;
    const brush = context();
    if (brush) onPixels(shrunk(brush.getImageData(0, 0, size, size)));
  };
  const place = (event: PointerEvent): readonly [number, number] => {
    const box = (canvas.current as HTMLCanvasElement).getBoundingClientRect();
    return [((event.clientX - box.left) * size) / box.width, ((event.clientY - box.top) * size) / box.height];
  };
  const stroke = (event: PointerEvent) => {
    const brush = context();
    if (!brush || from.current === undefined) return;
    const to = place(event);
    brush.strokeStyle = '#fff';
    brush.lineWidth = 22;
    brush.lineCap = 'round';
    brush.lineJoin = 'round';
    brush.beginPath();
    brush.moveTo(...from.current);
    brush.lineTo(...to);
    brush.stroke();
    from.current = to;
    if (timer.current === 0) timer.current = window.setTimeout(tell, milliseconds);
  };
  return (
    <canvas
      ref={canvas}
      class="drawing"
      width={size}
      height={size}
      role="img"
      aria-label="Draw here, light on dark; or put a picture here"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = place(event);
        stroke(event);
      }}
      onPointerMove={stroke}
      onPointerUp={() => {
        from.current = undefined;
      }}
      onPointerCancel={() => {
        from.current = undefined;
      }}
    />
  );
}

/** A picture's file as the model's pixels. Rejects for what is no picture. */
export async function pixelsOfFile(file: Blob): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(file);
  // Large ones are made smaller by the browser first.
  const scale = Math.min(1, 512 / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  const place = document.createElement('canvas');
  place.width = width;
  place.height = height;
  const brush = place.getContext('2d');
  if (!brush) throw new Error('this browser gives no canvas');
  brush.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return modelPixels(brush.getImageData(0, 0, width, height));
}
