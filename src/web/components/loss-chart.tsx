// Losses by step: of the steps faintly, smoothed boldly, of the test set as dots; of all runs, and of PyTorch.

import { useMemo, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import { count } from '../../recipes/units.ts';
import { real } from '../format.ts';
import { memo } from '../memo.ts';
import { runColour, runText } from '../palette.ts';
import { referenceLabel, referenceLoss } from '../reference.ts';
import {
  countBelow,
  envelope,
  evenly,
  gridOf,
  lastStep,
  type Series,
  seriesOf,
  smoother,
  smoothingWeight,
  stepsOf,
  valuesOf,
} from '../series.ts';
import type { Session } from '../session.ts';
import type { Run } from '../state.ts';
import { colour } from '../theme.ts';
import { type Range, zoomedBy } from '../zoom.ts';
import { Legend, type LegendEntry, type Pointer } from './legend.tsx';
import { DataTable, Panel } from './panel.tsx';
import { Plot } from './plot.tsx';

export interface ChartProps {
  readonly runs: readonly Run[];
  readonly theme: string;
  readonly dispatch: Session['dispatch'];
  /** Whether the newest run's model is still there; then its curve stays. */
  readonly live: boolean;
  /** Missing where PyTorch's curve would say nothing. */
  readonly reference?: { readonly shown: boolean; readonly toggle: () => void };
}

/** Steps that the mean is over, for the slider's 0…100; 0: no smoothing. */
const windowOf = (slider: number) => (slider === 0 ? 1 : Math.round(10 ** (slider / 33.4)));

const at = (series: Series, step: number | undefined) => {
  const values = valuesOf(series);
  return values[step === undefined ? values.length - 1 : countBelow(stepsOf(series), step + 1) - 1];
};

const faint = { spanGaps: true, points: { show: false }, width: 1 };

function seriesFor(runs: readonly Run[], smoothed: boolean, withReference: boolean): uPlot.Series[] {
  const reference = colour('--reference');
  return [
    {},
    ...(withReference
      ? [{ stroke: reference, width: 1.5, dash: [5, 4], spanGaps: true, points: { show: false } }]
      : []),
    ...runs.flatMap((run) => {
      const stroke = colour(runColour(run));
      return [
        { ...faint, stroke, alpha: smoothed ? 0.28 : 1 },
        { spanGaps: true, points: { show: false }, stroke, width: 2, show: smoothed },
        {
          stroke,
          width: 0,
          paths: () => null,
          points: { show: true, size: 7, width: 2, stroke, fill: colour('--surface') },
        },
      ];
    }),
  ];
}

export const LossChart = memo(({ runs, theme, dispatch, live, reference }: ChartProps) => {
  const [logarithmic, setLogarithmic] = useState(false);
  const [slider, setSlider] = useState(50);
  const [zoom, setZoom] = useState<Range | undefined>(undefined);
  const [columns, setColumns] = useState(600);
  const pointer = useRef<Pointer>({ tell: () => {} }).current;
  const cursor = useRef<number | undefined>(undefined);
  const smoothers = useRef(new Map<number, ReturnType<typeof smoother>>()).current;

  const weight = smoothingWeight(windowOf(slider));
  const smooth = (run: Run) => {
    const own = smoothers.get(run.id) ?? smoother();
    smoothers.set(run.id, own);
    return own(run.loss, weight);
  };
  const shown = runs.filter((run) => run.shown);
  const withReference = reference?.shown ?? false;
  const reached = Math.max(0, ...shown.map(({ loss }) => lastStep(loss)));
  const end = reached > 0 ? Math.max(reached, 20) : withReference ? lastStep(referenceLoss) : 100;
  const [from, to] = zoom === undefined ? [1, end] : [Math.max(1, Math.round(zoom[0])), Math.round(zoom[1])];
  const data = useMemo(() => {
    const grid = gridOf(from, Math.max(to, from + 1), Math.max(50, columns));
    return [
      grid.steps,
      ...(withReference ? [envelope(referenceLoss, grid)] : []),
      ...shown.flatMap((run) => [
        envelope(run.loss, grid),
        slider > 0 ? envelope(smooth(run), grid) : [],
        envelope(testLosses(run), grid),
      ]),
    ] as uPlot.AlignedData;
  }, [runs, from, to, columns, slider, withReference]);

  const entries: LegendEntry[] = runs.map((run) => ({
    key: String(run.id),
    label: `${run.id} · ${runText(run)}`,
    colour: runColour(run),
    shown: run.shown,
    onToggle: () => dispatch({ type: 'run-shown', id: run.id, shown: !run.shown }),
    onRemove: live && run === runs.at(-1) ? undefined : () => dispatch({ type: 'run-removed', id: run.id }),
    valueAt: (step) => real(at(slider > 0 ? smooth(run) : run.loss, step)),
  }));
  if (reference !== undefined)
    entries.push({
      key: 'reference',
      label: referenceLabel,
      colour: '--reference',
      dashed: true,
      shown: reference.shown,
      onToggle: reference.toggle,
      valueAt: (step) => (step === undefined ? '' : real(at(referenceLoss, step))),
    });

  const onKey = (key: string) => {
    const next = zoomedBy(key, { range: [from, to], whole: [1, end], at: cursor.current });
    if (next !== false) setZoom(next);
    return next !== false;
  };
  const part = zoom === undefined ? '' : `, steps ${count(from)} to ${count(to)} of ${count(end)}`;

  const window = windowOf(slider);
  return (
    <Panel
      name="loss"
      title="Loss"
      note={
        <>
          by step<span class="wide-only">; lines: training, dots: test</span>
        </>
      }
      tools={
        <>
          {zoom !== undefined && (
            <button type="button" class="quiet" onClick={() => setZoom(undefined)}>
              whole range
            </button>
          )}
          <label class="slider">
            <span>smooth</span>
            <input
              type="range"
              min={0}
              max={100}
              value={slider}
              aria-valuetext={slider === 0 ? 'off' : `over about ${window} steps`}
              title={slider === 0 ? 'not smoothed' : `mean over about ${window} steps`}
              onInput={(event) => setSlider(Number(event.currentTarget.value))}
            />
          </label>
          <button
            type="button"
            class="quiet"
            data-key="l"
            aria-pressed={logarithmic}
            onClick={() => setLogarithmic(!logarithmic)}
          >
            log
          </button>
        </>
      }
      table={() => <LossTable runs={shown} smooth={smooth} />}
    >
      <Plot
        label={`Training loss by step${part}. ${entries.map(({ label, valueAt }) => `${label}: ${valueAt(undefined)}`).join('; ')}`}
        kind={[theme, logarithmic, slider > 0, withReference, ...shown.map(({ id }) => id)].join()}
        series={() => seriesFor(shown, slider > 0, withReference)}
        data={data}
        range={[from, Math.max(to, from + 1)]}
        logarithmic={logarithmic}
        yText={(value, digits) => (value < 1e-3 ? real(value) : value.toFixed(digits))}
        onZoom={setZoom}
        onCursor={(step) => {
          cursor.current = step;
          pointer.tell(step);
        }}
        onKey={onKey}
        onWidth={setColumns}
      />
      <Legend entries={entries} pointer={pointer} unit="step" />
    </Panel>
  );
});

function testLosses({ epochs }: Run): Series {
  return seriesOf(
    epochs.map(({ step }) => step),
    epochs.map(({ validation }) => validation.loss),
  );
}

interface LossTableProps {
  readonly runs: readonly Run[];
  readonly smooth: (run: Run) => Series;
}

function LossTable({ runs, smooth }: LossTableProps) {
  const longest = runs.reduce<Series | undefined>(
    (most, { loss }) => (most !== undefined && lastStep(most) >= lastStep(loss) ? most : loss),
    undefined,
  );
  const rows = longest ?? referenceLoss;
  const steps = evenly(rows.length, 50).map((i) => stepsOf(rows)[i] as number);
  const near = (series: Series, step: number) => (step > lastStep(series) ? undefined : at(series, step));
  return (
    <DataTable
      caption="Training losses at up to 50 steps, and smoothed; PyTorch’s beside them"
      columns={['step', ...runs.flatMap((run) => [`run ${run.id}`, `run ${run.id}, smoothed`]), 'PyTorch']}
      rows={steps.map((step) => [
        step.toLocaleString('en-US'),
        ...runs.flatMap((run) => [real(near(run.loss, step)), real(near(smooth(run), step))]),
        real(near(referenceLoss, step)),
      ])}
    />
  );
}
