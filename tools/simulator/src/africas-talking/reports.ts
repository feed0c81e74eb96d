import { request } from 'undici';
import type { ReportPlan } from './behaviour.ts';
import type { Book, BookedMessage } from './book.ts';

/** Sends delivery reports. They are not repeated when nobody takes them: whether the provider does is not known. */
export interface Reporter {
  /** Resolves when all reports of the plan were sent, one after the other. */
  report(url: string, message: BookedMessage, plan: ReportPlan): Promise<void>;
  /** Resolves when no report is under way. */
  idle(): Promise<void>;
}

export const USUAL_REPORTS: ReportPlan = { statuses: ['Success'] };

export function createReporter(book: Book): Reporter {
  const underWay = new Set<Promise<void>>();

  async function send(url: string, message: BookedMessage, plan: ReportPlan): Promise<void> {
    for (const status of plan.statuses) {
      const isTaken = await post(url, fieldsOf(message, status, plan), plan.format ?? 'form');
      book.count(isTaken ? 'reportsSent' : 'reportsFailed');
    }
  }

  return {
    report(url, message, plan) {
      const sending = send(url, message, plan).finally(() => underWay.delete(sending));
      underWay.add(sending);
      return sending;
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

/** The fields of a report. All are texts, also the numbers; a failure's reason stands before the id. */
function fieldsOf(message: BookedMessage, status: string, plan: ReportPlan): Record<string, string> {
  const isFailure = status === 'Failed' || status === 'Rejected';
  return {
    phoneNumber: message.recipient,
    ...(isFailure ? { failureReason: plan.failureReason ?? 'DeliveryFailure' } : {}),
    retryCount: '0',
    id: message.id,
    status,
    networkCode: plan.networkCode ?? '63902',
  };
}

async function post(url: string, fields: Record<string, string>, format: 'form' | 'json'): Promise<boolean> {
  const isForm = format === 'form';
  try {
    const { statusCode, body } = await request(url, {
      method: 'POST',
      headers: { 'content-type': isForm ? 'application/x-www-form-urlencoded' : 'application/json' },
      body: isForm ? new URLSearchParams(fields).toString() : JSON.stringify(fields),
    });
    await body.dump();
    return statusCode >= 200 && statusCode < 300;
  } catch (error) {
    // A service that is being restarted is what a provider meets as well. A wrong URL is the caller's mistake.
    if (error instanceof TypeError) throw error;
    return false;
  }
}
