// What a run is, from its first event to the page's words.

import * as v from 'valibot';
import { modelNames } from '../recipes/model.ts';
import { optimizerNames } from '../recipes/optimizer.ts';
import type { RunFacts, Settings } from '../recipes/protocol.ts';
import { adapterText, type RunEvent } from './sinks.ts';

/** What the event does not say. Zeros: not known. */
export interface MoreFacts {
  readonly classes: readonly string[];
  readonly dispatches: number;
  readonly bytes: number;
}

const datasets = ['fashion-mnist', 'mnist', 'kmnist', 'synthetic'] as const;
const number = (otherwise: number) => v.fallback(v.number(), otherwise);

/** The options of a run that the page has settings for; what is not said is as `heddle train` has it. */
const settings = v.object({
  dataset: v.fallback(v.picklist(datasets), 'fashion-mnist'),
  model: v.fallback(v.picklist(modelNames), 'mlp'),
  hidden: v.fallback(v.array(v.number()), []),
  optimizer: v.fallback(v.picklist(optimizerNames), 'sgd'),
  lr: number(1e-3),
  momentum: number(0),
  weightDecay: v.fallback(v.optional(v.number()), undefined),
  batchSize: number(64),
  epochs: number(1),
  seed: number(0),
  shuffle: v.fallback(v.boolean(), false),
  limit: v.fallback(v.optional(v.number()), undefined),
});

function settingsOf(options: RunEvent['options']): Settings {
  const { weightDecay, limit, ...rest } = v.parse(settings, options);
  const decay = weightDecay ?? (rest.optimizer === 'adamw' ? 0.01 : 0);
  return { ...rest, weightDecay: decay, ...(limit !== undefined && { limit }) };
}

/** The run in the page's words. */
export function runFacts(event: RunEvent, { classes, dispatches, bytes }: MoreFacts): RunFacts {
  const { adapter, dataset, model, parameters, options, run } = event;
  const own = settingsOf(options);
  return {
    settings: own,
    adapter: adapterText({ ...adapter, software: false }),
    backend: adapter.backend,
    software: adapter.software,
    model,
    parameters,
    classes,
    train: dataset.train,
    test: dataset.test,
    synthetic: dataset.synthetic,
    dispatches,
    bytes,
    folder: run,
    ...(own.dataset !== dataset.name && { dataset: dataset.name }),
  };
}
