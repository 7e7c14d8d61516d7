// What both platforms agree on about where a GPU comes from.

/** How to look for a GPU. */
export interface GpuOptions {
  /** Node only: part of the adapter's name, when a machine has several. */
  readonly adapter?: string;
  /** Node only: timestamps without quantisation, for profiling. */
  readonly exactTimestamps?: boolean;
}
