// Puts the page into a document, for whatever source it is given.

import { render } from 'preact';
import type { Message } from '../recipes/protocol.ts';
import { App } from './app.tsx';
import { openSession } from './session.ts';
import { settingsOf } from './share.ts';
import type { Source } from './source.ts';
import { currentTheme, showTheme } from './theme.ts';

/** Offers a file to the reader, as a download. */
function save({ name, bytes }: Extract<Message, { type: 'file' }>): void {
  const address = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Shows the page. `open` makes its source, and another one when the reader starts anew. */
export function showPage(root: HTMLElement, open: () => Source): void {
  showTheme(currentTheme());
  const { settings, wrong } = settingsOf(location.hash);
  const session = openSession({ settings, open, save });
  if (wrong.length > 0)
    session.dispatch({
      type: 'notice',
      text: `The link says ${wrong.join(', ')} in a way that means nothing here: the usual settings stand in for that.`,
    });
  // What nobody foresaw is said, not swallowed.
  addEventListener('unhandledrejection', (event) => {
    event.preventDefault();
    session.dispatch({ type: 'notice', text: `Something went wrong: ${String(event.reason)}` });
  });
  render(<App session={session} />, root);
}
