// A part of the page with a title, and what all of them have in common: tools, and a table in the place of a picture.

import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';

interface PanelProps {
  /** Names the place in the page's grid, `panel-NAME`. */
  readonly name: string;
  readonly title: string;
  /** Beside the title. */
  readonly note?: ComponentChildren;
  readonly tools?: ComponentChildren;
  /** What the table shows instead of the children. */
  readonly table?: () => ComponentChildren;
  readonly children: ComponentChildren;
}

export function Panel({ name, title, note, tools, table, children }: PanelProps) {
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  return (
    <section class={`panel panel-${name}`} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        {note !== undefined && <span class="note">{note}</span>}
        <span class="tools">
          {tools}
          {table !== undefined && (
            <button
              type="button"
              class="quiet"
              aria-pressed={asTable}
              aria-label={`${title} as a table`}
              onClick={() => setAsTable(!asTable)}
            >
              table
            </button>
          )}
        </span>
      </header>
      {asTable && table !== undefined ? table() : children}
    </section>
  );
}

interface TableProps {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly ComponentChildren[])[];
}

/** Rows under columns; the first of a row names it. Scrolls by itself, by keyboard too. */
export function DataTable({ caption, columns, rows }: TableProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" tabIndex={0} aria-label={caption}>
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, column) =>
                column === 0 ? (
                  <th key={columns[column]} scope="row">
                    {cell}
                  </th>
                ) : (
                  <td key={columns[column]}>{cell}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Why a part of the page has nothing to show yet. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

interface FileButtonProps {
  readonly label: string;
  readonly accept?: string;
  readonly several?: boolean;
  readonly disabled?: boolean;
  readonly onFiles: (files: readonly File[]) => void;
}

/** A button that asks for files. */
export function FileButton({ label, accept, several = false, disabled = false, onFiles }: FileButtonProps) {
  const pick = () => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = several;
    if (accept !== undefined) input.accept = accept;
    input.addEventListener('change', () => onFiles([...(input.files ?? [])]));
    input.click();
  };
  return (
    <button type="button" disabled={disabled} onClick={pick}>
      {label}
    </button>
  );
}
