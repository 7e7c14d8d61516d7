// What to train and how, and the buttons that begin and end it.

import type { Settings } from '../../recipes/protocol.ts';
import { rate } from '../format.ts';
import type { Session } from '../session.ts';
import {
  datasetTitles,
  defaults,
  modelTitles,
  optimizerTitles,
  presets,
  readers,
  takesMomentum,
  textOf,
  usualLr,
} from '../settings.ts';
import { hashOf } from '../share.ts';
import { isBusy, isRunning, type State } from '../state.ts';
import { ChoiceField, TextField } from './field.tsx';

interface ControlsProps {
  readonly state: State;
  readonly session: Session;
  /** Of the training that goes on; the control's while none does. */
  readonly lr: number;
}

/** Whether the settings may take their room from the start: on a narrow screen the training is seen first. */
const roomy = matchMedia('(min-width: 761px)').matches;

/** Settings after a change, with what follows from it. */
function changed(settings: Settings, change: Partial<Settings>): Settings {
  const next = { ...settings, ...change };
  const lr = change.optimizer !== undefined && change.lr === undefined ? usualLr[change.optimizer] : next.lr;
  return { ...next, lr, momentum: takesMomentum(next) ? next.momentum : 0 };
}

export function Controls({ state, session, lr }: ControlsProps) {
  const { settings } = state;
  const running = isRunning(state);
  const set = (change: Partial<Settings>) =>
    session.dispatch({ type: 'settings', settings: changed(settings, change) });
  const setLr = (value: number) => {
    if (running) session.send({ type: 'lr', lr: value });
    set({ lr: value });
  };
  const current = running ? state.runs.at(-1)?.facts.settings : undefined;
  const waits = current !== undefined && hashOf({ ...current, lr: settings.lr }) !== hashOf({ ...settings });
  return (
    <form class="controls" aria-label="Training" onSubmit={(event) => event.preventDefault()}>
      <Buttons state={state} session={session} />
      <fieldset>
        <legend>Learning rate</legend>
        <div class="lr">
          <button
            type="button"
            aria-label="Half the learning rate"
            title="Half"
            onClick={() => setLr(lr / 2)}
          >
            ÷2
          </button>
          <TextField
            label="lr"
            value={rate(settings.lr)}
            read={readers.lr}
            inputMode="decimal"
            onValue={setLr}
          />
          <button
            type="button"
            aria-label="Twice the learning rate"
            title="Twice"
            onClick={() => setLr(Math.min(100, lr * 2))}
          >
            ×2
          </button>
        </div>
        {running && <p class="hint">now {rate(lr)}; changes at once</p>}
      </fieldset>
      <details open={roomy}>
        <summary>
          Settings
          {waits && <em> for the next start</em>}
        </summary>
        <fieldset aria-label="Settings">
          <div class="field wide">
            <label for="preset">preset</label>
            <select
              id="preset"
              value=""
              onChange={(event) => {
                const preset = presets.find(([name]) => name === event.currentTarget.value);
                if (preset !== undefined)
                  set({
                    ...defaults,
                    ...preset[1],
                    lr: preset[1].lr ?? usualLr[preset[1].optimizer ?? 'sgd'],
                  });
                event.currentTarget.value = '';
              }}
            >
              <option value="">choose…</option>
              {presets.map(([name]) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </div>
          <ChoiceField
            label="data"
            value={settings.dataset}
            titles={datasetTitles}
            onValue={(dataset) => set({ dataset })}
            wide
          />
          <ChoiceField
            label="model"
            value={settings.model}
            titles={modelTitles}
            onValue={(model) => set({ model })}
            wide={settings.model !== 'mlp'}
          />
          {settings.model === 'mlp' && (
            <TextField
              label="hidden sizes"
              value={textOf(settings.hidden)}
              read={readers.hidden}
              placeholder="none"
              onValue={(hidden) => set({ hidden })}
            />
          )}
          <ChoiceField
            label="optimizer"
            value={settings.optimizer}
            titles={optimizerTitles}
            onValue={(optimizer) => set({ optimizer })}
          />
          <TextField
            label="batch"
            value={textOf(settings.batchSize)}
            read={readers.batchSize}
            inputMode="numeric"
            onValue={(batchSize) => set({ batchSize })}
          />
          {takesMomentum(settings) && (
            <TextField
              label="momentum"
              value={textOf(settings.momentum)}
              read={readers.momentum}
              inputMode="decimal"
              onValue={(momentum) => set({ momentum })}
            />
          )}
          <TextField
            label="weight decay"
            value={textOf(settings.weightDecay)}
            read={readers.weightDecay}
            inputMode="decimal"
            onValue={(weightDecay) => set({ weightDecay })}
          />
          <TextField
            label="epochs"
            value={textOf(settings.epochs)}
            read={readers.epochs}
            inputMode="numeric"
            onValue={(epochs) => set({ epochs })}
          />
          <TextField
            label="seed"
            value={textOf(settings.seed)}
            read={readers.seed}
            inputMode="numeric"
            onValue={(seed) => set({ seed })}
          />
          <TextField<number | undefined>
            label="first rows only"
            value={textOf(settings.limit)}
            read={(text) => (text === '' ? { ok: true, value: undefined } : readers.limit(text))}
            inputMode="numeric"
            placeholder="all"
            onValue={(limit) => {
              const { limit: _, ...rest } = settings;
              session.dispatch({
                type: 'settings',
                settings: limit === undefined ? rest : { ...rest, limit },
              });
            }}
          />
          <label class="check">
            <input
              type="checkbox"
              checked={settings.shuffle}
              onChange={(event) => set({ shuffle: event.currentTarget.checked })}
            />
            <span>shuffle</span>
          </label>
        </fieldset>
      </details>
    </form>
  );
}

function Buttons({ state, session }: Pick<ControlsProps, 'state' | 'session'>) {
  const running = isRunning(state);
  const paused = state.status === 'paused';
  const main = paused
    ? (['Continue', () => session.send({ type: 'continue' })] as const)
    : running
      ? (['Pause', () => session.send({ type: 'pause' })] as const)
      : (['Start', () => session.start()] as const);
  const waiting = state.status === 'loading' || state.status === 'compiling';
  return (
    <div class="buttons">
      <button type="button" class="main" disabled={waiting} onClick={main[1]}>
        {main[0]}
      </button>
      <button type="button" disabled={!paused} onClick={() => session.send({ type: 'step' })}>
        Step
      </button>
      <button type="button" disabled={!running} onClick={() => session.send({ type: 'stop' })}>
        Stop
      </button>
      <button
        type="button"
        disabled={!state.live && !isBusy(state)}
        title="Free everything, the GPU too; curves stay"
        onClick={() => {
          session.send({ type: 'reset' });
          session.dispatch({ type: 'model-gone' });
        }}
      >
        Reset
      </button>
    </div>
  );
}

/** The settings of a run that is only watched. */
export function Watched({
  settings,
  folder,
}: {
  settings: Settings | undefined;
  folder: string | undefined;
}) {
  const rows: readonly (readonly [string, string])[] =
    settings === undefined
      ? []
      : [
          ['data', datasetTitles[settings.dataset] ?? settings.dataset],
          ['model', settings.model === 'mlp' ? `mlp ${settings.hidden.join('-')}` : settings.model],
          ['optimizer', settings.optimizer],
          ['learning rate', rate(settings.lr)],
          ...(settings.momentum > 0 ? [['momentum', String(settings.momentum)] as const] : []),
          ...(settings.weightDecay > 0 ? [['weight decay', String(settings.weightDecay)] as const] : []),
          ['batch', String(settings.batchSize)],
          ['epochs', String(settings.epochs)],
          ['seed', String(settings.seed)],
          ['shuffle', settings.shuffle ? 'yes' : 'no'],
        ];
  return (
    <section class="controls" aria-label="Watched run">
      <h2>A run in Node</h2>
      <p class="folder">{folder ?? 'Waiting for its first event.'}</p>
      <p class="hint">This page watches it; it is steered where it was started.</p>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
