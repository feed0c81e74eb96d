import type { Server as HttpListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** The open connections of one server, and how much of what arrives on them is read. */
export interface Connections {
  /** Requests that are read and not answered, or still worked for though their sender is gone. */
  readonly underWay: number;
  readonly open: number;
  /** Connections from which nothing is read until there is room. */
  readonly unread: number;
  /** Counts a request as under way until this work for it is done, also when nobody waits for the answer any more. */
  workFor<Result>(answer: ServerResponse, work: () => Promise<Result>): Promise<Result>;
  /** Reads from all connections from now on, however much is under way: the server stops, and leaves nothing unread. */
  readAll(): Promise<void>;
  /** Destroys those without a request under way: nothing was sent, or a part of a head, or all is answered. */
  closeIdle(): void;
}

/**
 * Follows the connections of a server from now on. While `mostUnderWay` requests are under way nothing more is read:
 * what senders send stays with the kernel, and in the end with them, instead of in this process. Connections wait in the
 * order in which they came or were answered; none is refused.
 *
 * Node's own `closeIdleConnections` spares a connection that has not sent a whole request head, so a silent one could
 * hold up a stop.
 */
export function followConnections(listener: HttpListener, mostUnderWay: number): Connections {
  const latestAnswers = new Map<Socket, ServerResponse | null>();
  const worked = new Set<ServerResponse>();
  let most = mostUnderWay;
  let underWay = 0;
  const unread = createUnread(() => most - underWay);
  const mustWait = () => underWay >= most || unread.size > 0;

  function leave(): void {
    underWay -= 1;
    unread.readMore();
  }

  listener.on('connection', (socket) => {
    latestAnswers.set(socket, null);
    socket.once('close', () => {
      latestAnswers.delete(socket);
      unread.forget(socket);
    });
    // Later in this turn Node begins to read; only then can it be told to stop.
    if (mustWait()) process.nextTick(unread.add, socket);
  });
  listener.on('request', ({ socket }, answer) => {
    underWay += 1;
    // Pipelined requests are answered in their order: when the latest answer is out, so are all before it.
    if (latestAnswers.has(socket)) latestAnswers.set(socket, answer);
    answer.once('close', () => {
      if (!worked.has(answer)) leave();
      if (mustWait() && isOver(answer)) unread.add(socket);
    });
    if (underWay < most || unread.size > 0) return;
    for (const [each, latest] of latestAnswers) if (latest === null || isOver(latest)) unread.add(each);
  });
  return {
    get underWay() {
      return underWay;
    },
    get open() {
      return latestAnswers.size;
    },
    get unread() {
      return unread.size;
    },
    async workFor(answer, work) {
      worked.add(answer);
      try {
        return await work();
      } finally {
        worked.delete(answer);
        if (answer.closed) leave();
      }
    },
    async readAll() {
      most = Infinity;
      if (unread.size === 0) return;
      unread.readMore();
      // One turn in which they are read, and one in which what was read arrives.
      await turn();
      await turn();
    },
    closeIdle() {
      for (const [socket, answer] of latestAnswers) {
        if (answer === null || isOver(answer)) socket.destroy();
      }
    },
  };
}

/**
 * Connections that are not read, in their order.
 *
 * @param room how many may be read now
 */
function createUnread(room: () => number) {
  const sockets = new Set<Socket>();
  let isScheduled = false;

  // In a turn of its own: by then it is known which of the connections that were read last had something to say.
  function readMore(): void {
    if (isScheduled || sockets.size === 0 || room() <= 0) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      let left = room();
      for (const socket of sockets) {
        if (left <= 0) break;
        left -= 1;
        sockets.delete(socket);
        socket.resume();
      }
      readMore();
    });
  }

  return {
    readMore,
    add: (socket: Socket): void => {
      if (socket.destroyed) return;
      socket.pause();
      sockets.add(socket);
      readMore();
    },
    forget: (socket: Socket): void => void sockets.delete(socket),
    get size() {
      return sockets.size;
    },
  };
}

/** An answer may be out while the body still comes: a client that sends the body might lose the answer to a cut. */
function isOver(answer: ServerResponse): boolean {
  return answer.closed && answer.req.complete;
}
