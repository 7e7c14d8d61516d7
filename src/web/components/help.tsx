// The keys, in a dialog; and what they do.

import { useEffect, useRef } from 'preact/hooks';

const keys: readonly (readonly [string, string])[] = [
  ['space', 'start, pause, continue'],
  ['s', 'one step, while paused'],
  ['x', 'stop'],
  ['l', 'loss linear or logarithmic'],
  ['c', 'clear the drawing'],
  ['t', 'light or dark'],
  ['?', 'this help'],
];

export function Help({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open && dialog.current?.open === false) dialog.current.showModal();
    if (!open) dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={onClose}>
      <h2 id="help-title">Keys</h2>
      <dl>
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p>
        Drag over the loss to zoom, double-click for the whole range. In the confusion matrix arrows move and
        Enter shows a cell’s images. A hidden tab goes on training.
      </p>
      <button type="button" onClick={onClose}>
        Close
      </button>
    </dialog>
  );
}
