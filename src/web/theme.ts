// Light or dark: as the system has it, until the reader says otherwise; that is remembered where storage is permitted.

export type Theme = 'light' | 'dark';

const key = 'heddle-theme';
const dark = () => matchMedia('(prefers-color-scheme: dark)');

/** What the reader chose before. */
function chosen(): Theme | undefined {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : undefined;
  } catch {
    return undefined; // storage is refused
  }
}

/** The theme to show now. */
export const currentTheme = (): Theme => chosen() ?? (dark().matches ? 'dark' : 'light');

/** Shows a theme: the style sheet reads `data-theme`. */
export function showTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

/** Remembers the reader's choice. */
export function chooseTheme(theme: Theme): void {
  showTheme(theme);
  try {
    localStorage.setItem(key, theme);
  } catch {
    // It lasts as long as the page then.
  }
}

/** Tells when the system changes its mind and the reader has none; the function that it returns ends that. */
export function followSystem(told: (theme: Theme) => void): () => void {
  const query = dark();
  const changed = () => chosen() === undefined && told(query.matches ? 'dark' : 'light');
  query.addEventListener('change', changed);
  return () => query.removeEventListener('change', changed);
}

/** A colour of the style sheet, by its custom property. */
export const colour = (name: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
