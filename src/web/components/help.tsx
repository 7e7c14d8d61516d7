// The keys, in a dialog; and what they do.

import type { RefObject } from 'preact';

const keys: readonly (readonly [string, string])[] = [
  ['space', 'start, pause, continue'],
  ['s', 'one step, while paused'],
  ['x', 'stop'],
  ['l', 'loss linear or logarithmic'],
  ['c', 'clear the drawing'],
  ['t', 'light or dark'],
  ['?', 'this help'],
];

/** Once the loss chart has the focus, by Tab or a click. */
const chartKeys: readonly (readonly [string, string])[] = [
  ['+ −', 'nearer, farther: around the pointer, or the middle'],
  ['← →', 'earlier, later steps; Home and End: first, last'],
  ['0', 'whole range; Escape too'],
];

/** Whether it is open is the dialog's own to know: the browser closes it by Escape, and says so a moment later. */
export function openHelp(dialog: HTMLDialogElement | null): void {
  if (dialog?.open === false) dialog.showModal();
}

const KeyList = ({ entries }: { readonly entries: typeof keys }) => (
  <dl>
    {entries.map(([key, what]) => (
      <div key={key}>
        <dt>
          <kbd>{key}</kbd>
        </dt>
        <dd>{what}</dd>
      </div>
    ))}
  </dl>
);

export function Help({ dialog }: { readonly dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <KeyList entries={keys} />
      <h3>On the loss chart, when it has the focus</h3>
      <KeyList entries={chartKeys} />
      <p>
        Drag over the loss to zoom, double-click for the whole range. In the confusion matrix arrows move and
        Enter shows a cell’s images. A hidden tab goes on training.
      </p>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}
