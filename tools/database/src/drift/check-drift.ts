import { withConnection } from '../connection.ts';
import { deploy } from '../deployment.ts';
import { compareDumps, describeDifference } from '../dump/compare-dumps.ts';
import type { DumpObject } from '../dump/dump-object.ts';
import { readDumpFile } from '../dump/files.ts';
import { readDump } from '../dump/read-dump.ts';
import { messageOf } from '../errors.ts';
import { readMigrations } from '../migrations.ts';
import { runPrisma } from '../prisma-cli.ts';
import type { Project } from '../project.ts';
import { checkFunctionLengths } from './function-lengths.ts';
import { checkFunctionSources } from './function-sources.ts';
import { checkNamedCalls } from './named-calls.ts';
import { NOTES } from './notes.ts';
import { checkModelTimes, checkUtcTimes } from './utc-times.ts';
import { checkWayBack, readStages } from './way-back.ts';

/** A claim about the repository, and what contradicts it. */
export interface DriftCheck {
  readonly claim: string;
  readonly run: (context: DriftContext) => Promise<string[]>;
}

export interface DriftContext {
  readonly project: Project;
  /** A database that the CLI has just migrated. */
  readonly url: string;
  /** An empty one. */
  readonly emptyUrl: string;
}

/** What must hold of every commit. The last check changes its databases. */
export const DRIFT_CHECKS: readonly DriftCheck[] = [
  { claim: 'every migration has a way back', run: checkDownFiles },
  { claim: 'every migration says why, what it locks and what it costs', run: checkNotes },
  { claim: 'prisma/schema.sql is the migrated database', run: checkDumpFile },
  { claim: 'prisma/functions has each function as it is deployed', run: checkSources },
  { claim: 'no function is longer than the longest may be', run: checkLengths },
  { claim: 'calls from SQL to SQL name their arguments', run: checkCalls },
  { claim: 'prisma/schema has the tables as they are', run: checkModels },
  { claim: 'models, defaults and functions take the time in UTC', run: checkTimes },
  { claim: 'each way back leads to what was before, and up again to the same', run: checkUpDownUp },
];

/** Runs one check. An error in it counts as a contradiction. */
export async function runDriftCheck({ run }: DriftCheck, context: DriftContext): Promise<string[]> {
  try {
    return await run(context);
  } catch (error) {
    return [messageOf(error)];
  }
}

async function checkDownFiles({ project }: DriftContext): Promise<string[]> {
  const migrations = await readMigrations(project.migrations);
  return migrations
    .filter(({ downSql }) => downSql === undefined)
    .map(({ name }) => `${name} has no down.sql`);
}

async function checkNotes({ project }: DriftContext): Promise<string[]> {
  const migrations = await readMigrations(project.migrations);
  return migrations.flatMap(({ name, notes = '' }) =>
    NOTES.filter((what) => !new RegExp(`^- \\*\\*${what}:\\*\\* \\S`, 'm').test(notes)).map(
      (what) => `${name}/notes.md has no line "- **${what}:** ..."`,
    ),
  );
}

async function checkDumpFile({ project, url }: DriftContext): Promise<string[]> {
  const problems = compareDumps(await readDumpFile(project.dump), await dumpOf(url)).map(describeDifference);
  return problems.length === 0
    ? []
    : [...problems, 'If the migrations are right, make it again with db:dump.'];
}

function checkLengths({ project }: DriftContext): Promise<string[]> {
  return checkFunctionLengths(project.functions);
}

function checkSources({ project, url }: DriftContext): Promise<string[]> {
  return withConnection(url, (client) => checkFunctionSources(client, project.functions));
}

function checkCalls({ project }: DriftContext): Promise<string[]> {
  return checkNamedCalls(project.functions);
}

async function checkModels({ project, url }: DriftContext): Promise<string[]> {
  const args = ['migrate', 'diff', '--from-config-datasource', '--to-schema', project.models, '--exit-code'];
  const { exitCode, output } = await runPrisma(project, args, { url, output: 'keep' });
  return exitCode === 0 ? [] : [output.trim()];
}

async function checkTimes({ project, url }: DriftContext): Promise<string[]> {
  const inDatabase = await withConnection(url, checkUtcTimes);
  return [...(await checkModelTimes(project.models)), ...inDatabase];
}

async function checkUpDownUp({ project, url, emptyUrl }: DriftContext): Promise<string[]> {
  const start = await dumpOf(url);
  const stages = await readStages(emptyUrl, await readMigrations(project.migrations));
  const problems = await checkWayBack(url, stages, project.migrations);
  const { exitCode, output } = await deploy({ project, url, output: 'keep' });
  if (exitCode !== 0) return [...problems, output.trim()];
  const again = compareDumps(start, await dumpOf(url)).map(describeDifference);
  return [...problems, ...again.map((difference) => `after going up again: ${difference}`)];
}

function dumpOf(url: string): Promise<DumpObject[]> {
  return withConnection(url, (client) => readDump(client));
}
