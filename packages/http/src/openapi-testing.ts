import { createConfig, lintFromString } from '@redocly/openapi-core';
import { z } from 'zod';

/**
 * What the strictest rules of Redocly's linter find in the description that a running service serves, one line each.
 * For tests; it needs no network.
 */
export async function findDescriptionFaults(url: string): Promise<string[]> {
  const source = await (await fetch(`${url}/docs/json`)).text();
  const config = await createConfig({ extends: ['recommended-strict'] });
  const problems = await lintFromString({ source, absoluteRef: `${url}/docs/json`, config });
  return problems.map(({ ruleId, message, location }) => {
    return `${ruleId}: ${message} (${location.map((place) => place.pointer ?? '').join(', ')})`;
  });
}

const operation = z.looseObject({
  operationId: z.string().optional(),
  summary: z.string().optional(),
  responses: z.record(z.string(), z.unknown()),
});

const description = z.object({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), z.looseObject({})) }),
});

/** What a client generator needs of a description: names of operations and schemas, answers without one, codes. */
export async function readDescription(url: string) {
  const { paths, components } = description.parse(await (await fetch(`${url}/docs/json`)).json());
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ path, method, ...described })),
  );
  const problem = z
    .object({ properties: z.object({ code: z.object({ enum: z.array(z.string()) }) }) })
    .parse(components.schemas['Problem']);
  const unnamed = operations.flatMap(({ operationId, responses }) =>
    Object.entries(responses)
      .filter(([, response]) => isUnnamed(response))
      .map(([status]) => `${operationId ?? ''} ${status}`),
  );
  const codes = problem.properties.code.enum;
  return { operations, schemas: Object.keys(components.schemas), unnamed, codes };
}

const answer = z.object({
  content: z.record(z.string(), z.object({ schema: z.looseObject({}) })).default({}),
});

/** Whether it is JSON of a schema that has no name, for which a generator makes no type to name in a program. */
function isUnnamed(response: unknown): boolean {
  const json = answer.parse(response).content['application/json'];
  return json !== undefined && !('$ref' in json.schema);
}
