// Opens an address in the user's browser, without a shell.

import { spawn } from 'node:child_process';

/** The program that opens an address, and its arguments. A pure function. */
export function openerFor(platform: string, url: string): readonly [string, readonly string[]] {
  if (platform === 'darwin') return ['open', [url]];
  if (platform === 'win32') return ['rundll32', ['url.dll,FileProtocolHandler', url]]; // what `start` does
  return ['xdg-open', [url]];
}

/** Opens an address; `failed` is told in a few words when there is no way to. */
export function openBrowser(url: string, failed: (reason: string) => void): void {
  const [program, args] = openerFor(process.platform, url);
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.once('error', (error) => failed(`${program}: ${error.message}`));
  child.once('exit', (code) => {
    if (code !== null && code !== 0) failed(`${program} ended with ${code}`);
  });
  child.unref();
}
