// What keys do wherever the focus is not on something that wants them itself.

import type { Session } from './session.ts';
import { isRunning } from './state.ts';

export interface KeyActions {
  readonly session: Session;
  readonly toggleTheme: () => void;
  readonly openHelp: () => void;
}

const own = 'input, select, textarea, button, summary, dialog, [contenteditable]';
/** What a button does with these, and a field with all others, is theirs. */
const buttonKeys = [' ', 'Enter'];

function wanted(target: EventTarget | null, key: string): boolean {
  const place = target instanceof Element ? target.closest(own) : null;
  if (place === null) return false;
  return place.tagName !== 'BUTTON' || buttonKeys.includes(key);
}

/** Obeys a key; says whether it meant something. */
export function obey(event: KeyboardEvent, { session, toggleTheme, openHelp }: KeyActions): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || wanted(event.target, event.key))
    return false;
  const state = session.state();
  switch (event.key) {
    case 't':
      toggleTheme();
      return true;
    case '?':
      openHelp();
      return true;
    case 'l':
    case 'c':
      document.querySelector<HTMLElement>(`[data-key="${event.key}"]`)?.click();
      return true;
  }
  if (!session.commands) return false;
  switch (event.key) {
    case ' ':
      if (state.status === 'paused') session.send({ type: 'continue' });
      else if (state.status === 'training' || state.status === 'evaluating') session.send({ type: 'pause' });
      else if (!isRunning(state)) session.start();
      return true;
    case 's':
      if (state.status === 'paused') session.send({ type: 'step' });
      return true;
    case 'x':
      if (isRunning(state)) session.send({ type: 'stop' });
      return true;
  }
  return false;
}
