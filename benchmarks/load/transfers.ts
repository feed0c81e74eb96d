import { createDb, createTransferIntake } from '@repo/db';
import type { Db, Transfer } from '@repo/db';
import { auditTransfers } from '../audit/transfers.ts';
import { callerCounts, expectationOf, loadOf, runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import type { DatabaseKind } from '../data/databases.ts';
import { transferByTheBook } from './textbook-transfer.ts';
import { routes } from '../data/transfers.ts';
import type { Route } from '../data/transfers.ts';
import { turned } from './workbench.ts';
import type { Turn, Workbench } from './workbench.ts';

/** `told` is the intake with an SMS to both sides, written in the same transaction. */
const transferWays = ['textbook', 'intake', 'told'] as const;

type TransferWay = (typeof transferWays)[number];

export interface TransferSample extends Measured {
  readonly route: Route;
  readonly way: TransferWay;
  readonly callers: number;
}

/** Measures all ways with every number of callers, for random pairs and for one hot wallet. */
export async function measureTransfers(bench: Workbench, { round, say }: Turn): Promise<TransferSample[]> {
  const samples: TransferSample[] = [];
  for (const callers of callerCounts) {
    for (const route of routes) {
      for (const way of turned(transferWays, round)) {
        say(`transfers, ${route}, ${way}, ${String(callers)} callers`);
        samples.push(await measureTransferWay(bench, { route, way, callers }));
      }
    }
  }
  return samples;
}

async function measureTransferWay(
  { databases, transfers, pace }: Workbench,
  { route, way: name, callers }: Pick<TransferSample, 'route' | 'way' | 'callers'>,
): Promise<TransferSample> {
  const kind: DatabaseKind = name === 'textbook' ? 'funded_textbook' : 'funded';
  return databases.withFresh(kind, async (url) => {
    // 2,000 callers of a pool of ten shall wait for their turn and not fail.
    const way = OPENERS[name](createDb({ url, connectTimeoutMs: 120_000, statementTimeoutMs: 120_000 }));
    let place = 0;
    const send = () => {
      place += 1;
      return way.send(transfers.at(route, place - 1));
    };
    try {
      const measured = await runLoad(send, loadOf(callers, pace));
      await auditTransfers(url, kind, expectationOf(measured));
      return { ...measured, route, way: name, callers };
    } finally {
      await way.close();
    }
  });
}

/** One way to transfer, on an open database. `send` resolves when the transfer is committed. */
interface OpenWay {
  send(transfer: Transfer): Promise<void>;
  close(): Promise<void>;
}

const OPENERS: Readonly<Record<TransferWay, (db: Db) => OpenWay>> = {
  textbook: (db) => ({
    send: (transfer) => transferByTheBook(db, transfer),
    close: () => db.close(),
  }),
  intake: (db) => openIntake(db, { notify: false }),
  told: (db) => openIntake(db, { notify: true }),
};

function openIntake(db: Db, told: Pick<Transfer, 'notify'>): OpenWay {
  const intake = createTransferIntake(db);
  return {
    send: async (transfer) => {
      await intake.transfer({ ...transfer, ...told });
    },
    close: async () => {
      await intake.close();
      await db.close();
    },
  };
}
