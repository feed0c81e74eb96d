import type { Client } from 'pg';
import { withLanesLast } from '../distribute/distributed-dump.ts';
import { compareDumps, describeDifference } from '../dump/compare-dumps.ts';
import type { Difference } from '../dump/compare-dumps.ts';
import { titleOf } from '../dump/dump-object.ts';
import type { DumpObject } from '../dump/dump-object.ts';
import { headerOf } from '../dump/dump-text.ts';
import { schemasOf } from '../dump/files.ts';
import { readDump } from '../dump/read-dump.ts';
import type { Check, Finding } from './finding.ts';

/** What was changed by hand: the live database against the committed dump, in the schemas of the dump. */
export async function checkDrift(
  client: Client,
  {
    committed,
    isDistributed = false,
  }: { readonly committed: readonly DumpObject[]; readonly isDistributed?: boolean },
): Promise<Check> {
  const dump = await readDump(client, schemasOf(committed));
  const found = isDistributed ? withLanesLast(dump) : dump;
  const differences = compareDumps(committed, found).filter(
    // An extension that the operator has installed is their own affair.
    ({ kind, change }) => !(change === 'extra' && kind === 'extension'),
  );
  return {
    name: 'drift',
    summary: `${committed.length} objects as in prisma/schema.sql`,
    findings: differences.map((difference) => findingOf(difference, isDistributed)),
  };
}

function findingOf(difference: Difference, isDistributed: boolean): Finding {
  const what = describeDifference(difference);
  const remedy = isDistributed ? remedyOverNodes(difference) : remedyFor(difference);
  return { severity: 'wrong', what, remedy, object: titleOf(difference) };
}

/** The sources and the dump say what one machine has. */
function remedyOverNodes({ kind, change }: Difference): string {
  if (kind === 'function' && change !== 'extra') {
    return 'Run db:distribute: it brings the form up to date with this release.';
  }
  return 'Bring it to what db:distribute makes of prisma/schema.sql, on the coordinator.';
}

function remedyFor(difference: Difference): string {
  const { kind, name, change } = difference;
  if (change === 'extra') return 'Drop it if nobody needs it, or write a migration that makes it everywhere.';
  if (kind === 'function') return `Run ${name}.sql in prisma/functions, which makes it as it should be.`;
  const place = `below "${headerOf(difference)}" in prisma/schema.sql`;
  if (change === 'missing') return `Run the statement ${place}.`;
  if (kind === 'table') return `Bring it, with ALTER TABLE, to what stands ${place}.`;
  return `Drop it and run the statement ${place}.`;
}

/** Findings without those about an object that the `known` ones say more precise things of. */
export function withoutKnown(check: Check, known: readonly Check[]): Check {
  const objects = new Set(known.flatMap(({ findings }) => findings.flatMap(({ object }) => object ?? [])));
  return {
    ...check,
    findings: check.findings.filter(({ object }) => object === undefined || !objects.has(object)),
  };
}
