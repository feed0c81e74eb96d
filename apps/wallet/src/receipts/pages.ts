import type { FastifyReply } from 'fastify';

/**
 * Sends a page. What it may load and run it says itself; the header adds what a page cannot say of itself: that it
 * stands in nobody's frame, where a genuine verdict could be put beside another shop's receipt.
 */
export function sendPage(reply: FastifyReply, page: string): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .headers({
      'content-security-policy':
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; script-src 'none'",
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex',
    })
    .send(page);
}
