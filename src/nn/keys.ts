// The keys of a model's parameters and buffers, as types: an editor offers them, and the compiler knows a misspelt one.

import type { Layer } from './layer.ts';

/** Only types have this property; no value does. */
declare const keyed: unique symbol;

/** What a layer's type tells of its keys. */
export interface Keyed<Parameters extends string, Buffers extends string> {
  readonly [keyed]?: { readonly parameters: Parameters; readonly buffers: Buffers };
}

/** The keys of a model's parameters, from its type: `0.weight`; `string` where the type does not say them. */
export type ParameterKeys<Model extends Layer> = Model extends Layer<infer Keys, string> ? Keys : never;

/** Likewise those of its buffers: `1.running_mean`. */
export type BufferKeys<Model extends Layer> = Model extends Layer<string, infer Keys> ? Keys : never;

/** The keys that a type says one by one, without those of which it only says how they begin. */
export type KnownKeys<Key extends string> = Key extends Key
  ? Record<never, never> extends Record<Key, unknown>
    ? never
    : Key
  : never;

/** Arrays by key. Those of `Keys` are there. */
export interface ArraysByKey<Keys extends string> extends Map<string, Float32Array> {
  get(key: Keys): Float32Array;
  get(key: string): Float32Array | undefined;
}

/** The beginnings of keys that mean a layer and all inside it: `features.` and `features.0.` of `features.0.weight`. */
export type KeyBeginnings<Key extends string> = Key extends `${infer Name}.${infer Rest}`
  ? `${Name}.` | `${Name}.${KeyBeginnings<Rest>}`
  : never;

/** Layers in a row by their numbers, or a record of them. */
type Named = readonly Layer[] | Readonly<Record<string, Layer>>;

/** The names under which layers are found: `0`, `1`, … of a row. */
type Names<Layers extends Named> = Layers extends readonly Layer[]
  ? number extends Layers['length']
    ? string // nobody knows how many there are
    : keyof Layers & `${number}`
  : keyof Layers extends string
    ? keyof Layers
    : string; // numbers have come among the names

/** The layer that holds these, whose keys begin with their names. */
export type LayerOf<Layers extends Named> =
  string extends Names<Layers>
    ? Layer
    : Layer<
        {
          [Name in Names<Layers>]: `${Name}.${ParameterKeys<Layers[Name & keyof Layers] & Layer>}`;
        }[Names<Layers>],
        {
          [Name in Names<Layers>]: `${Name}.${BufferKeys<Layers[Name & keyof Layers] & Layer>}`;
        }[Names<Layers>]
      >;
