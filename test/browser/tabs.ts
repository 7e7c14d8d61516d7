// Tabs of one window, of which one is in front and the others are really hidden: those of Playwright's contexts never are. Goes by
// the DevTools protocol, https://chromedevtools.github.io/devtools-protocol/tot/Target.

import type { Browser } from 'playwright';

/** A tab. */
export interface Tab {
  /** The value of an expression in the page. Throws when the page does. */
  evaluate(expression: string): Promise<unknown>;
  /** Brings it to the front, and hides the one that was there. */
  show(): Promise<void>;
  close(): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly result?: {
    readonly result: { readonly value?: unknown };
    readonly exceptionDetails?: { readonly text: string };
  };
}

/** Opens an address in a tab of the browser's own window, in front of the others. */
export async function openTab(browser: Browser, url: string): Promise<Tab> {
  const protocol = await browser.newBrowserCDPSession();
  const { targetId } = await protocol.send('Target.createTarget', { url });
  const { sessionId } = await protocol.send('Target.attachToTarget', { targetId, flatten: false });
  const waiting = new Map<number, (answer: Answer) => void>();
  protocol.on('Target.receivedMessageFromTarget', ({ message }) => {
    const answer: Answer = JSON.parse(message);
    waiting.get(answer.id ?? 0)?.(answer);
    waiting.delete(answer.id ?? 0);
  });
  let asked = 0;
  return {
    async evaluate(expression) {
      const id = ++asked;
      const answer = new Promise<Answer>((resolve) => waiting.set(id, resolve));
      const params = { expression, returnByValue: true, awaitPromise: true };
      const message = JSON.stringify({ id, method: 'Runtime.evaluate', params });
      await protocol.send('Target.sendMessageToTarget', { sessionId, message });
      const { result } = await answer;
      if (result?.exceptionDetails !== undefined) throw new Error(result.exceptionDetails.text);
      return result?.result.value;
    },
    async show() {
      await protocol.send('Target.activateTarget', { targetId });
    },
    async close() {
      await protocol.send('Target.closeTarget', { targetId });
      await protocol.detach();
    },
  };
}
