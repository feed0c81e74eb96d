import { readCommandLine, readCount, refuse } from '@repo/command/command-line';
import type { Durability } from './cluster.ts';
import { FAULTS } from './faults.ts';
import type { Fault } from './faults.ts';

const KINDS = FAULTS.map(({ name, about }) => `    ${name.padEnd(10)} ${about}`).join('\n');

const USAGE = `Usage: ha:trial [options]

Starts PostgreSQL nodes and etcd under Patroni, has customers pay through the M-PESA service and be told through the SMS
service, and does something to the primary again and again. At the end every payment that was acknowledged must be in the
ledger, and so must every payment that a customer was told of.

  --minutes <n>      for how long faults are done; the last one is finished (default: 10)
  --short            one kill, and one of a primary whose standby is behind, and no more
  --kinds <a,b,...>  faults to do, in turn (default: all that the network permits):
${KINDS}
  --nodes <n>        PostgreSQL nodes, 2 or 3 (default: 2)
  --durability <d>   synchronous, or a control that must lose: asynchronous (no standby is waited for), lowered
                     (synchronous_commit = local) (default: synchronous)
  --loopback         share 127.0.0.1 instead of making network namespaces, as every user may: nothing can be cut
  --write            write the table into docs/reliability.md

It needs Debian's patroni, etcd-server and postgresql-15, or others like them, and touches no service of the system.

Exit codes: 0 it came out as it must, 1 it did not or failed, 2 the command line cannot be used.`;

export interface TrialOptions {
  readonly minutes: number;
  /** Whether each fault is done once, instead of for some minutes. */
  readonly once: boolean;
  /** Null for all that the network permits. */
  readonly faults: readonly Fault[] | null;
  readonly nodes: number;
  readonly durability: Durability;
  readonly loopback: boolean;
  readonly write: boolean;
}

const DURABILITIES: readonly Durability[] = ['synchronous', 'asynchronous', 'lowered'];

/** The fault in which a cluster that does not wait for its standby must lose. */
const REVEALING = 'behind';

export function readOptions(): TrialOptions {
  const { values } = readCommandLine(USAGE, {
    options: {
      minutes: { type: 'string', default: '10' },
      short: { type: 'boolean', default: false },
      kinds: { type: 'string' },
      nodes: { type: 'string', default: '2' },
      durability: { type: 'string', default: 'synchronous' },
      loopback: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  const durability = DURABILITIES.find((each) => each === values.durability);
  if (durability === undefined) return refuse(`--durability is one of ${DURABILITIES.join(', ')}.`, USAGE);
  const usual = usualKinds({ isShort: values.short, isControl: durability !== 'synchronous' });
  const kinds = values.kinds ?? usual;
  return {
    minutes: readCount(values.minutes, { option: '--minutes', least: 1, most: 10_000, usage: USAGE }),
    once: values.short,
    faults: kinds === null ? null : kinds.split(',').map(faultNamed),
    nodes: readCount(values.nodes, { option: '--nodes', least: 2, most: 3, usage: USAGE }),
    durability,
    loopback: values.loopback,
    write: values.write,
  };
}

function usualKinds({ isShort, isControl }: { readonly isShort: boolean; readonly isControl: boolean }) {
  if (isControl) return REVEALING;
  return isShort ? `kill,${REVEALING}` : null;
}

function faultNamed(name: string): Fault {
  const fault = FAULTS.find((each) => each.name === name);
  return fault ?? refuse(`--kinds knows no ${name}: ${FAULTS.map((each) => each.name).join(', ')}.`, USAGE);
}
