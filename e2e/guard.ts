import { spawn } from 'node:child_process';

/** Ends a process when this one has ended without stopping it, as after SIGKILL. */
export interface Guard {
  /** The process has ended, or is about to: there is nothing to guard any more. */
  release(): void;
}

// It reads from a pipe whose only other end is in this process.
const SCRIPT = 'read -r released || kill -TERM "$1" 2>/dev/null';

export function guardProcess(pid: number | undefined): Guard {
  if (pid === undefined) return { release: () => undefined };
  const guard = spawn('/bin/sh', ['-c', SCRIPT, 'guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without a shell, or when it is gone already, there is no guard; the process is stopped in the usual way.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
  return {
    release: () => {
      guard.stdin.end('released\n');
    },
  };
}
