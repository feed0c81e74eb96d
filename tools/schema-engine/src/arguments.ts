import { parseArgs } from 'node:util';
import { ERRORS } from './errors.ts';

/** The `datasource` block of the configuration, as the CLI passes it. Both URLs may be absent. */
export interface Datasource {
  readonly url?: string | undefined;
  readonly shadowDatabaseUrl?: string | undefined;
}

/** What one start of the engine is asked to do: answer requests on standard input, or run one `cli` sub-command. */
export interface Invocation {
  readonly datasource: Datasource;
  readonly schemaFiles: string[];
  readonly command: string | undefined;
  /** Only say which engine this is, and end. */
  readonly version: boolean;
}

/**
 * Reads the command line that Prisma's CLI gives to a schema engine.
 *
 * Options that the WebAssembly engine has no use for (preview features, extension types) are accepted and ignored, so
 * that a CLI which passes them still works.
 */
export function parseArguments(args: readonly string[]): Invocation {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    strict: false,
    options: {
      version: { type: 'boolean', short: 'V' },
      datasource: { type: 'string' },
      datamodels: { type: 'string', multiple: true },
      'enabled-preview-features': { type: 'string' },
      'extension-types': { type: 'string' },
    },
  });
  const [mode, command] = positionals;
  if (mode !== undefined && mode !== 'cli') throw ERRORS.unknownCommand(mode);
  if (mode === 'cli' && command === undefined) throw ERRORS.unknownCommand('cli');
  return {
    datasource: typeof values.datasource === 'string' ? parseDatasource(values.datasource) : {},
    schemaFiles: strings(values.datamodels),
    command,
    version: values.version === true,
  };
}

function parseDatasource(json: string): Datasource {
  const value: unknown = parseJson(json);
  if (typeof value !== 'object' || value === null) throw ERRORS.notJson('--datasource');
  return { url: text(value, 'url'), shadowDatabaseUrl: text(value, 'shadowDatabaseUrl') };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // The parser's message would quote the text, which holds a connection string.
    throw ERRORS.notJson('--datasource');
  }
}

function text(object: object, key: string): string | undefined {
  const value: unknown = Reflect.get(object, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function strings(values: unknown): string[] {
  return Array.isArray(values) ? values.filter((value): value is string => typeof value === 'string') : [];
}
