// The command line as a user sees it: real processes of bin/skein.js.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FrameBuilder } from '../src/codec/frame-writer.ts';
import { encodeBlockMeta } from '../src/storage/block/block-meta.ts';

const bin = path.resolve(import.meta.dirname, '../bin/skein.js');
const folder = mkdtempSync(path.join(tmpdir(), 'skein-main-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function skein(...words: string[]): { status: number | null; out: string; err: string } {
  const run = spawnSync(process.execPath, [bin, ...words], { encoding: 'utf8', timeout: 15_000 });
  return { status: run.status, out: run.stdout, err: run.stderr };
}

function fileOf(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

describe('skein', () => {
  it('tells its version', () => {
    expect(skein('version')).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^skein \d+\.\d+\.\d+ \(node v\d+/),
    });
  });

  it('starts with bounds of its own for V8, and keeps what it compiled for the next start as soon as it is ready', async () => {
    const cache = path.join(folder, 'compiled');
    const flags = [
      '--listen',
      '127.0.0.1:0',
      '--data',
      path.join(folder, 'data'),
      '--process.rehearsal',
      'false',
    ];
    const server = spawn(process.execPath, [bin, 'serve', ...flags], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    let output = '';
    for await (const text of server.stdout.setEncoding('utf8')) {
      output += text;
      if (output.includes('Skein is ready')) break;
    }
    // The process began anew in its own place: V8 takes some limits only then.
    const started = readFileSync(`/proc/${server.pid}/cmdline`, 'utf8').split('\0');
    const environment = readFileSync(`/proc/${server.pid}/environ`, 'utf8').split('\0');
    server.kill('SIGKILL');
    await once(server, 'exit');
    expect(started).toContain('--max-semi-space-size=8');
    expect(environment).toContain('MALLOC_MMAP_THRESHOLD_=524288');
    expect(readdirSync(cache, { recursive: true }).length).toBeGreaterThan(100);
  });

  it('suggests the flag that was meant', () => {
    const run = skein('serve', '--listne', '127.0.0.1:1');
    expect(run.status).not.toBe(0);
    expect(run.err).toContain('--listen');
  });

  it('prints the configuration that would be used', () => {
    const run = skein('check', 'config', '--query.timeout', '30s');
    expect(run.status).toBe(0);
    expect(run.out).toContain('timeout: "30s"');
  });

  it('takes features as Prometheus does: in a list, and several times', () => {
    const run = skein(
      'check',
      'config',
      '--enable-feature=promql-experimental-functions,use-start-timestamps',
      '--enable-feature',
      'promql-binop-fill-modifiers',
    );
    expect(run.out).toContain(
      'enable_feature: "promql-experimental-functions,use-start-timestamps,promql-binop-fill-modifiers"',
    );
    const bad = skein('check', 'config', '--enable-feature=native-everything');
    expect(bad.status).toBe(1);
    expect(bad.err).toContain('promql-delayed-name-removal');
  });

  it('refuses a bad configuration with place, key and what is allowed', () => {
    const file = fileOf('bad.yml', 'query:\n  timeout: 30s\n  timeot: 5s\n');
    const run = skein('check', 'config', '--config', file);
    expect(run.status).toBe(1);
    expect(run.err).toContain(`${file}:3`);
    expect(run.err).toContain('"timeot" is not a setting of query');
  });

  it('names a cluster that does not answer, without a stack', () => {
    const run = skein('check', 'cluster', '--url', 'http://127.0.0.1:1');
    expect(run.status).toBe(1);
    expect(run.err).toMatch(/^skein: cannot ask http:\/\/127.0.0.1:1\/-\/cluster: \S/);
    expect(run.err).not.toContain('fetch failed');
  });

  it('names a configuration file that is not there, without a stack', () => {
    const run = skein('check', 'config', '--config', path.join(folder, 'nowhere.yml'));
    expect(run.status).toBe(1);
    expect(run.err).toContain('cannot read the configuration file');
    expect(run.err).not.toContain('    at ');
  });

  it('says what a data folder or address that cannot be used needs', () => {
    const file = fileOf('not-a-folder', 'x');
    const run = skein('serve', '--listen', '127.0.0.1:0', '--data', file);
    expect(run.status).toBe(1);
    expect(run.err).toContain(file);
    expect(skein('serve', '--listen', '192.0.2.1:9').err).toContain('cannot listen on 192.0.2.1:9');
  });

  it('shows a frame to people', () => {
    const builder = new FrameBuilder();
    builder.sample(0, 1000, 0, 0x3ff00000);
    const header = {
      writer: new Uint8Array(16),
      tenant: 'team-a',
      epoch: 0,
      epochFirst: 1,
      counter: 1,
      settled: 0,
      epochBegun: 5,
    };
    const run = skein('inspect', 'frame', fileOf('one.frame', builder.finish(header)));
    expect(run.status).toBe(0);
    expect(run.out).toContain('tenant team-a');
    expect(run.out).toContain('sample 0 1000 1');
  });

  it('shows a block to people, and refuses what is none', () => {
    const meta = {
      ulid: '01HZZZZZZZZZZZZZZZZZZZZZZZ',
      minTime: 0,
      maxTime: 7_200_000,
      stats: {
        numSamples: 5,
        numFloatSamples: 5,
        numHistogramSamples: 0,
        numSeries: 2,
        numChunks: 2,
        numTombstones: 0,
      },
      compaction: { level: 1, sources: ['01HZZZZZZZZZZZZZZZZZZZZZZZ'] },
      thanos: undefined,
    };
    fileOf('meta.json', encodeBlockMeta(meta));
    expect(skein('inspect', 'block', folder).out).toContain('2 series, 5 samples');
    expect(skein('inspect', 'wal', folder).err).toContain('no log segments');
    expect(skein('inspect', 'stone', folder).err).toContain('choose frame');
  });
});
