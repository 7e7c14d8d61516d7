// Finds the commands of a shell script, as far as documentation writes such: words, quotes, comments, separators.

/** A command: its words, without what is set for it and where its output goes. */
export type Words = readonly string[];

const token =
  /\\\n|\s*(\n)|[ \t]+|#[^\n]*|(&&|\|\||[;|&()])|(\d?[<>]&?\d?)|((?:'[^']*'|"(?:\\.|[^"])*"|\\.|[^\s'"\\;|&()<>])+)/gy;

const unquoted = (word: string) =>
  word.replace(/'([^']*)'|"((?:\\.|[^"])*)"|\\(.)/g, (_, single, double, escaped) =>
    String(single ?? double?.replace(/\\(.)/g, '$1') ?? escaped),
  );

/** The commands of a script, in order. Throws where it cannot be read. */
export function commandsOf(script: string): Words[] {
  const commands: string[][] = [[]];
  let redirected = false;
  let fresh = true; // a comment begins at the start of a word only
  token.lastIndex = 0;
  let at = 0;
  while (at < script.length) {
    token.lastIndex = at;
    const match = token.exec(script);
    if (match === null || match[0] === '') throw new Error(`cannot read: ${script.slice(at).split('\n')[0]}`);
    at = token.lastIndex;
    const [text, newline, separator, redirection, word] = match;
    if (newline !== undefined || separator !== undefined) commands.push([]);
    else if (redirection !== undefined) redirected = !/\d$/.test(text);
    else if (word !== undefined && (fresh || !word.startsWith('#'))) {
      const current = commands.at(-1) as string[];
      const assignment = current.length === 0 && /^\w+=/.test(word);
      if (!redirected && !assignment) current.push(unquoted(word));
      redirected = false;
    }
    fresh = word === undefined;
  }
  return commands.filter((words) => words.length > 0);
}
