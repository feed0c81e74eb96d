import generate, { astToString } from 'openapi-typescript';

/**
 * The types of a client for the service that has this description, as the text of a TypeScript module: `paths` is what
 * `createClient` of openapi-fetch takes, and `components` has the schemas by name.
 *
 * @param description OpenAPI 3.1 as JSON
 */
export async function clientTypes(description: string): Promise<string> {
  return astToString(await generate(description));
}
