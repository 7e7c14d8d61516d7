// Settings in an address: `#model=mlp&hidden=512,512&lr=0.001`. What a link does not say, or says wrongly, is the default.

import type { Settings } from '../recipes/protocol.ts';
import { defaults, readers, textOf } from './settings.ts';

const names = Object.keys(readers) as (keyof Settings)[];

/** The hash that stands for settings, all of them said, with its `#`. */
export function hashOf(settings: Settings): string {
  const said = names.filter((name) => settings[name] !== undefined);
  return `#${said.map((name) => `${name}=${encodeURIComponent(textOf(settings[name])).replaceAll('%2C', ',')}`).join('&')}`;
}

/** The settings that a hash stands for, and the names of those that it has wrongly or that do not exist. */
export function settingsOf(hash: string): { readonly settings: Settings; readonly wrong: readonly string[] } {
  const said = new URLSearchParams(hash.replace(/^#/, ''));
  const settings: Record<string, unknown> = { ...defaults };
  const wrong: string[] = [];
  for (const [name, text] of said) {
    const known = names.find((one) => one === name);
    const read = known === undefined ? undefined : readers[known](text);
    if (known !== undefined && read?.ok && said.getAll(name).length === 1) settings[known] = read.value;
    else wrong.push(name);
  }
  return { settings: settings as unknown as Settings, wrong: [...new Set(wrong)] };
}
