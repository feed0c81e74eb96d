import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { runInThread } from '@repo/testing/threads';
import { expect, it } from 'vitest';
import { ROOT } from './env.ts';

const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};
const all = Object.entries(scripts);
const environment = { ...process.env, DATABASE_URL: 'postgresql://127.0.0.1:1/none' };
// Those that are a tool and its options are the tool's to explain and to refuse.
const ours = all.filter(([, script]) => script.startsWith('node '));

/** The program of one of our scripts, which is its last word. */
function programOf(script: string): string {
  return join(ROOT, script.slice(script.lastIndexOf(' ') + 1));
}

/** Runs a script with more arguments, as the package managers do, where no database can be reached. */
async function run(script: string, args: readonly string[]) {
  const child = spawn('sh', ['-c', `${script} "$@"`, 'sh', ...args], {
    cwd: ROOT,
    env: {
      ...environment,
      PATH: [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { code: code as number | null, stdout, stderr };
}

it.each(all)(
  '%s --help says how it is used and does nothing',
  async (name, script) => {
    const { code, stdout } = await run(script, ['--help']);
    expect(stdout).toMatch(/usage/i);
    expect(code).toBe(0);
    if (ours.some(([each]) => each === name)) {
      // prepare is generate by the name that package managers have for it.
      expect(stdout).toContain(`Usage: ${name === 'prepare' ? 'generate' : name}`);
      expect(stdout).toMatch(/Exit codes?: 0 /);
    }
  },
  60_000,
);

it.each(ours)(
  '%s refuses an option that it does not have, and says which it has',
  async (_name, script) => {
    const { code, stdout, stderr } = await runInThread(programOf(script), ['--no-such-option'], environment);
    expect(stderr).toContain('--no-such-option');
    expect(stderr).toContain('Usage: ');
    expect(stdout).toBe('');
    expect(code).toBe(2);
  },
  60_000,
);

it.each(ours)(
  '%s refuses words that it does not expect',
  async (_name, script) => {
    const { code, stderr } = await runInThread(programOf(script), ['one', 'two'], environment);
    expect(stderr).toMatch(/one|two/);
    expect(stderr).toContain('Usage: ');
    expect(code).toBe(2);
  },
  60_000,
);
