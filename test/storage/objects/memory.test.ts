import { realClock } from '../../../src/platform/clock.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';
import { runObjectStoreContract } from '../../contract/object-store.contract.ts';

runObjectStoreContract({
  name: 'memory',
  make: async () => ({ store: memoryStore(realClock()), dispose: async () => undefined }),
});
