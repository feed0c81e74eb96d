// new:app <name>: a new service in apps/<name> that starts, answers for its health and passes check.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCommandLine, refuse } from '@repo/command/command-line';
import { variableName, writeAppFiles } from './app-files.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

const USAGE = `Usage: new:app <name>

Makes a new service in apps/<name>, with health routes, settings, a test, a README and its OpenAPI description. Enters
its port in .env.example and itself in the lock file; it needs no network.

  <name>   lower-case words with hyphens between them, such as loan-desk

Exit codes: 0 made, 1 a step failed, 2 the command line cannot be used.`;

const { positionals } = readCommandLine(USAGE, { names: 1 });
const [name = ''] = positionals;
if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) refuse('Give a name such as loan-desk.', USAGE);
const folder = join(ROOT, 'apps', name);
if (existsSync(folder)) refuse(`apps/${name} is there already.`, USAGE);

const exampleFile = join(ROOT, '.env.example');
const port = freePort(await readFile(exampleFile, 'utf8'));
await writeAppFiles(ROOT, folder, { name, port });
await appendFile(exampleFile, `\n${variableName(name)}_PORT=${String(port)}\n`);
const { devEngines } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  readonly devEngines: { readonly packageManager: { readonly version: string } };
};
run('npx', [
  '-y',
  `pnpm@${devEngines.packageManager.version}`,
  'install',
  '--offline',
  '--no-frozen-lockfile',
]);
run(process.execPath, [
  join(ROOT, 'node_modules/prettier/bin/prettier.cjs'),
  '--ignore-path=.gitignore',
  '--write',
  folder,
]);
run(process.execPath, [join(ROOT, 'e2e/openapi.ts'), '--write']);
process.stdout.write(
  `apps/${name} is made. Its first route goes into apps/${name}/src/app.ts; then run openapi --write and check.\n`,
);

/** The first port that no service and no simulator has. */
function freePort(example: string): number {
  const ports = [...example.matchAll(/_PORT=(40\d\d)$/gm)].map(([, text]) => Number(text));
  let free = 4_001;
  while (ports.includes(free)) free += 1;
  return free;
}

function run(program: string, parameters: readonly string[]): void {
  const { status, error } = spawnSync(program, parameters, { cwd: ROOT, stdio: 'inherit' });
  if (status === 0) return;
  process.stderr.write(`${program} ${parameters.join(' ')} failed${error ? `: ${error.message}` : '.'}\n`);
  process.exit(1);
}
