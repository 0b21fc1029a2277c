import { expect, it } from 'vitest';
import { describeWithServers, startMinio, startNats, startNatsCluster, startPrometheus } from './servers.ts';

await describeWithServers(['nats-server', 'minio', 'prometheus'], 'servers', () => {
  it('starts a nats-server, ends it and starts it again on the same port', async () => {
    const nats = await startNats();
    await nats.stop();
    await expect(fetch(`http://127.0.0.1:${nats.port}`)).rejects.toThrow();
    await nats.start();
    await nats.dispose();
  });

  it('starts three nats-servers that agree on a leader', async () => {
    const cluster = await startNatsCluster();
    expect(new Set(cluster.urls).size).toBe(3);
    await cluster.dispose();
  });

  it('starts MinIO', async () => {
    const minio = await startMinio();
    const response = await fetch(`http://${minio.host}:${minio.port}/minio/health/live`);
    expect(response.status).toBe(200);
    await minio.dispose();
  });

  it('starts Prometheus', async () => {
    const prometheus = await startPrometheus('global: { scrape_interval: 5s }\n');
    const response = await fetch(`${prometheus.url}/api/v1/status/buildinfo`);
    expect(await response.json()).toMatchObject({ status: 'success' });
    await prometheus.dispose();
  });
});
