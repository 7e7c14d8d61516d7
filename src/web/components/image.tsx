// Small pictures on canvases.

import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Judged } from '../../recipes/protocol.ts';
import { percent } from '../format.ts';
import { memo } from '../memo.ts';
import { greyPicture, type Picture, side } from '../picture.ts';

interface ImageProps {
  readonly picture: Picture;
  readonly label?: string;
  readonly class?: string;
  /** CSS pixels that a pixel of it has, where its place leaves it the room. */
  readonly scale?: number;
}

/** A picture as it is, every pixel a square. */
export const Image = memo(({ picture, label, class: name, scale }: ImageProps) => {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const { width, height, data } = picture;
    const context = canvas.current?.getContext('2d');
    if (width * height === 0 || !context) return;
    const pixels = context.createImageData(width, height);
    pixels.data.set(data);
    context.putImageData(pixels, 0, 0);
  }, [picture]);
  const style = scale === undefined ? undefined : { width: `${scale * picture.width}px` };
  const named = label === undefined ? { 'aria-hidden': true } : { role: 'img' as const, 'aria-label': label };
  return (
    <canvas
      ref={canvas}
      class={`pixels ${name ?? ''}`}
      width={picture.width}
      height={picture.height}
      style={style}
      {...named}
    />
  );
});

/** A test image. */
export const Digit = memo(({ pixels, class: name }: { pixels: Uint8Array; class?: string }) => (
  <Image picture={greyPicture(pixels, side, side)} class={name ?? ''} />
));

interface JudgedProps {
  readonly images: readonly Judged[];
  readonly classes: readonly string[];
  readonly onChoose?: ((image: number) => void) | undefined;
}

const called = (classes: readonly string[], i: number) => classes[i] ?? String(i);

/** Test images with what the model says and what they are. */
export const JudgedImages = memo(({ images, classes, onChoose }: JudgedProps) => (
  <ul class="judged">
    {images.map(({ image, target, predicted, probability, pixels }) => {
      const [says, is] = [called(classes, predicted), called(classes, target)];
      const content = (
        <>
          <Digit pixels={pixels} />
          <span class={target === predicted ? 'says right' : 'says wrong'}>
            <b>{says}</b> <small>{percent(probability, 0)}</small>
          </span>
          {target !== predicted && <span class="is">is {is}</span>}
        </>
      );
      return (
        <li key={image}>
          {onChoose === undefined ? (
            <div class="judged-one">{content}</div>
          ) : (
            <button
              type="button"
              class="judged-one"
              title={`Test image ${image}: show its activations`}
              onClick={() => onChoose(image)}
            >
              {content}
            </button>
          )}
        </li>
      );
    })}
  </ul>
));
