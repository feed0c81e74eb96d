#!/usr/bin/env node
// The file that Prisma's CLI starts as its schema engine.
//
// The sources are TypeScript that Node runs directly, but whichever `node` comes first on PATH may be too old for
// that. So this launcher is plain JavaScript that Node 18 can read: it runs the engine in this process where it can,
// and otherwise starts itself again under a newer Node that it finds near the project.
import { restartEnvironment, wasRestarted } from './environment.mjs';
import { findNewerNode, runsTypeScript, startUnder, stripTypesBelow } from './node-runtime.mjs';
import { failBeforeStart } from './start-failure.mjs';

if (runsTypeScript()) {
  // Standard error carries one JSON object a line, which the CLI parses. A warning of Node's would break that.
  process.removeAllListeners('warning');
  const sources = new URL('../src/', import.meta.url);
  await stripTypesBelow(sources);
  await import(new URL('main.ts', sources).href);
} else {
  const node = wasRestarted ? undefined : findNewerNode(new URL('.', import.meta.url));
  if (node) {
    startUnder(node, new URL(import.meta.url), restartEnvironment);
  } else {
    failBeforeStart(
      `The schema engine needs Node 22.18 or newer, and was started with Node ${process.versions.node} ` +
        `(${process.execPath}). Put a newer Node first on PATH, add the npm package "node" to the project, ` +
        'or set SCHEMA_ENGINE_NODE to the path of a newer Node.',
    );
  }
}
