// Words as a POSIX shell reads them: for the command lines that messages tell users to type.

/** A word, quoted where it needs to be. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** A command line. */
export const commandLine = (words: readonly string[]): string => words.map(shellWord).join(' ');
