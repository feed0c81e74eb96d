import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runCommand } from '@repo/command/run-command';
import { migrateDatabase } from '@repo/postgres/migrations';
import { ROOT } from '../env.ts';
import { auditTrial } from './audit.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { FAULTS } from './faults.ts';
import type { Fault } from './faults.ts';
import { startLoad } from './load.ts';
import { openLoopback, openNamespaces, whyNoNamespaces } from './network.ts';
import type { Network } from './network.ts';
import { readOptions } from './options.ts';
import type { TrialOptions } from './options.ts';
import { findPrograms } from './programs.ts';
import type { Programs } from './programs.ts';
import { isRight, renderMarkdown, renderReport, replaceSection } from './report.ts';
import type { Report } from './report.ts';
import { strike } from './trial.ts';
import type { Event } from './trial.ts';

const PAYERS = 12;
const PAUSE_MS = 20;

const begun = performance.now();
const say = (line: string) =>
  process.stdout.write(`${((performance.now() - begun) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`);

const options = readOptions();
await runCommand(async () => {
  const found = await findPrograms();
  if ('missing' in found) {
    process.stderr.write(`Not installed: ${found.missing.join(', ')}. See deploy/patroni/README.md.\n`);
    return 1;
  }
  await using network = await openNetwork(options);
  const { programs } = found;
  const { durability } = options;
  await using cluster = await startCluster({ network, programs, durability, say });
  const report = await Promise.race([runTrial(cluster, options), stopped()]);
  process.stdout.write(`\n${renderReport(report)}\n`);
  if (options.write) await writeTable(report, programs);
  const right = isRight(report);
  process.stdout.write(right ? 'It came out as it must.\n' : 'WRONG\n');
  return right ? 0 : 1;
});
// A trial that was stopped has payers left, which would go on forever. The services end with this process.
process.exit();

/** Rejects when the trial shall end early, so that all that it started is ended in order. */
async function stopped(): Promise<never> {
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  throw new Error('stopped before its end: nothing has been shown');
}

async function openNetwork({ loopback, nodes }: TrialOptions): Promise<Network> {
  const names = ['etcd', 'one', 'two', 'three'].slice(0, 1 + nodes);
  const reason = loopback ? 'asked for with --loopback' : await whyNoNamespaces();
  if (reason === null) return openNamespaces(names);
  say(`NOT TRIED: networks that are cut or slow; ${reason}`);
  return openLoopback(names);
}

async function runTrial(cluster: Cluster, { minutes, once: isOnce, ...rest }: TrialOptions): Promise<Report> {
  await migrateDatabase(ROOT, cluster.url);
  const seed = `ha-trial ${String(Date.now())}`;
  const load = await startLoad({ databaseUrl: cluster.url, payers: PAYERS, pauseMs: PAUSE_MS, seed });
  try {
    say('customers pay');
    const faults = (rest.faults ?? FAULTS).filter((fault) => isPossible(cluster, fault));
    const events: Event[] = [];
    const end = performance.now() + minutes * 60_000;
    const isOver = () => (isOnce ? events.length === faults.length : performance.now() >= end);
    while (!isOver()) {
      const fault = faults[events.length % faults.length];
      if (fault === undefined) break;
      const event = await strike(cluster, load, fault);
      events.push(event);
      say(describe(event, load.ledger.acknowledged.size));
    }
    await load.finish();
    await cluster.untilWhole();
    const texts = await load.readTexts();
    const outcome = await auditTrial(cluster.url, { ledger: load.ledger, texts });
    return { durability: rest.durability, nodes: rest.nodes, events, outcome };
  } finally {
    await load.stop();
  }
}

function isPossible({ network }: Cluster, { name, needsNetwork }: Fault): boolean {
  if (!needsNetwork || network.faults !== null) return true;
  say(`NOT TRIED: ${name}`);
  return false;
}

function describe({ fault, takeoverMs, silenceMs, wholeMs }: Event, payments: number): string {
  const inSeconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`;
  const takeover = takeoverMs === null ? 'nobody took over' : `another led after ${inSeconds(takeoverMs)}`;
  return `${fault}: ${takeover}, silence ${inSeconds(silenceMs)}, whole after ${inSeconds(wholeMs)}; ${String(payments)} payments`;
}

async function writeTable(report: Report, programs: Programs): Promise<void> {
  const path = join(ROOT, 'docs/reliability.md');
  const name = `ha:trial ${report.durability} ${String(report.nodes)}`;
  const body = renderMarkdown(report, await describePlace(programs));
  await writeFile(path, replaceSection(await readFile(path, 'utf8'), { name, body }));
}

async function describePlace({ patroni, etcd, postgres }: Programs): Promise<string> {
  const versions = await Promise.all(
    [patroni, etcd, join(postgres, 'postgres')].map(async (program) => {
      const { stdout } = await promisify(execFile)(program, ['--version']);
      return stdout.split('\n')[0] ?? '';
    }),
  );
  const processor = cpus()[0]?.model ?? 'unknown processor';
  const [load = Number.NaN] = loadavg();
  const date = new Date().toISOString().slice(0, 10);
  return (
    `${date}; all on one machine, ${String(availableParallelism())} cores (${processor}), load average ${load.toFixed(1)} at the end; ` +
    `${versions.join('; ')}.`
  );
}
