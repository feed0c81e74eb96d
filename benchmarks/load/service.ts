import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTarget, sendRaw } from '@repo/simulator';
import { auditDeposits } from '../audit/deposits.ts';
import { runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { startProgram } from '../lib/program.ts';
import type { Workbench } from './workbench.ts';

const SERVICE_CALLERS = 2_000;

const TOKEN = 'benchmark-callback-token';

export interface ServiceFigures extends Measured {
  /** Memory of the service in MiB: when it was ready, at most, and some seconds after the last answer. */
  readonly readyMiB: number;
  readonly peakMiB: number;
  readonly idleMiB: number;
}

/** Puts the M-PESA service under callers who each keep one connection and report one payment after the other. */
export async function measureService(bench: Workbench): Promise<ServiceFigures> {
  bench.say('the M-PESA service');
  return bench.databases.withFresh('ledger', async (url) => {
    // A process of its own with its default settings.
    await using service = await startProgram({
      folder: 'apps/mpesa',
      script: 'src/main.ts',
      settings: (port) => ({
        DATABASE_URL: url,
        API_KEY: 'benchmark-key',
        MPESA_CALLBACK_TOKEN: TOKEN,
        MPESA_PORT: port,
        // The callers are on this machine, which is no address of M-PESA.
        MPESA_SOURCE_CHECK: 'off',
      }),
      readyPath: '/health/ready',
    });
    const ready = await readMemory(service.pid);
    const measured = await loadService(service.url, bench);
    await auditDeposits(url, 'ledger', measured);
    const { peak } = await readMemory(service.pid);
    await sleep(bench.pace.idle);
    const idle = await readMemory(service.pid);
    return { ...measured, readyMiB: ready.now, peakMiB: peak, idleMiB: idle.now };
  });
}

async function loadService(url: string, { payments, pace }: Workbench): Promise<Measured> {
  const targets = Array.from({ length: SERVICE_CALLERS }, () =>
    openTarget({ url, token: TOKEN, connections: 1 }),
  );
  const window = pace.serviceWindow;
  const load = { ...pace, callers: SERVICE_CALLERS, warmUp: window / 2, window };
  try {
    return await runLoad(async ({ caller, place }) => {
      const target = targets[caller];
      if (target === undefined) return;
      const answer = await sendRaw(target, 'confirmation', Buffer.from(payments.at(place).callback.body));
      if (!answer.accepted) throw new BenchmarkError('not_credited', `HTTP ${String(answer.status)}.`);
    }, load);
  } finally {
    await Promise.all(targets.map((target) => target.close()));
  }
}

/** The memory of another process in MiB, now and at most; NaN where there is no Linux. */
async function readMemory(pid: number) {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '');
  const mib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1_024;
  return { now: mib('VmRSS'), peak: mib('VmHWM') };
}
