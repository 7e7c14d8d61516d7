// The confusion matrix: a row for what images are, a column for what the model says. One cell is in the tab order, arrows go
// to the others; a click or Enter shows a cell's images.

import { useRef, useState } from 'preact/hooks';
import type { Evaluation } from '../../index.ts';
import { count } from '../../recipes/units.ts';
import { percent } from '../format.ts';
import { memo } from '../memo.ts';
import { DataTable, Empty, Panel } from './panel.tsx';

interface ConfusionProps {
  readonly validation: Evaluation | undefined;
  readonly classes: readonly string[];
  /** The cell whose images are shown. */
  readonly target: number | undefined;
  readonly predicted: number | undefined;
  readonly onCell: ((target: number, predicted: number) => void) | undefined;
}

/** From here on a cell is so dark that its number is white: see test/web/contrast.test.ts. */
const strong = 92;

const moves: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export const Confusion = memo(({ validation, classes, target, predicted, onCell }: ConfusionProps) => {
  const [at, setAt] = useState<readonly [number, number]>([0, 0]);
  const grid = useRef<HTMLTableElement>(null);
  const confusion = validation?.confusion;
  if (confusion === undefined || confusion.length === 0)
    return (
      <Panel name="confusion" title="Confusion">
        <Empty>After the first epoch: what each class is taken for.</Empty>
      </Panel>
    );
  const size = confusion.length;
  const name = (i: number) => classes[i] ?? String(i);
  const totals = confusion.map((row) => row.reduce((sum, n) => sum + n, 0));
  const move = (event: KeyboardEvent) => {
    const by = moves[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = at.map((value, i) => Math.min(size - 1, Math.max(0, value + (by[i] as number))));
    setAt([next[0] as number, next[1] as number]);
    grid.current?.querySelector<HTMLElement>(`[data-cell="${next.join()}"]`)?.focus();
  };
  const cell = (row: number, column: number) => {
    const n = confusion[row]?.[column] ?? 0;
    const share = totals[row] === 0 ? 0 : n / (totals[row] as number);
    // Few mistakes are what one looks for: the root lets them be seen beside the many.
    const strength = Math.round(100 * (row === column ? share ** 2 : Math.sqrt(share)));
    const text = `${name(row)} taken for ${name(column)}: ${n}`;
    const own = {
      class: `cell ${row === column ? 'hit' : 'miss'} ${row === column && strength > strong ? 'strong' : ''}`,
      style: { '--strength': `${strength}%` },
    };
    const shown = n === 0 ? '' : String(n);
    if (onCell === undefined)
      return (
        <span title={text} {...own}>
          {shown}
        </span>
      );
    return (
      <button
        type="button"
        aria-label={text}
        aria-pressed={row === target && column === predicted}
        title={`${text} (${percent(share)} of ${name(row)})`}
        data-cell={`${row},${column}`}
        tabIndex={row === at[0] && column === at[1] ? 0 : -1}
        onFocus={() => setAt([row, column])}
        onClick={() => onCell(row, column)}
        {...own}
      >
        {shown}
      </button>
    );
  };
  return (
    <Panel
      name="confusion"
      title="Confusion"
      note={<span class="wide-only">rows: what it is, columns: what the model says</span>}
      table={() => (
        <DataTable
          caption="Test images by what they are (rows) and what the model says (columns)"
          columns={['is \\ says', ...confusion.map((_, i) => name(i))]}
          rows={confusion.map((row, i) => [name(i), ...row.map(count)])}
        />
      )}
    >
      <table class="confusion" ref={grid} onKeyDown={move}>
        <thead>
          <tr>
            <td />
            {confusion.map((_, i) => (
              <th scope="col" class="column-name" key={i} title={name(i)}>
                <span>{name(i)}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {confusion.map((row, i) => (
            <tr key={i}>
              <th scope="row" class="row-name" title={name(i)}>
                {name(i)}
              </th>
              {row.map((_, column) => (
                <td key={column}>{cell(i, column)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
});
