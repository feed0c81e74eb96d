import { isDaftariError, listenForSms } from '@repo/db';
import type { Db, SmsListener } from '@repo/db';
import type { Server } from '@repo/http';
import { startMonitor } from './monitor.ts';
import type { Provider } from '../providers/provider.ts';
import { startLeaseSweep } from './lease-sweep.ts';
import { createSenderMetrics } from './sender-metrics.ts';
import { startSender } from './sender.ts';
import type { SenderSettings } from './sender.ts';
import type { SmsMetrics } from '../sms-metrics.ts';

export interface SendingDependencies {
  readonly db: Db;
  readonly server: Server;
  readonly provider: Provider;
  readonly metrics: SmsMetrics;
}

/** The part of the service that sends. */
export interface Sending {
  /** Claims nothing more; requests under way go on. */
  stop(): void;
  /** Stops, lets the requests under way finish within that time, and records everything. */
  close(graceMs: number): Promise<void>;
}

/** Between two looks for the leases of processes that are gone. */
const LONGEST_SWEEP_PAUSE_MS = 10_000;

/** Starts to send: the sender itself, what wakes it, and what looks after what other processes left. */
export function startSending(deps: SendingDependencies, settings: SenderSettings): Sending {
  const { db, provider } = deps;
  const { log } = deps.server.app;
  const metrics = createSenderMetrics(deps.server.metrics);
  const sender = startSender({ db, provider, metrics, log }, settings);
  const listener = listenIfPossible(deps, () => {
    sender.wake();
  });
  const sweep = startLeaseSweep({ db, log, metrics }, Math.min(settings.leaseMs / 4, LONGEST_SWEEP_PAUSE_MS));
  const monitor = startMonitor({ db, provider, metrics: deps.metrics, log });
  return {
    stop: () => {
      sender.stop();
    },
    async close(graceMs) {
      await Promise.all([listener?.close(), sweep.stop(), monitor.stop(), sender.close(graceMs)]);
    },
  };
}

/** Null behind a pooler, through which nothing would be heard: then polling has to do. */
function listenIfPossible({ db, server }: SendingDependencies, onWake: () => void): SmsListener | null {
  const { log } = server.app;
  const onError = (error: unknown) => {
    log.warn({ err: error }, 'the database cannot be listened to; messages are polled for until it can');
  };
  try {
    return listenForSms(db, onWake, { onError });
  } catch (error) {
    if (!isDaftariError(error) || error.code !== 'pooler_cannot_listen') throw error;
    log.info('through a pooler nothing can be heard of new messages: they are polled for');
    return null;
  }
}
