import { runEngine } from './engine-process.ts';

// Timers of the WebAssembly engine may still be waiting, so the end is not left to the event loop. Standard output is
// a pipe, which Node writes to at once on the systems that this runs on.
process.exit(await runEngine(process.argv.slice(2), process));
