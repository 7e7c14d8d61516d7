// What layers compute, as data: for those who write a model down in another format, or draw it. Knows no GPU.

import type { WindowSizes } from './images.ts';

/** Windows that move over images. */
type Windowed<Kind extends string> = { readonly kind: Kind } & WindowSizes;

/** Values normalised: those of each of the features, or of a row of them; `eps` is added to variances. */
interface Norm<Kind extends string> {
  readonly kind: Kind;
  readonly features: number;
  readonly eps: number;
}

/**
 * What a layer computes, but for its arrays: these, and the layers inside, are the layer's own `parameters`, `buffers` and
 * `children`. A batch norm is that of an evaluation, in which dropout does nothing.
 */
export type LayerSpec =
  | { readonly kind: 'linear' | 'flatten' | 'softmax' | 'log_softmax' | 'sequential' | 'residual' }
  | { readonly kind: 'relu' | 'sigmoid' | 'tanh' | 'silu' }
  | { readonly kind: 'leaky_relu'; readonly negativeSlope: number }
  | { readonly kind: 'gelu'; readonly approximate: 'none' | 'tanh' }
  | Windowed<'conv2d'>
  | Windowed<'max_pool2d'>
  | Windowed<'avg_pool2d'>
  | Norm<'batch_norm'>
  | Norm<'layer_norm'>
  | { readonly kind: 'dropout'; readonly p: number };
