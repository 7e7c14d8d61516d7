// uPlot in a component: made anew when its kind changes, given data at each drawing, as wide as its place.

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { colour } from '../theme.ts';

export interface PlotProps {
  /** What the chart shows, in words, for those who do not see it. */
  readonly label: string;
  /** A change of this makes the chart anew: everything that `series` and `logarithmic` depend on. */
  readonly kind: string;
  readonly series: () => uPlot.Series[];
  readonly data: uPlot.AlignedData;
  readonly range: readonly [number, number];
  readonly logarithmic?: boolean;
  /** A number beside the y axis, with so many digits after its point. */
  readonly yText: (value: number, digits: number) => string;
  readonly onZoom?: (range: readonly [number, number] | undefined) => void;
  readonly onCursor?: (x: number | undefined) => void;
  readonly onWidth?: (width: number) => void;
  /** Of a chart that takes keys: told of each while it has the focus; says whether it meant something. */
  readonly onKey?: (key: string) => boolean;
}

/** 1, 2 and 5 times powers of ten between two numbers, or all digits where those are too few. */
function logSplits(from: number, to: number): number[] {
  const splits = (digits: readonly number[]) => {
    const found: number[] = [];
    for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++)
      for (const digit of digits) {
        const value = Number(`${digit}e${power}`);
        if (value >= from && value <= to) found.push(value);
      }
    return found;
  };
  const few = splits([1, 2, 5]);
  if (few.length >= 3) return few;
  const more = splits([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  return more.length >= 3 ? more : splits(Array.from({ length: 90 }, (_, i) => 1 + i / 10));
}

/** Digits behind the point that tell these numbers apart and lose nothing. */
const digitsOf = (values: readonly number[]) =>
  Math.max(0, ...values.map((value) => String(Number(value.toPrecision(3))).split('.')[1]?.length ?? 0));

function padded(low: number | null, high: number | null, logarithmic: boolean): [number, number] {
  if (low === null || high === null) return logarithmic ? [0.1, 10] : [0, 1];
  if (logarithmic) return [Math.max(low, 1e-12) / 1.08, Math.max(high, 1e-12) * 1.08];
  const pad = 0.06 * (high - low || Math.abs(high) || 1);
  return [low >= 0 ? Math.max(0, low - pad) : low - pad, high + pad];
}

export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;

  useLayoutEffect(() => {
    const place = box.current;
    if (place === null) return;
    const { logarithmic = false, series, data } = latest.current;
    const axis = {
      stroke: colour('--muted'),
      font: '11px system-ui, sans-serif',
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { show: false },
    };
    const made = new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height: Math.max(80, place.clientHeight),
        padding: [8, 10, 0, 0],
        legend: { show: false },
        series: series(),
        scales: {
          x: { time: false, range: () => [...latest.current.range] },
          y: {
            distr: logarithmic ? 3 : 1,
            range: (_, low, high) => padded(low, high, logarithmic),
          },
        },
        axes: [
          {
            ...axis,
            size: 24,
            gap: 4,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6],
            values: (_, splits) => splits.map((value) => value.toLocaleString('en-US')),
          },
          {
            ...axis,
            size: 46,
            gap: 4,
            // A low chart would have too few lines.
            space: (_, __, ___, ____, height) => (height < 200 ? 22 : 28),
            values: (_, splits) => splits.map((value) => latest.current.yText(value, digitsOf(splits))),
            ...(logarithmic
              ? { splits: (_, __, from, to) => logSplits(from, to), filter: (_, splits) => splits }
              : {}),
          },
        ],
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: props.onZoom !== undefined, y: false, setScale: false, dist: 4 },
          bind: {
            dblclick: () => () => {
              latest.current.onZoom?.(undefined);
              return null;
            },
          },
        },
        hooks: {
          setSelect: [
            (plot) => {
              const { left, width } = plot.select;
              if (width < 4) return;
              const range = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')] as const;
              plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              latest.current.onZoom?.(range);
            },
          ],
          setCursor: [
            (plot) => {
              const { left = -1 } = plot.cursor;
              latest.current.onCursor?.(left < 0 ? undefined : plot.posToVal(left, 'x'));
            },
          ],
        },
      },
      data,
      place,
    );
    chart.current = made;
    const told = () => latest.current.onWidth?.(Math.round(made.bbox.width / uPlot.pxRatio));
    told();
    const watcher = new ResizeObserver(() => {
      const [width, height] = [place.clientWidth, place.clientHeight];
      if (width === made.width && height === made.height) return;
      made.setSize({ width: Math.max(120, width), height: Math.max(80, height) });
      told();
    });
    watcher.observe(place);
    return () => {
      watcher.disconnect();
      made.destroy();
      chart.current = undefined;
    };
  }, [props.kind]);

  const [from, to] = props.range;
  useEffect(() => {
    chart.current?.setData(props.data);
  }, [props.data, from, to]);

  const { onKey } = props;
  if (onKey === undefined) return <div class="plot" ref={box} role="img" aria-label={props.label} />;
  return (
    <div
      class="plot"
      ref={box}
      role="application"
      aria-roledescription="chart"
      aria-label={props.label}
      aria-keyshortcuts="+ - ArrowLeft ArrowRight Home End 0 Escape"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes keys, which screen readers leave to an application
      tabIndex={0}
      onKeyDown={(event) => {
        if (event.ctrlKey || event.metaKey || event.altKey || !onKey(event.key)) return;
        event.preventDefault();
      }}
    />
  );
}
