// Colours of runs, told apart by the colour-blind too (Okabe and Ito, https://jfly.uni-koeln.de/color/); the style sheet has
// them, in another order where the page is dark.

import type { Run } from './state.ts';

const colours = 8;

/** The custom property with a run's colour. */
export const runColour = ({ id }: Pick<Run, 'id'>) => `--run-${(id - 1) % colours}`;

/** A run in a few words: `784-512-512-10 · sgd · 0.001`. */
export function runText({ facts: { model, settings } }: Run): string {
  return `${model} · ${settings.optimizer} · ${settings.lr}`;
}
