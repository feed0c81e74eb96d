// Finds a Node that can run the engine's TypeScript sources. Plain JavaScript: an old Node reads this file too.
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants as osConstants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chosenNode } from './environment.mjs';
import { failBeforeStart } from './start-failure.mjs';

/** Whether this very process can import TypeScript: Node 22.18 and up, unless it was switched off by a flag. */
export function runsTypeScript() {
  return Boolean(process.features.typescript);
}

/**
 * A Node other than the running one: the operator's choice, else the npm package `node` installed above the working
 * folder (the CLI starts the engine in the folder of the configuration) or above this package.
 *
 * @param {URL} here the folder of this package's launcher
 * @returns {string | undefined}
 */
export function findNewerNode(here) {
  if (chosenNode) return chosenNode;
  const folders = [...foldersUpFrom(process.cwd()), ...foldersUpFrom(fileURLToPath(here))];
  const candidates = folders.map((folder) => join(folder, 'node_modules', '.bin', 'node'));
  const running = realpathSync(process.execPath);
  return candidates.find((candidate) => isExecutable(candidate) && realpathSync(candidate) !== running);
}

/**
 * Starts the launcher under another Node with the same arguments and the same standard streams, passes signals on, and
 * ends as it ends, so that the CLI sees no difference.
 *
 * @param {string} node
 * @param {URL} launcher
 * @param {NodeJS.ProcessEnv} env
 */
export function startUnder(node, launcher, env) {
  const args = [fileURLToPath(launcher), ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: 'inherit', env });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    failBeforeStart(`The schema engine could not be started with ${node}: ${error.message}`);
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + osConstants.signals[signal];
  });
}

/**
 * Node refuses to strip types from files below a folder called `node_modules`. When this package is installed there
 * rather than linked from a workspace, this hook does it for the package's own sources and no others.
 *
 * @param {URL} sources
 */
export async function stripTypesBelow(sources) {
  if (!sources.pathname.includes('/node_modules/')) return;
  nodeModule.registerHooks({
    load(url, context, nextLoad) {
      if (!url.startsWith(sources.href) || !url.endsWith('.ts')) return nextLoad(url, context);
      const source = nodeModule.stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'));
      return { format: 'module', source, shortCircuit: true };
    },
  });
}

function foldersUpFrom(folder) {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...foldersUpFrom(parent)];
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
