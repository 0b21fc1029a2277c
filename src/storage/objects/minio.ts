// A bucket on S3 or anything that speaks it, through the `minio` client. The client's own retries are off: it retries what it
// should not and not what it should. A request that gets no byte for `timeoutMs` is given up; what may help to try again is
// tried again with growing pauses until twice that time has passed, so that a slow or dead store is `unavailable` within
// three times `timeoutMs`. `node:http` is only used to make the client's requests give up.

import * as http from 'node:http';
import * as https from 'node:https';
import { Readable } from 'node:stream';
import { type BucketItem, Client } from 'minio';
import { DomainError, type ErrorCode, errorText } from '../../model/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import { checkKey } from './keys.ts';
import type { ObjectEntry, ObjectStore } from './object-store.ts';

/** Where the bucket is and how to log in. */
export interface MinioOptions {
  readonly endPoint: string;
  readonly port: number;
  readonly useSSL: boolean;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  /** Default us-east-1. */
  readonly region?: string | undefined;
  /** Begins every key in the bucket; a slash is added. Default none. */
  readonly prefix?: string | undefined;
  /** `host/bucket/key` rather than `bucket.host/key`; default true. */
  readonly pathStyle?: boolean;
  /** Creates the bucket when it is missing; default false. */
  readonly createBucket?: boolean;
  /** Milliseconds without a byte after which a request is given up; default 10 s. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const timeoutMsDefault = 10_000;
/** How long an opening waits for its bucket to be made. */
const createMsMax = 2_000;
const retryMs = 100;
const retryMsMax = 2_000;
const empty = new Uint8Array(0);

const codeOfError: Readonly<Record<string, ErrorCode>> = {
  NotFound: 'not_found',
  NoSuchKey: 'not_found',
  NoSuchBucket: 'config',
  NoSuchUpload: 'unavailable',
  PreconditionFailed: 'conflict',
  AccessDenied: 'config',
  Forbidden: 'config',
  InvalidAccessKeyId: 'config',
  SignatureDoesNotMatch: 'config',
  AuthorizationHeaderMalformed: 'config',
  XMinioStorageFull: 'full',
  QuotaExceeded: 'full',
  EntityTooLarge: 'too_large',
  KeyTooLongError: 'bad_data',
};
/** Refusals that pass by themselves; everything that is no refusal of the store (sockets, 5xx) does too. */
const passing = new Set([
  'SlowDown',
  'InternalError',
  'ServiceUnavailable',
  'RequestTimeout',
  'OperationAborted',
]);
const passingConditions = new Set([
  'ConditionalRequestConflict',
  'XMinioServerNotInitialized',
  'UnknownError',
]);

function fieldOf(error: unknown, name: 'code' | 'name'): string {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' ? value : '';
}

function translate(action: string, error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const refusal = fieldOf(error, 'code');
  const isRefusal = fieldOf(error, 'name') === 'S3Error';
  const passes = !isRefusal || passing.has(refusal) || passingConditions.has(refusal);
  const code = codeOfError[refusal] ?? (passes ? 'unavailable' : 'internal');
  const text = [refusal, errorText(error)].filter((part) => part !== '').join(', ');
  return new DomainError(code, `cannot ${action}: ${text}`, { cause: error });
}

/** The client, whose requests end with an error when the store is silent for `timeoutMs`. */
function makeClient(options: MinioOptions, timeoutMs: number): Client {
  const module = options.useSSL ? https : http;
  const request = (
    details: https.RequestOptions,
    onResponse: (response: http.IncomingMessage) => void,
  ): http.ClientRequest => {
    const made = module.request({ ...details, timeout: timeoutMs }, onResponse);
    made.on('timeout', () => made.destroy(new Error(`no byte within ${timeoutMs} ms`)));
    return made;
  };
  return new Client({
    endPoint: options.endPoint,
    port: options.port,
    useSSL: options.useSSL,
    accessKey: options.accessKey,
    secretKey: options.secretKey,
    region: options.region || 'us-east-1',
    pathStyle: options.pathStyle ?? true,
    retryOptions: { disableRetry: true },
    transport: { request } as typeof http,
  });
}

async function collect(stream: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

async function* counted(
  key: string,
  chunks: AsyncIterable<Uint8Array>,
  bytes: number,
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > bytes) break;
    yield chunk;
  }
  if (length !== bytes)
    throw new DomainError(
      'bad_data',
      `cannot put ${key}: ${length} bytes or more came, ${bytes} were announced`,
    );
}

/**
 * Opens a bucket. Errors: with `createBucket`, `config` when it cannot be made; without it, none. A service that is away is not waited
 * for: the bucket is made when it is back.
 */
export async function minioStore(options: MinioOptions): Promise<ObjectStore> {
  const store = new MinioStore(options);
  if (options.createBucket) await store.ensureBucket();
  return store;
}

class MinioStore implements ObjectStore {
  readonly #client: Client;
  readonly #options: MinioOptions;
  readonly #prefix: string;
  readonly #timeoutMs: number;

  constructor(options: MinioOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? timeoutMsDefault;
    this.#client = makeClient(options, this.#timeoutMs);
    const prefix = (options.prefix ?? '').replaceAll(/^\/+|\/+$/g, '');
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
  }

  async ensureBucket(): Promise<void> {
    const { clock, log, bucket } = this.#options;
    const making = this.#createBucket();
    const isMade = await new Promise<boolean>((resolve, reject) => {
      const cancel = clock.after(createMsMax, () => resolve(false));
      making
        .then(() => resolve(true))
        .catch((error) =>
          translate('create', error).code === 'unavailable' ? resolve(false) : reject(error),
        )
        .finally(cancel);
    });
    if (isMade) return;
    log.warn('the object store is away: its bucket will be made when it is back', { bucket });
    void this.#createLater(making);
  }

  async #createLater(making: Promise<unknown>): Promise<void> {
    const { clock, log, bucket } = this.#options;
    for (let attempt = making; ; attempt = this.#createBucket()) {
      try {
        await attempt;
        return;
      } catch (error) {
        const failure = translate(`create bucket ${bucket}`, error);
        if (failure.code !== 'unavailable')
          return log.error('cannot make the bucket', { error: failure.message });
        await sleep(clock, retryMsMax);
      }
    }
  }

  async #createBucket(): Promise<void> {
    const { bucket, region } = this.#options;
    await this.#attempt(`create bucket ${bucket}`, undefined, async () => {
      if (await this.#client.bucketExists(bucket)) return;
      await this.#client.makeBucket(bucket, region || 'us-east-1').catch((error) => {
        if (!['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(fieldOf(error, 'code'))) throw error;
      });
    });
  }

  async put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const name = this.#name(key);
    await this.#attempt(`put ${key}`, signal, () =>
      this.#client.putObject(this.#options.bucket, name, asBuffer(bytes), bytes.length),
    );
  }

  async putOnce(key: string, bytes: Uint8Array): Promise<void> {
    const name = this.#name(key);
    let attempts = 0;
    try {
      await this.#attempt(`put ${key}`, undefined, () => {
        attempts++;
        return this.#client.putObject(this.#options.bucket, name, asBuffer(bytes), bytes.length, {
          'If-None-Match': '*',
        });
      });
    } catch (error) {
      // An attempt without an answer may have stored it: then the conflict of the next one is with ourselves.
      const isConflict = error instanceof DomainError && error.code === 'conflict';
      if (!isConflict || attempts === 1 || !asBuffer(await this.get(key)).equals(bytes)) throw error;
    }
  }

  async putStream(key: string, chunks: AsyncIterable<Uint8Array>, bytes: number): Promise<void> {
    const name = this.#name(key);
    const source = Readable.from(counted(key, chunks, bytes), { objectMode: false });
    try {
      await this.#client.putObject(this.#options.bucket, name, source, bytes);
    } catch (error) {
      throw translate(`put ${key}`, error);
    } finally {
      source.destroy();
    }
  }

  async get(key: string, signal?: AbortSignal): Promise<Uint8Array> {
    const name = this.#name(key);
    return this.#attempt(`get ${key}`, signal, (abort) =>
      this.#read(() => this.#client.getObject(this.#options.bucket, name), abort),
    );
  }

  async getRange(key: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const name = this.#name(key);
    if (length === 0) return empty;
    return this.#attempt(`get ${length} bytes at ${offset} of ${key}`, signal, (abort) =>
      this.#read(
        () => this.#client.getPartialObject(this.#options.bucket, name, offset, length),
        abort,
      ).catch((error) => {
        if (fieldOf(error, 'code') === 'InvalidRange') return empty;
        throw error;
      }),
    );
  }

  async stat(key: string): Promise<ObjectEntry | undefined> {
    const name = this.#name(key);
    return this.#attempt(`stat ${key}`, undefined, async () => {
      try {
        const { size, lastModified } = await this.#client.statObject(this.#options.bucket, name);
        return { key, bytes: size, modifiedMs: lastModified.getTime() };
      } catch (error) {
        if (codeOfError[fieldOf(error, 'code')] === 'not_found') return undefined;
        throw error;
      }
    });
  }

  /** A listing that goes on after its last item when a page fails: pages are asked for again, never the whole listing. */
  async *list(prefix: string): AsyncGenerator<ObjectEntry, void, undefined> {
    let last = '';
    let pages = this.#pages(prefix, true, last);
    for (;;) {
      const next = await this.#attempt(`list ${prefix}`, undefined, async () => {
        try {
          return await pages.next();
        } catch (error) {
          pages = this.#pages(prefix, true, last);
          throw error;
        }
      });
      if (next.done) return;
      const { name, size, lastModified } = next.value;
      if (name === undefined) continue;
      last = name;
      yield { key: name.slice(this.#prefix.length), bytes: size, modifiedMs: lastModified.getTime() };
    }
  }

  /** A page has its objects before its folders, so the folders are gathered and sorted. */
  async *folders(prefix: string): AsyncGenerator<string, void, undefined> {
    const found = await this.#attempt(`list folders of ${prefix}`, undefined, async () => {
      const names = new Set<string>();
      for await (const item of this.#pages(prefix, false, ''))
        if (item.prefix !== undefined) names.add(item.prefix.slice(this.#prefix.length));
      return names;
    });
    yield* [...found].sort();
  }

  async remove(key: string): Promise<void> {
    const name = this.#name(key);
    await this.#attempt(`remove ${key}`, undefined, () =>
      this.#client.removeObject(this.#options.bucket, name).catch((error) => {
        if (codeOfError[fieldOf(error, 'code')] !== 'not_found') throw error;
      }),
    );
  }

  #name(key: string): string {
    return this.#prefix + checkKey(key);
  }

  #pages(prefix: string, recursive: boolean, after: string): AsyncIterableIterator<BucketItem> {
    return this.#client
      .listObjectsV2(this.#options.bucket, this.#prefix + prefix, recursive, after)
      [Symbol.asyncIterator]();
  }

  /** Reads a whole response, which ends at once when the signal aborts. */
  async #read(open: () => Promise<Readable>, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const stream = await open();
    const onAbort = (): void => void stream.destroy(new Error('aborted'));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await collect(stream);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Runs one request again and again while trying again can help and time is left. */
  async #attempt<T>(
    action: string,
    signal: AbortSignal | undefined,
    run: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const { clock, log } = this.#options;
    const end = clock.monotonic() + 2 * this.#timeoutMs;
    for (let pauseMs = retryMs; ; pauseMs = Math.min(retryMsMax, pauseMs * 2)) {
      try {
        return await this.#unlessAborted(action, signal, run);
      } catch (error) {
        const failure = translate(action, error);
        if (failure.code !== 'unavailable' || clock.monotonic() + pauseMs >= end) throw failure;
        log.debug('asking the object store again', { action, error: failure.message });
        await sleep(clock, pauseMs, signal).catch(() => undefined);
      }
    }
  }

  async #unlessAborted<T>(
    action: string,
    signal: AbortSignal | undefined,
    run: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    if (!signal) return run(undefined);
    const canceled = (): DomainError => new DomainError('canceled', `cannot ${action}: it was canceled`);
    if (signal.aborted) throw canceled();
    let onAbort = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(canceled());
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([run(signal), aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
