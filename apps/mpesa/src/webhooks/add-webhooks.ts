import type { Server } from '@repo/http';
import type { AppDependencies, RouteContext } from '../dependencies.ts';
import { createSealing } from '../daraja/sealing.ts';
import { addDeliveryRoutes } from './delivery-routes.ts';
import { USUAL_WEBHOOK_TIMINGS } from './timings.ts';
import { createWebhookClient } from './webhook-client.ts';
import { createWebhookMetrics } from './webhook-metrics.ts';
import { addWebhookRoutes } from './webhook-routes.ts';
import { startWebhookRunner } from './webhook-runner.ts';

/** Adds the routes of webhooks, and delivers events until the server closes. Without a key none is registered or delivered. */
export function addWebhooks(
  { app, metrics: registry }: Server,
  { settings }: Pick<AppDependencies, 'settings'>,
  context: RouteContext,
): void {
  const { webhooks } = settings;
  const sealing =
    webhooks === undefined
      ? null
      : createSealing(webhooks.key, { salt: '', purpose: 'daftari webhook secrets' });
  addWebhookRoutes(app, context, { sealing, settings: webhooks });
  addDeliveryRoutes(app, context);
  const metrics = createWebhookMetrics(registry);
  if (webhooks === undefined || sealing === null) return;
  const timings = { ...USUAL_WEBHOOK_TIMINGS, ...webhooks.timings };
  const { isPublicOnly } = webhooks;
  const closing: (() => Promise<void>)[] = [];
  app.addHook('onListen', (done) => {
    const client = createWebhookClient({ timeoutMs: timings.timeoutMs, isPublicOnly });
    const runner = startWebhookRunner({ db: context.db, sealing, client, timings, metrics, log: app.log });
    closing.push(async () => {
      await runner.stop();
      await client.close();
    });
    done();
  });
  app.addHook('preClose', async () => {
    for (const close of closing) await close();
  });
}
