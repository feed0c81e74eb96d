import { ERRORS } from '../errors.ts';

/** What a TypedSQL file says of a parameter in `-- @param {Type} $1:name? text`. */
interface ParameterComment {
  readonly type: string | undefined;
  readonly name: string | undefined;
  readonly nullable: boolean;
  readonly documentation: string | null;
}

/** The documentation of a query: its `@description`, and its parameters by number. */
export interface QueryComments {
  readonly description: string | null;
  readonly parameters: Map<number, ParameterComment>;
}

/** Prisma's scalar types, as they are written in a comment, in the words of the client's generator. */
const SCALARS: Readonly<Record<string, string>> = {
  Int: 'int',
  BigInt: 'bigint',
  Float: 'float',
  Boolean: 'bool',
  String: 'string',
  DateTime: 'datetime',
  Json: 'json',
  Bytes: 'bytes',
  Decimal: 'decimal',
};

const DESCRIPTION = /^\s*--\s*@description\s*(.*?)\s*$/;
const PARAMETER = /^\s*--\s*@param\b/;
const PARAMETER_PARTS =
  /^\s*--\s*@param\s+(?:\{(?<type>[^}]+)\}\s*)?\$(?<number>\d+)(?::(?<name>[^\s?]+)(?<nullable>\?)?)?(?:\s+(?<text>.*?))?\s*$/;

/**
 * Reads the comments of a TypedSQL file.
 *
 * @param enums the names of the database's enums, which a parameter may have as its type
 * @throws EngineError if a `@param` cannot be understood: a wrong comment would give a wrong type
 */
export function readComments(sql: string, enums: readonly string[]): QueryComments {
  let description: string | null = null;
  const parameters = new Map<number, ParameterComment>();
  for (const line of sql.split('\n')) {
    description = DESCRIPTION.exec(line)?.[1] || description;
    if (!PARAMETER.test(line)) continue;
    const parts = PARAMETER_PARTS.exec(line)?.groups;
    if (!parts) throw ERRORS.sqlComment(line.trim(), 'expected -- @param {Type} $1:name? description');
    const number = Number(parts['number']);
    if (parameters.has(number)) throw ERRORS.sqlComment(line.trim(), `$${number} is described twice`);
    parameters.set(number, {
      type: parts['type'] === undefined ? undefined : parameterType(parts['type'], line, enums),
      name: parts['name'],
      nullable: parts['nullable'] !== undefined,
      documentation: parts['text'] || null,
    });
  }
  return { description, parameters };
}

function parameterType(written: string, line: string, enums: readonly string[]): string {
  const type = SCALARS[written] ?? enums.find((name) => name === written);
  if (type) return type;
  const accepted = [...Object.keys(SCALARS), ...enums].join(', ');
  throw ERRORS.sqlComment(line.trim(), `unknown type ${written}; accepted are ${accepted}`);
}
