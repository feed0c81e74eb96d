import { execute } from '@repo/postgres/database';

/** The one row of a query, as texts. */
export async function readFacts(url: string, query: string): Promise<Readonly<Record<string, string>>> {
  const [row] = await execute(url, query);
  return Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, String(value)]));
}

/** The one row of a query whose columns are numbers; NaN where one is missing. */
export async function readNumbers<Name extends string>(
  url: string,
  query: string,
): Promise<Readonly<Record<Name, number>>> {
  const [row] = await execute(url, query);
  const numbers = Object.entries(row ?? {}).map(([name, value]) => [name, Number(value ?? Number.NaN)]);
  return Object.fromEntries(numbers) as Record<Name, number>;
}
