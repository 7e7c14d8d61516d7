// Windows that move over images: what convolutions and pools have in common. Knows nothing of recording.

/** What belongs to the height, and what belongs to the width. */
export type Pair = readonly [y: number, x: number];

/** Images by their logical shape, and how they lie in memory. */
export interface Images {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** [count, height, width, channels] in memory when true, else [count, channels, height, width]. */
  readonly channelsLast: boolean;
}

/** Windows of `kernel` elements `dilation` apart, one every `stride` elements; the first ones begin before the image. */
export interface Windows {
  readonly kernel: Pair;
  readonly stride: Pair;
  /** Zeros above and to the left of the image; those below and to the right follow from `out`. */
  readonly padding: Pair;
  readonly dilation: Pair;
  /** How many windows there are. */
  readonly out: Pair;
}

/** Elements of images, or of a part of them. */
export const imageElements = ({ count, channels, height, width }: Images): number =>
  count * channels * height * width;

/** How images lie in memory. */
export const imageShape = ({ count, channels, height, width, channelsLast }: Images): readonly number[] =>
  channelsLast ? [count, height, width, channels] : [count, channels, height, width];

/** Params that kernels of windows share. */
export const windowParams = ({ channels, height, width }: Images, { stride, padding, out }: Windows) => ({
  channels,
  height,
  width,
  out_height: out[0],
  out_width: out[1],
  stride_y: stride[0],
  stride_x: stride[1],
  padding_y: padding[0],
  padding_x: padding[1],
});

/** The size of a window. */
export const kernelParams = ({ kernel }: Windows) => ({ kernel_height: kernel[0], kernel_width: kernel[1] });

/** How many windows may hold an element, in either direction. */
export const reachParams = ({ kernel, stride, dilation }: Windows) => ({
  reach_y: Math.ceil(((kernel[0] - 1) * dilation[0] + 1) / stride[0]),
  reach_x: Math.ceil(((kernel[1] - 1) * dilation[1] + 1) / stride[1]),
});

/** Params that tell a kernel how images lie in memory. */
export const layoutParams = ({ channels, height, width, channelsLast }: Images) => ({
  image_step: channels * height * width,
  channel_step: channelsLast ? 1 : height * width,
  row_step: channelsLast ? width * channels : width,
  column_step: channelsLast ? channels : 1,
});

/**
 * The same images as a pool sees them, which treats every channel alike: always channels-last. Of channels that lie apart,
 * each becomes an image of its own.
 */
export const pooled = (images: Images): Images =>
  images.channelsLast
    ? images
    : { ...images, count: images.count * images.channels, channels: 1, channelsLast: true };
