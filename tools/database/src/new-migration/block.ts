const beginning = '-- ==== functions: written by db:migration, edit prisma/functions instead ====';
const end = '-- ==== end of functions ====';

/** The part of a script that `db:migration` writes, and the hand-written parts around it. */
export interface ScriptParts {
  readonly before: string;
  readonly after: string;
}

/** Splits a script at its block of functions. A script without one is hand-written up to its end. */
export function splitScript(script: string): ScriptParts {
  const from = script.indexOf(beginning);
  if (from < 0) return { before: script, after: '' };
  const to = script.indexOf(end, from);
  return {
    before: script.slice(0, from),
    after: to < 0 ? '' : script.slice(to + end.length),
  };
}

/** Puts statements, or none, between the hand-written parts of a script. */
export function joinScript({ before, after }: ScriptParts, statements: readonly string[]): string {
  const block =
    statements.length === 0
      ? []
      : [`${beginning}\n\n${statements.map((each) => each.trim()).join('\n\n')}\n\n${end}`];
  const parts = [before.trim(), ...block, after.trim()].filter((part) => part !== '');
  return `${parts.join('\n\n')}\n`;
}
