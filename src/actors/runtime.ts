// Runs actors: mailbox, handler loop, timers as messages, supervision with backoff, drain. The same for every actor, and
// deterministic under a virtual clock: nothing here looks at real time.

import { asDomainError, DomainError, errorText, InvariantError } from '../model/errors.ts';
import { type Cancel, sleep } from '../platform/clock.ts';
import type { ActorContext, ActorDefinition, Lifecycle, MessageTypes, World } from './actor.ts';

/** A running actor as others in its process see it. */
export interface ActorRef<Messages extends MessageTypes> {
  readonly role: string;
  readonly name: string;
  /**
   * Queues a message; resolves with the handler's reply. Errors: `full` when the mailbox is, `unavailable` when it stops, or a life ends
   * before the message's turn.
   */
  ask<K extends keyof Messages>(kind: K, message: Messages[K]['request']): Promise<Messages[K]['reply']>;
  lifecycle(): Lifecycle;
  /** Messages waiting. */
  waiting(): number;
  /** The error that ended its last life, if any. */
  lastError(): string | undefined;
  /** Takes no more messages, finishes those under way, closes. */
  stop(): Promise<void>;
}

const RESTART_MS_FIRST = 100;
const RESTART_MS_MAX = 10_000;

interface Waiting<Messages extends MessageTypes> {
  readonly kind: keyof Messages & string;
  readonly message: unknown;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Starts an actor and keeps it alive until stopped. Resolves once its first `open` succeeded or failed for good (`config`). */
export async function startActor<Config, State, Messages extends MessageTypes>(
  definition: ActorDefinition<Config, State, Messages>,
  config: Config,
  world: World,
  name: string = definition.role,
): Promise<ActorRef<Messages>> {
  const { actor, started } = launchActor(definition, config, world, name);
  await started;
  return actor;
}

/** An actor that can be seen and stopped while it opens; `started` settles as startActor does. */
export interface LaunchedActor<Messages extends MessageTypes> {
  readonly actor: ActorRef<Messages>;
  readonly started: Promise<void>;
}

/** As startActor, but does not wait. `onChange` is called after each change of its lifecycle. */
export function launchActor<Config, State, Messages extends MessageTypes>(
  definition: ActorDefinition<Config, State, Messages>,
  config: Config,
  world: World,
  name: string = definition.role,
  onChange: () => void = () => {},
): LaunchedActor<Messages> {
  const actor = new RunningActor(definition, config, world, name, onChange);
  return { actor, started: actor.start() };
}

class RunningActor<Config, State, Messages extends MessageTypes> implements ActorRef<Messages> {
  readonly role: string;
  readonly name: string;
  readonly #definition: ActorDefinition<Config, State, Messages>;
  readonly #config: Config;
  readonly #world: World;
  readonly #onChange: () => void;
  readonly #queue: Waiting<Messages>[] = [];
  readonly #stopping = new AbortController();
  /** Aborts when the present life ends, by a failure or by the stop. */
  #life = new AbortController();
  readonly #pendingTicks = new Set<string>();
  #state: { value: State } | undefined;
  #context: ActorContext<Messages> | undefined;
  #timers: Cancel[] = [];
  #lifecycle: Lifecycle = 'starting';
  #lastError: string | undefined;
  #running = 0;
  #restartMs = RESTART_MS_FIRST;
  #idle: (() => void)[] = [];
  #supervision: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(
    definition: ActorDefinition<Config, State, Messages>,
    config: Config,
    world: World,
    name: string,
    onChange: () => void,
  ) {
    this.#definition = definition;
    this.#config = config;
    this.#onChange = onChange;
    this.#world = { ...world, log: world.log.with({ actor: name }) };
    this.role = definition.role;
    this.name = name;
  }

  lifecycle(): Lifecycle {
    return this.#lifecycle;
  }

  waiting(): number {
    return this.#queue.length;
  }

  lastError(): string | undefined {
    return this.#lastError;
  }

  async start(): Promise<void> {
    const opening = this.#open();
    // A stop that comes in the middle waits for it.
    this.#supervision = opening.catch(() => {});
    try {
      await opening;
    } catch (error) {
      const failure = asDomainError(error);
      if (failure.code === 'config' || this.#stopping.signal.aborted) throw failure;
      this.#fail(error);
    }
  }

  ask<K extends keyof Messages>(kind: K, message: Messages[K]['request']): Promise<Messages[K]['reply']> {
    if (this.#stopping.signal.aborted)
      return Promise.reject(new DomainError('unavailable', `${this.name} is stopping`));
    if (this.#queue.length >= this.#definition.mailbox.capacity)
      return Promise.reject(
        new DomainError(
          'full',
          `cannot queue ${String(kind)}: the mailbox of ${this.name} holds its ${this.#definition.mailbox.capacity} messages`,
        ),
      );
    return new Promise((resolve, reject) => {
      this.#queue.push({
        kind: kind as string,
        message,
        resolve: resolve as (reply: unknown) => void,
        reject,
      });
      this.#pump();
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#become('draining');
    const reason = new DomainError('canceled', `${this.name} is stopping`);
    this.#stopping.abort(reason);
    this.#life.abort(reason);
    this.#cancelTimers();
    this.#rejectWaiting('is stopping');
    await this.#supervision;
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.#close();
    this.#become('stopped');
  }

  async #open(): Promise<void> {
    this.#become('starting');
    const life = new AbortController();
    this.#life = life;
    if (this.#stopping.signal.aborted) life.abort(this.#stopping.signal.reason);
    const context: ActorContext<Messages> = {
      ...this.#world,
      ask: (kind, message) => this.ask(kind, message),
      become: (lifecycle) => this.#become(lifecycle),
      stopping: life.signal,
    };
    this.#context = context;
    const value = await this.#definition.open(this.#config, context).catch((error: unknown) => {
      // What the opening had begun must not go on beside the next one.
      life.abort(new DomainError('canceled', `${this.name} did not open`));
      throw error;
    });
    this.#state = { value };
    if (life.signal.aborted) return; // stopping: all that is left to do is close
    if (this.#lifecycle === 'starting') this.#become('ready');
    this.#restartMs = RESTART_MS_FIRST;
    for (const timer of this.#definition.timers)
      this.#timers.push(this.#startTimer(timer.everyMs, timer.send));
    this.#pump();
  }

  #startTimer(everyMs: number, kind: keyof Messages & string): Cancel {
    return this.#world.clock.every(everyMs, () => {
      if (this.#pendingTicks.has(kind)) return;
      this.#pendingTicks.add(kind);
      this.ask(kind, undefined as Messages[typeof kind]['request'])
        .catch((error) => this.#world.log.warn('timer message failed', { kind, error: errorText(error) }))
        .finally(() => this.#pendingTicks.delete(kind));
    });
  }

  #pump(): void {
    while (
      this.#state !== undefined &&
      this.#queue.length > 0 &&
      this.#running < this.#definition.mailbox.concurrency
    ) {
      const waiting = this.#queue.shift()!;
      this.#running++;
      void this.#handle(this.#state.value, waiting);
    }
  }

  async #handle(state: State, waiting: Waiting<Messages>): Promise<void> {
    try {
      const handler = this.#definition.handlers[waiting.kind];
      waiting.resolve(await handler(state, waiting.message as never, this.#context!));
    } catch (error) {
      waiting.reject(error);
      if (error instanceof InvariantError || !(error instanceof DomainError)) {
        this.#world.log.error('handler failed', {
          kind: waiting.kind,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      }
      if (error instanceof InvariantError && this.#state?.value === state) this.#fail(error);
    } finally {
      this.#running--;
      if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
      this.#pump();
    }
  }

  #rejectWaiting(why: string): void {
    for (const waiting of this.#queue.splice(0))
      waiting.reject(new DomainError('unavailable', `${this.name} ${why}`));
  }

  // A broken invariant ends this life of the actor: state is thrown away and opened anew after a pause that doubles.
  #fail(error: unknown): void {
    this.#lastError = errorText(error);
    this.#become('failed');
    this.#life.abort(new DomainError('canceled', `${this.name} failed`));
    this.#cancelTimers();
    // Whoever waits may be what the closing waits for.
    this.#rejectWaiting('failed');
    const old = this.#state;
    this.#state = undefined;
    const pause = this.#restartMs;
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MS_MAX);
    this.#world.log.error('actor failed, starting it again', { error: this.#lastError, afterMs: pause });
    this.#world.metrics
      .counter('skein_actor_restarts_total', 'Lives of an actor that ended with an error.', ['role'])
      .add(1, { role: this.role });
    this.#supervision = this.#reopen(old, pause);
  }

  async #reopen(old: { value: State } | undefined, pauseMs: number): Promise<void> {
    if (old && this.#context)
      await this.#definition
        .close(old.value, this.#context)
        .catch((failure: unknown) =>
          this.#world.log.warn('the failed life did not close', { error: errorText(failure) }),
        );
    try {
      await sleep(this.#world.clock, pauseMs, this.#stopping.signal);
      await this.#open();
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#fail(error);
    }
  }

  async #close(): Promise<void> {
    const state = this.#state;
    this.#state = undefined;
    if (state && this.#context) await this.#definition.close(state.value, this.#context);
  }

  #become(lifecycle: Lifecycle): void {
    if (this.#lifecycle === lifecycle) return;
    this.#lifecycle = lifecycle;
    this.#world.log.debug('lifecycle', { lifecycle });
    this.#onChange();
  }

  #cancelTimers(): void {
    for (const cancel of this.#timers.splice(0)) cancel();
  }
}
