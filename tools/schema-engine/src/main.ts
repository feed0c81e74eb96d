import { runEngine } from './engine-process.ts';

/** For so long the process may take to end by itself: a panic may leave a connection open that would hold it. */
const LEAVE_MS = 1_000;

// The end is left to the event loop. process.exit() may wait forever: it joins Node's compiling threads, and one of
// those may wait for a collection of garbage by this thread (https://github.com/nodejs/node/issues/54918).
process.exitCode = await runEngine(process.argv.slice(2), process);
setTimeout(() => process.exit(), LEAVE_MS).unref();
