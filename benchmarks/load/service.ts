import { setTimeout as sleep } from 'node:timers/promises';
import { openTarget, sendRaw } from '@repo/simulator';
import { auditDatabase } from '../audit/deposits.ts';
import { expectationOf, runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import type { Databases } from '../data/databases.ts';
import type { Supply } from '../data/deposits.ts';
import { BenchmarkError } from '../lib/errors.ts';
import type { Pace } from './options.ts';
import { watchMemory } from './service-memory.ts';
import { startService } from './service-process.ts';

const SERVICE_CALLERS = 2_000;

export interface ServiceFigures extends Measured {
  /** Memory of the service in MiB: when it was ready, at most, and some seconds after the last answer. */
  readonly readyMiB: number;
  readonly peakMiB: number;
  readonly idleMiB: number;
}

/** Puts the service under callers who each keep one connection and report one payment after the other. */
export async function measureService({
  databases,
  supply,
  pace,
}: {
  readonly databases: Databases;
  readonly supply: Supply;
  readonly pace: Pace;
}): Promise<ServiceFigures> {
  return databases.withFresh('ledger', async (url) => {
    await using service = await startService(url);
    const memory = watchMemory(service.pid);
    try {
      const readyMiB = await memory.now();
      const measured = await loadService(service, supply, pace);
      await auditDatabase(url, 'ledger', expectationOf(measured));
      const peakMiB = await memory.peak();
      await sleep(pace.idle);
      return { ...measured, readyMiB, peakMiB, idleMiB: await memory.now() };
    } finally {
      memory.stop();
    }
  });
}

async function loadService(
  service: { readonly url: string; readonly token: string },
  supply: Supply,
  pace: Pace,
): Promise<Measured> {
  const targets = Array.from({ length: SERVICE_CALLERS }, () => openTarget({ ...service, connections: 1 }));
  let place = 0;
  try {
    return await runLoad(
      async (caller) => {
        const target = targets[caller];
        const body = Buffer.from(supply.at(place).callback.body);
        place += 1;
        if (target === undefined) return;
        const answer = await sendRaw(target, 'confirmation', body);
        if (!answer.accepted) throw new BenchmarkError('not_credited', `HTTP ${String(answer.status)}.`);
      },
      {
        callers: SERVICE_CALLERS,
        warmUpMs: pace.serviceWindow / 2,
        warmUpAtMostMs: pace.warmUpAtMost,
        windowMs: pace.serviceWindow,
      },
    );
  } finally {
    await Promise.all(targets.map((target) => target.close()));
  }
}
