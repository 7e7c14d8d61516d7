// The numbers that one looks at first.

import type { ComponentChildren } from 'preact';
import { count } from '../../recipes/units.ts';
import { duration, percent, real, short } from '../format.ts';
import { referenceEpochs } from '../reference.ts';
import { lastValue } from '../series.ts';
import { currentRun, latestEpoch, type State } from '../state.ts';

interface TileProps {
  readonly name: string;
  readonly value: ComponentChildren;
  readonly note?: ComponentChildren;
}

const Tile = ({ name, value, note }: TileProps) => (
  <div class="stat">
    <dt>{name}</dt>
    <dd>
      {value}
      <small>{note}</small>
    </dd>
  </div>
);

export function Stats({ state, reference }: { readonly state: State; readonly reference: boolean }) {
  const run = currentRun(state);
  const { progress } = state;
  const result = latestEpoch(run);
  const before = run?.epochs.at(-2);
  const peer = reference ? referenceEpochs.find(({ epoch }) => epoch === result?.epoch) : undefined;
  const gain =
    result !== undefined && before !== undefined
      ? 100 * (result.validation.accuracy - before.validation.accuracy)
      : undefined;
  const epochs = run?.facts.settings.epochs ?? state.settings.epochs;
  const total = progress === undefined ? 0 : epochs * progress.batches;
  const done = progress === undefined || total === 0 ? 0 : Math.min(1, progress.step / total);
  const left =
    progress === undefined || state.status !== 'training'
      ? undefined
      : (total - progress.step) * progress.secondsPerStep;
  return (
    <dl class="stats">
      <Tile
        name="test accuracy"
        value={percent(result?.validation.accuracy, 2)}
        note={
          peer !== undefined
            ? `PyTorch ${percent(peer.accuracy, 2)}`
            : gain !== undefined && `${gain >= 0 ? '+' : '−'}${Math.abs(gain).toFixed(2)} points`
        }
      />
      <Tile
        name="training loss"
        value={run === undefined || run.loss.length === 0 ? '–' : real(lastValue(run.loss))}
        note={result !== undefined && `test ${real(result.validation.loss)}`}
      />
      <Tile
        name="images a second"
        value={progress === undefined ? '–' : short(progress.samplesPerSecond)}
        note={run !== undefined && `batches of ${run.facts.settings.batchSize}`}
      />
      <Tile
        name="time of a step"
        value={progress === undefined ? '–' : duration(progress.secondsPerStep)}
        note={run !== undefined && `${run.facts.dispatches} dispatches`}
      />
      <Tile
        name="parameters"
        value={run === undefined ? '–' : short(run.facts.parameters)}
        note={run?.facts.model}
      />
      <div class="stat progress">
        <dt>
          {progress === undefined
            ? 'epoch'
            : `epoch ${Math.max(1, progress.epoch)} of ${epochs}, batch ${count(progress.batch)}/${count(progress.batches)}`}
        </dt>
        <dd>
          <progress max={1} value={done} aria-label="Steps done" />
          <small>
            {progress !== undefined && `step ${count(progress.step)}`}
            {left !== undefined && left > 0 && ` · ${duration(left)} left`}
          </small>
        </dd>
      </div>
    </dl>
  );
}
