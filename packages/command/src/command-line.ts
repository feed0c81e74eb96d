import { parseArgs } from 'node:util';
import type { ParseArgsOptionsConfig } from 'node:util';

/** The exit code of a command whose command line cannot be used. Nothing has been done then. */
const MISUSED = 2;

type NoOptions = Readonly<Record<string, never>>;

interface Shape<Options extends ParseArgsOptionsConfig> {
  readonly options: Options;
  readonly allowPositionals: true;
}

/** What was typed after a command's name: its options, and the other words. */
export type CommandLine<Options extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<Shape<Options>>
>;

/**
 * Reads the command line of a command, before it does anything. `--help` and `-h` print the usage and end the process
 * with 0. What the usage does not name is refused: the reason and the usage go to standard error, and the process ends
 * with 2.
 *
 * A command imports what is dear to load (`await import`) after this call: neither help nor a refusal needs it.
 *
 * @param usage the whole text for people: how to call it, what it does, options, settings, exit codes
 * @param options as Node's `parseArgs` takes them
 * @param names how many words may follow that are no options, such as the name of a migration
 */
export function readCommandLine<const Options extends ParseArgsOptionsConfig = NoOptions>(
  usage: string,
  { options, names = 0 }: { readonly options?: Options; readonly names?: number } = {},
): CommandLine<Options> {
  const args = process.argv.slice(2);
  // Help is printed even beside an invalid option.
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  try {
    const line = parseArgs({ args, options: options ?? ({} as Options), allowPositionals: true });
    const surplus = line.positionals[names];
    if (surplus === undefined) return line;
    return refuse(`Unexpected argument '${surplus}'.`, usage);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error), usage);
  }
}

/** Ends the process because an option's value cannot be used, as `readCommandLine` does for an unknown option. */
export function refuse(reason: string, usage: string): never {
  process.stderr.write(`${reason}\n\n${usage}\n`);
  return process.exit(MISUSED);
}

interface CountRange {
  /** What was typed before it, such as `--rounds`. */
  readonly option: string;
  readonly least: number;
  readonly most: number;
  readonly usage: string;
}

/** The whole number that an option was given; ends the process as `refuse` does when it is not whole or out of range. */
export function readCount(text: string, { option, least, most, usage }: CountRange): number {
  const number = Number(text);
  if (/^\d{1,15}$/.test(text) && number >= least && number <= most) return number;
  return refuse(`${option} takes a whole number from ${String(least)} to ${String(most)}.`, usage);
}
