import type { LedgerIntake, TransferIntake } from '@repo/db';
import type { Server } from '@repo/http';
import { Counter, Gauge } from 'prom-client';

/** What the service counts. */
export interface WalletMetrics {
  readonly queueDepth: Gauge;
  readonly operationDepth: Gauge;
  readonly transfers: Counter<'outcome'>;
  readonly limited: Counter;
  readonly verifications: Counter<'verdict'>;
}

interface Intakes {
  readonly transfers: Pick<TransferIntake, 'depth'>;
  readonly ledger: Pick<LedgerIntake, 'depth'>;
}

export function createWalletMetrics(
  registry: Server['metrics'],
  { transfers, ledger }: Intakes,
): WalletMetrics {
  const registers = [registry];
  return {
    queueDepth: new Gauge({
      name: 'wallet_transfer_queue_depth',
      help: 'Transfers that were received and are not committed yet.',
      registers,
      collect() {
        this.set(transfers.depth);
      },
    }),
    operationDepth: new Gauge({
      name: 'wallet_operation_queue_depth',
      help: 'Holds, captures, releases and reversals that were received and are not committed yet.',
      registers,
      collect() {
        this.set(ledger.depth);
      },
    }),
    transfers: new Counter({
      name: 'wallet_transfers_total',
      help: 'Transfers by what became of them: posted, replayed, or the code of the refusal.',
      labelNames: ['outcome'],
      registers,
    }),
    limited: new Counter({
      name: 'wallet_rate_limited_total',
      help: 'Requests refused because their key had asked for too many wallets or transactions, or their address had checked too many receipts.',
      registers,
    }),
    verifications: new Counter({
      name: 'wallet_verifications_total',
      help: 'Checks of receipts by the public, by verdict.',
      labelNames: ['verdict'],
      registers,
    }),
  };
}

/** How many holds are over and cannot be given back, as the last round of the expiry found them. */
export function createStuckHoldsGauge(registry: Server['metrics']): (count: number) => void {
  const gauge = new Gauge({
    name: 'wallet_holds_stuck',
    help: 'Holds that are over and cannot be given back; the log names them.',
    registers: [registry],
  });
  return (count) => gauge.set(count);
}
