// Where a program may keep things for a user it can fetch again (Node). A pure function of what it is told.

import { join, posix, win32 } from 'node:path';

/** What decides where the cache lies; `process` and `os.homedir()` have it. */
export interface CacheHost {
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
}

/** The user's cache folder of Heddle on this system; it may not exist yet. */
export function cacheFolder({ platform, env, home }: CacheHost): string {
  if (platform === 'win32') {
    return win32.join(env.LOCALAPPDATA || win32.join(home, 'AppData', 'Local'), 'heddle');
  }
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'heddle');
  // The XDG specification wants relative paths ignored.
  const xdg = env.XDG_CACHE_HOME;
  return posix.join(xdg && posix.isAbsolute(xdg) ? xdg : posix.join(home, '.cache'), 'heddle');
}
