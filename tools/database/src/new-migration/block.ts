const BEGINNING = '-- ==== functions: written by db:migration, edit prisma/functions instead ====';
const END = '-- ==== end of functions ====';

/** The part of a script that `db:migration` writes, and the hand-written parts around it. */
export interface ScriptParts {
  readonly before: string;
  readonly after: string;
}

/** Splits a script at its block of functions. A script without one is hand-written up to its end. */
export function splitScript(script: string): ScriptParts {
  const from = script.indexOf(BEGINNING);
  if (from < 0) return { before: script, after: '' };
  const to = script.indexOf(END, from);
  return {
    before: script.slice(0, from),
    after: to < 0 ? '' : script.slice(to + END.length),
  };
}

/** Puts statements, or none, between the hand-written parts of a script. */
export function joinScript({ before, after }: ScriptParts, statements: readonly string[]): string {
  const block =
    statements.length === 0
      ? []
      : [`${BEGINNING}\n\n${statements.map((each) => each.trim()).join('\n\n')}\n\n${END}`];
  const parts = [before.trim(), ...block, after.trim()].filter((part) => part !== '');
  return `${parts.join('\n\n')}\n`;
}
