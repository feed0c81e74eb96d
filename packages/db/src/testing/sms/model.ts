import type { SmsPhase, SmsStatus } from '../../sms/messages.ts';
import type { SmsOutcome } from '../../sms/settlements.ts';
import type { SmsDecision } from '../../sms/unknown.ts';

/** A message as plainly as it can be told. */
export interface ModelSms {
  readonly id: string;
  readonly priority: 0 | 1;
  phase: SmsPhase;
  readonly status: SmsStatus;
  readonly attempts: number;
  isAnswered: boolean;
  /** In ten-thousandths. */
  cost: number | null;
  messageId: string | null;
  rank: number | null;
  /** Attempts that a person has decided on, and those that were answered late. */
  readonly decided: Set<number>;
  readonly late: Set<number>;
}

export interface ModelAnswer {
  readonly id: string;
  readonly attempt: number;
  readonly outcome: SmsOutcome;
  readonly cost: number;
  readonly messageId: string | null;
}

/** The outbox as a list of messages, the ranks of reports by id, and a sum. */
export class SmsModel {
  readonly messages = new Map<string, ModelSms>();
  readonly #reports = new Map<string, number[]>();
  spent = 0;

  queue(id: string, priority: 0 | 1): void {
    this.messages.set(id, {
      id,
      priority,
      phase: 'QUEUED',
      status: 'PENDING',
      attempts: 0,
      isAnswered: false,
      cost: null,
      messageId: null,
      rank: null,
      decided: new Set(),
      late: new Set(),
    });
  }

  /** What a claim may return: so many of each priority. */
  due(priority: 0 | 1): number {
    return [...this.messages.values()].filter((sms) => sms.phase === 'QUEUED' && sms.priority === priority)
      .length;
  }

  claim(id: string): ModelSms {
    const sms = this.get(id);
    if (sms.phase !== 'QUEUED') throw new Error(`claimed while ${sms.phase}`);
    Object.assign(sms, { phase: 'SENDING', attempts: sms.attempts + 1, isAnswered: false });
    return sms;
  }

  expire(id: string): void {
    if (this.get(id).phase === 'SENDING') this.get(id).phase = 'UNKNOWN';
  }

  settle(answer: ModelAnswer): 'settled' | 'late' | 'ignored' {
    const sms = this.get(answer.id);
    if (answer.attempt < sms.attempts) return this.#settleEarlier(sms, answer);
    const was = sms.phase;
    if (answer.attempt !== sms.attempts || sms.attempts === 0 || sms.isAnswered) return 'ignored';
    if (answer.outcome === 'unknown' && was !== 'SENDING') return 'ignored';
    if (answer.messageId !== null && answer.messageId !== sms.messageId) {
      if (sms.messageId !== null) sms.rank = null;
      sms.messageId = answer.messageId;
    }
    if (answer.outcome === 'accepted') this.#finish(sms, 'SENT');
    else if (answer.outcome === 'refused') this.#finish(sms, 'FAILED');
    else if (answer.outcome === 'unknown') sms.phase = 'UNKNOWN';
    else if (was === 'SENDING' || was === 'UNKNOWN') sms.phase = 'QUEUED';
    if (answer.outcome !== 'unknown') {
      sms.isAnswered = true;
      this.#charge(sms, answer.cost);
    }
    if (was !== 'SENDING') sms.late.add(answer.attempt);
    this.#fold(sms);
    return was === 'SENDING' ? 'settled' : 'late';
  }

  report(messageId: string, rank: number): void {
    this.#reports.set(messageId, [...(this.#reports.get(messageId) ?? []), rank]);
    for (const sms of this.messages.values()) if (sms.messageId === messageId) this.#fold(sms);
  }

  decide(id: string, decision: SmsDecision): boolean {
    const sms = this.get(id);
    if (sms.phase !== 'UNKNOWN') return false;
    sms.decided.add(sms.attempts);
    if (decision === 'send_again') sms.phase = 'QUEUED';
    else this.#finish(sms, decision === 'sent' ? 'SENT' : 'FAILED');
    return true;
  }

  get(id: string): ModelSms {
    const sms = this.messages.get(id);
    if (sms === undefined) throw new Error('the model does not know this message');
    return sms;
  }

  #settleEarlier(sms: ModelSms, { attempt, outcome, cost, messageId }: ModelAnswer): 'late' | 'ignored' {
    if (outcome !== 'accepted' || !sms.decided.has(attempt) || sms.late.has(attempt)) return 'ignored';
    sms.late.add(attempt);
    this.#charge(sms, cost);
    if (sms.phase === 'QUEUED' || (sms.status === 'FAILED' && sms.rank === null)) {
      this.#finish(sms, 'SENT');
      sms.messageId = messageId ?? sms.messageId;
    }
    this.#fold(sms);
    return 'late';
  }

  #charge(sms: ModelSms, cost: number): void {
    sms.cost = (sms.cost ?? 0) + cost;
    this.spent += cost;
  }

  #finish(sms: ModelSms, status: 'SENT' | 'FAILED'): void {
    Object.assign(sms, { phase: 'DONE', status });
  }

  #fold(sms: ModelSms): void {
    const ranks = sms.messageId === null ? [] : (this.#reports.get(sms.messageId) ?? []);
    if (ranks.length === 0) return;
    sms.rank = Math.max(...ranks);
    if (sms.phase === 'SENDING' || sms.rank < 10) return;
    this.#finish(sms, sms.rank >= 60 && sms.rank < 100 ? 'FAILED' : 'SENT');
  }
}
