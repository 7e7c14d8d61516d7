// A shader as the package carries it: without comments, which only the files need, and with every line and column of the
// code where it is in the file.

/** Removes comments and the spaces before them; `// unroll` stays, since the engine reads it. */
export function withoutComments(source: string): string {
  return source.replace(/[ \t]*\/\/(?! unroll$).*$/gm, '');
}
