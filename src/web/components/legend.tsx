// The curves of a chart by name: shown or hidden by a click, removed, with their values where the pointer is.

import { useEffect, useState } from 'preact/hooks';

export interface LegendEntry {
  readonly key: string;
  readonly label: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly dashed?: boolean;
  readonly shown: boolean;
  readonly onToggle: () => void;
  readonly onRemove?: (() => void) | undefined;
  /** Its value near a place of the chart, as text. */
  readonly valueAt: (x: number | undefined) => string;
}

/** Where a chart tells of its pointer, without drawing anything but who listens. */
export interface Pointer {
  tell: (x: number | undefined) => void;
}

interface LegendProps {
  readonly entries: readonly LegendEntry[];
  readonly pointer: Pointer;
  /** What x is called. */
  readonly unit: string;
}

export function Legend({ entries, pointer, unit }: LegendProps) {
  const [x, setX] = useState<number | undefined>(undefined);
  useEffect(() => {
    pointer.tell = (next) => setX(next === undefined ? undefined : Math.round(next));
    return () => {
      pointer.tell = () => {};
    };
  }, [pointer]);
  return (
    <ul class="legend">
      {entries.map(({ key, label, colour, dashed, shown, onToggle, onRemove, valueAt }) => (
        <li key={key} class={shown ? '' : 'off'}>
          <button
            type="button"
            class="chip"
            aria-pressed={shown}
            title={shown ? 'Hide this curve' : 'Show this curve'}
            onClick={onToggle}
          >
            <i class={dashed ? 'swatch dashed' : 'swatch'} style={{ color: `var(${colour})` }} />
            <span class="chip-label">{label}</span>
            {shown && <b>{valueAt(x)}</b>}
          </button>
          {onRemove !== undefined && (
            <button type="button" class="chip-remove" aria-label={`Remove ${label}`} onClick={onRemove}>
              ×
            </button>
          )}
        </li>
      ))}
      {x !== undefined && (
        <li class="at">
          {unit} {x.toLocaleString('en-US')}
        </li>
      )}
    </ul>
  );
}
