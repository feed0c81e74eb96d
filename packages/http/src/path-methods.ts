import type { FastifyInstance } from 'fastify';
import findMyWay from 'find-my-way';

/** How paths are matched, here and by the framework. A head has at most 16 KiB, so no parameter is refused for its length. */
export const ROUTER_OPTIONS = { maxParamLength: 16_384 };

/** Which methods the paths of a server have. */
export interface PathMethods {
  /** The methods of a path as an `Allow` header lists them, `*` being all paths; null for an unknown path. */
  allowed(url: string): string | null;
}

/**
 * Follows the routes that are added to a server from now on. The framework can only be asked for one method at a time,
 * so its router library is asked here too, with all methods of a path under one name.
 */
export function followPaths(app: FastifyInstance): PathMethods {
  const paths = findMyWay(ROUTER_OPTIONS);
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    let methods = known.get(url);
    if (methods === undefined) {
      methods = new Set(['OPTIONS']);
      known.set(url, methods);
      paths.on('GET', url, () => {}, url);
    }
    for (const each of [method].flat()) methods.add(each);
  });
  return {
    allowed(url) {
      if (url === '*') return listOf(new Set([...known.values()].flatMap((methods) => [...methods])));
      const route = paths.find('GET', url);
      const methods = route === null ? undefined : known.get(String(route.store));
      return methods === undefined ? null : listOf(methods);
    },
  };
}

function listOf(methods: ReadonlySet<string>): string {
  return [...methods].toSorted().join(', ');
}
