// Weights and activations as small images side by side.

import { useState } from 'preact/hooks';
import type { Tiles } from '../../recipes/protocol.ts';
import { memo } from '../memo.ts';
import { columnsFor, tilesPicture } from '../picture.ts';
import type { Theme } from '../theme.ts';
import { Image } from './image.tsx';
import { DataTable, Empty, Panel } from './panel.tsx';

/** What zero looks like: nearly the surface that it lies on. */
const zero = { light: [250, 249, 246], dark: [28, 29, 33] } as const;

interface TilesProps {
  readonly tiles: Tiles;
  readonly theme: Theme;
  /** Most of them to show. */
  readonly most: number;
  /** How many times as wide as high. */
  readonly ratio: number;
}

export const TilesImage = memo(({ tiles, theme, most, ratio }: TilesProps) => {
  const count = Math.min(tiles.count, most);
  const single = tiles.height * tiles.width === 1;
  const columns = columnsFor(count, (ratio * tiles.height) / tiles.width, single ? 128 : 64);
  return (
    <Image
      picture={tilesPicture(tiles, count, columns, zero[theme])}
      class="tiles"
      label={`${tiles.label}: ${tiles.count} of ${tiles.height} × ${tiles.width}`}
    />
  );
});

const least = (values: Float32Array) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const greatest = (values: Float32Array) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

/** Least, mean and greatest of each image: what a table can say of pictures. */
export function TilesTable({ tiles, most }: { readonly tiles: Tiles; readonly most: number }) {
  const size = tiles.height * tiles.width;
  return (
    <DataTable
      caption={`${tiles.label}: ${tiles.count} images of ${tiles.height} × ${tiles.width}`}
      columns={['number', 'least', 'mean', 'greatest']}
      rows={Array.from({ length: Math.min(tiles.count, most) }, (_, i) => {
        const values = tiles.values.subarray(i * size, (i + 1) * size);
        const mean = values.reduce((sum, value) => sum + value, 0) / size;
        return [i, ...[least(values), mean, greatest(values)].map((value) => value.toFixed(4))];
      })}
    />
  );
}

interface FiltersProps {
  readonly filters: Tiles | undefined;
  readonly theme: Theme;
}

const few = 63;

export const FiltersPanel = memo(({ filters, theme }: FiltersProps) => {
  const [all, setAll] = useState(false);
  if (filters === undefined || filters.count === 0)
    return (
      <Panel name="filters" title="First layer">
        <Empty>Once it trains: what each unit of the first layer looks for, live.</Empty>
      </Panel>
    );
  const most = all ? filters.count : few;
  return (
    <Panel
      name="filters"
      title="First layer"
      note={<Signs />}
      tools={
        filters.count > few && (
          <button type="button" class="quiet" aria-pressed={all} onClick={() => setAll(!all)}>
            all {filters.count}
          </button>
        )
      }
      table={() => <TilesTable tiles={filters} most={most} />}
    >
      <div class="fill tiles-place">
        <TilesImage tiles={filters} theme={theme} most={most} ratio={1.28} />
      </div>
    </Panel>
  );
});

/** What the colours of weights and activations mean. */
export const Signs = () => (
  <span class="signs">
    <span class="below">below 0</span>
    <span class="above">above 0</span>
  </span>
);
