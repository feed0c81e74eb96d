import type { Server as HttpListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The open connections of one server. */
export interface Connections {
  /** Destroys those without a request under way: nothing was sent, or a part of a head, or all is answered. */
  closeIdle(): void;
}

/**
 * Follows the connections of a server from now on. Node's own `closeIdleConnections` spares a connection that has
 * not sent a whole request head, so a silent one could hold up a stop.
 */
export function followConnections(listener: HttpListener): Connections {
  const latestAnswers = new Map<Socket, ServerResponse | null>();
  listener.on('connection', (socket) => {
    latestAnswers.set(socket, null);
    socket.once('close', () => latestAnswers.delete(socket));
  });
  listener.on('request', ({ socket }, answer) => {
    // Pipelined requests are answered in their order: when the latest answer is out, so are all before it.
    if (latestAnswers.has(socket)) latestAnswers.set(socket, answer);
  });
  return {
    closeIdle() {
      for (const [socket, answer] of latestAnswers) {
        if (answer === null || isOver(answer)) socket.destroy();
      }
    },
  };
}

/** An answer may be out while the body still comes: a client that sends the body might lose the answer to a cut. */
function isOver(answer: ServerResponse): boolean {
  return answer.closed && answer.req.complete;
}
