import type { Handle } from '../connection/handle.ts';
import { createGroupCommit } from '../connection/group-commit.ts';
import type { GroupCommit, GroupWork, LaneOptions } from '../connection/group-commit.ts';
import { createSmsWaker } from './waker.ts';

/** Group commit of work that leaves messages behind: the senders are woken after each commit. */
export function createTellingGroup<Item, Result>(
  db: Handle,
  work: GroupWork<Item, Result>,
  options: LaneOptions,
): GroupCommit<Item, Result> {
  const waker = createSmsWaker(db);
  async function run(items: readonly Item[]): Promise<Result[]> {
    const results = await work.run(items);
    waker.wake();
    return results;
  }
  const group = createGroupCommit<Item, Result>({ ...work, run }, options);
  return {
    submit: (item) => group.submit(item),
    async close() {
      await group.close();
      await waker.close();
    },
    get depth() {
      return group.depth;
    },
  };
}
