import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { realClock } from '../../../src/platform/clock.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { type MinioOptions, minioStore } from '../../../src/storage/objects/minio.ts';
import { runObjectStoreContract } from '../../contract/object-store.contract.ts';
import { describeWithServers, type MinioServer, startMinio } from '../../helpers/servers.ts';

const base = { useSSL: false, bucket: 'skein-test', clock: realClock(), log: silentLogger() };

await describeWithServers(['minio'], 'minioStore on a real MinIO', () => {
  let server: MinioServer;
  let count = 0;
  const options = (extra: Partial<MinioOptions> = {}): MinioOptions => ({
    ...base,
    endPoint: server.host,
    port: server.port,
    accessKey: server.accessKey,
    secretKey: server.secretKey,
    createBucket: true,
    prefix: `test-${count++}`,
    ...extra,
  });
  beforeAll(async () => {
    server = await startMinio();
  });
  afterAll(() => server.dispose());

  runObjectStoreContract({
    name: 'MinIO',
    make: async () => ({ store: await minioStore(options()), dispose: async () => undefined }),
  });

  it('keeps its prefix to itself', async () => {
    const [a, b] = [
      await minioStore(options({ prefix: '/p/q/' })),
      await minioStore(options({ prefix: '' })),
    ];
    await a.put('key', new Uint8Array(1));
    const below = [];
    for await (const entry of b.list('p/')) below.push(entry.key);
    expect(below).toEqual(['p/q/key']);
    for await (const entry of a.list('')) expect(entry.key).toBe('key');
  });

  it('says what is wrong with the bucket or the keys', async () => {
    const missing = await minioStore(options({ bucket: 'not-there', createBucket: false }));
    await expect(missing.get('key')).rejects.toMatchObject({ code: 'config' });
    const stranger = await minioStore(options({ secretKey: 'wrong-secret', createBucket: false }));
    await expect(stranger.get('key')).rejects.toMatchObject({ code: 'config' });
  });

  it('uploads a stream larger than one part', async () => {
    const store = await minioStore(options());
    const part = new Uint8Array(1024 * 1024).fill(7);
    async function* parts(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 70; i++) yield part;
    }
    await store.putStream('large', parts(), 70 * part.length);
    expect(await store.stat('large')).toMatchObject({ bytes: 70 * part.length });
    expect(await store.getRange('large', 69 * part.length, 2)).toEqual(new Uint8Array([7, 7]));
  });

  it('makes its bucket when the store is back', async () => {
    await server.pause();
    const store = await minioStore(options({ bucket: 'made-later', timeoutMs: 500 }));
    await server.resume();
    for (;;) {
      const error = await store.put('key', new Uint8Array(1)).catch((caught: unknown) => caught);
      if (error === undefined) break;
      expect(error).toMatchObject({ code: 'config' }); // not made yet
    }
    expect(await store.stat('key')).toMatchObject({ bytes: 1 });
  });

  it('gives up on a silent store in bounded time and works again when it answers', async () => {
    const store = await minioStore(options({ timeoutMs: 500 }));
    await store.put('key', new Uint8Array(1));
    await server.pause();
    const start = performance.now();
    await expect(store.get('key')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await expect(store.stat('key')).rejects.toMatchObject({ code: 'unavailable' });
    const list = async (): Promise<void> => {
      for await (const _ of store.list('')) break;
    };
    await expect(list()).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - start).toBeLessThan(3 * 1_500 + 500);
    await server.resume();
    expect(await store.get('key')).toHaveLength(1);
  });

  it('rides out a restart', async () => {
    const store = await minioStore(options({ timeoutMs: 10_000 }));
    await store.put('key', new Uint8Array(3));
    await server.kill();
    const found = store.get('key');
    await server.start();
    expect(await found).toHaveLength(3);
  });

  it('stops waiting when it is canceled', async () => {
    const store = await minioStore(options({ timeoutMs: 30_000 }));
    await store.put('key', new Uint8Array(3));
    await server.pause();
    const start = performance.now();
    await expect(store.get('key', AbortSignal.timeout(200))).rejects.toMatchObject({ code: 'canceled' });
    expect(performance.now() - start).toBeLessThan(1_000);
    await server.resume();
  });
});

await describeWithServers([], 'minioStore against a store that fails', () => {
  it('tries again after 503, and recognises its own putOnce whose answer was lost', async () => {
    let puts = 0;
    const bodies: Buffer[] = [];
    const fake = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-length': bodies[0]!.length, etag: '"x"' }).end(bodies[0]);
        return;
      }
      puts++;
      if (puts === 1) {
        response.writeHead(503).end();
        return;
      }
      if (puts === 2) {
        bodies.push(Buffer.concat(chunks)); // stored, but the answer is lost
        request.socket.destroy();
        return;
      }
      response
        .writeHead(412, { 'content-type': 'application/xml' })
        .end('<Error><Code>PreconditionFailed</Code><Message>it exists</Message></Error>');
    });
    await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
    const { port } = fake.address() as AddressInfo;
    const store = await minioStore({ ...base, endPoint: '127.0.0.1', port, accessKey: 'a', secretKey: 'b' });
    await store.putOnce('fence', new Uint8Array([1, 2, 3]));
    expect(puts).toBe(3);
    await expect(store.putOnce('fence', new Uint8Array([9]))).rejects.toMatchObject({ code: 'conflict' });
    fake.close();
  });
});
