// A real Prometheus on a folder of blocks, for tests.

import { type Server, startProcess } from '../../helpers/server-process.ts';
import { findBinary, freePorts } from '../../helpers/servers.ts';

/** Starts Prometheus on a folder of blocks. */
export async function prometheusOn(data: string): Promise<Server> {
  const [port = 0] = await freePorts(1);
  return startProcess(findBinary('prometheus')!, {
    name: `prometheus-${port}`,
    port,
    otherPorts: [],
    args: (place) => [
      `--config.file=${place.folder}/prometheus.yml`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    files: () => ({ 'prometheus.yml': 'global: {}\n' }),
    environment: {},
    ready: () =>
      fetch(`http://127.0.0.1:${port}/-/ready`).then(
        (answer) => answer.ok,
        () => false,
      ),
  });
}
