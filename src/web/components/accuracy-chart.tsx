// The share of the test set that is right after each epoch, of all runs and of PyTorch.

import { useMemo, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { percent, real } from '../format.ts';
import { memo } from '../memo.ts';
import { runColour } from '../palette.ts';
import { referenceEpochs } from '../reference.ts';
import type { Run } from '../state.ts';
import { colour } from '../theme.ts';
import { Legend, type LegendEntry, type Pointer } from './legend.tsx';
import type { ChartProps } from './loss-chart.tsx';
import { DataTable, Panel } from './panel.tsx';
import { Plot } from './plot.tsx';

interface Accuracy {
  readonly epoch: number;
  readonly accuracy: number;
}

const ofRun = ({ epochs }: Run): Accuracy[] =>
  epochs.map(({ epoch, validation: { accuracy } }) => ({ epoch, accuracy }));

/** The accuracy of an epoch, or of the last one up to it. */
const until = (results: readonly Accuracy[], epoch: number | undefined) =>
  results.findLast((result) => epoch === undefined || result.epoch <= epoch)?.accuracy;

export const AccuracyChart = memo(({ runs, theme, reference }: Omit<ChartProps, 'dispatch' | 'live'>) => {
  const pointer = useRef<Pointer>({ tell: () => {} }).current;
  const shown = runs.filter((run) => run.shown);
  const withReference = reference?.shown ?? false;
  const reached = Math.max(0, ...shown.flatMap(({ epochs }) => epochs.map(({ epoch }) => epoch)));
  const planned = Math.max(2, ...shown.map(({ facts }) => facts.settings.epochs));
  // An epoch count that nobody waits for must not press the points together.
  const last = shown.length === 0 ? 10 : Math.max(2, Math.min(planned, Math.max(10, 2 * reached)));
  const data = useMemo(() => {
    const epochs = Array.from({ length: last }, (_, i) => i + 1);
    const row = (results: readonly Accuracy[]) =>
      epochs.map((epoch) => results.find((result) => result.epoch === epoch)?.accuracy ?? null);
    return [
      epochs,
      ...(withReference ? [row(referenceEpochs)] : []),
      ...shown.map((run) => row(ofRun(run))),
    ] as uPlot.AlignedData;
  }, [runs, withReference, last]);
  const series = (): uPlot.Series[] => [
    {},
    ...(withReference
      ? [
          {
            stroke: colour('--reference'),
            width: 1.5,
            dash: [5, 4],
            points: { show: false },
          },
        ]
      : []),
    ...shown.map((run) => {
      const stroke = colour(runColour(run));
      return {
        stroke,
        width: 2,
        spanGaps: true,
        points: { show: true, size: 7, width: 2, stroke, fill: colour('--surface') },
      };
    }),
  ];
  const entries: LegendEntry[] = [];
  const best = Math.max(...shown.flatMap((run) => ofRun(run).map(({ accuracy }) => accuracy)));
  return (
    <Panel
      name="accuracy"
      title="Test accuracy"
      note={Number.isFinite(best) ? `by epoch, best ${percent(best)}` : 'by epoch'}
      table={() => <AccuracyTable runs={shown} />}
    >
      <Plot
        label={`Test accuracy by epoch. ${shown.map((run) => `Run ${run.id}: ${percent(until(ofRun(run), undefined))}`).join('; ')}`}
        kind={[theme, withReference, ...shown.map(({ id }) => id)].join()}
        series={series}
        data={data}
        range={[1, last]}
        yText={(value, digits) => percent(value, Math.max(0, digits - 2))}
        onCursor={(epoch) => pointer.tell(epoch)}
      />
      <Legend entries={entries} pointer={pointer} unit="epoch" />
    </Panel>
  );
});

function AccuracyTable({ runs }: { readonly runs: readonly Run[] }) {
  const epochs = runs.flatMap(({ epochs }) => epochs.map(({ epoch }) => epoch));
  const last = epochs.length === 0 ? referenceEpochs.length : Math.max(...epochs);
  const cells = (run: Run, epoch: number) => {
    const found = run.epochs.find((one) => one.epoch === epoch);
    return [percent(found?.validation.accuracy, 2), real(found?.validation.loss), real(found?.trainLoss)];
  };
  return (
    <DataTable
      caption="After each epoch: test accuracy, test loss, and the mean training loss"
      columns={[
        'epoch',
        ...runs.flatMap(({ id }) => [`run ${id}`, `run ${id}, test loss`, `run ${id}, training loss`]),
        'PyTorch',
      ]}
      rows={Array.from({ length: last }, (_, i) => [
        i + 1,
        ...runs.flatMap((run) => cells(run, i + 1)),
        percent(referenceEpochs[i]?.accuracy, 2),
      ])}
    />
  );
}
