// Readers and one writer of a head: queries read between awaits; truncation frees what they read, so it waits for them, and
// holds new ones back while it waits.

/** A first-come lock: many readers or one writer. */
export class ReadLock {
  readonly #waiting: { readonly write: boolean; readonly start: () => void }[] = [];
  #readers = 0;
  #writing = false;

  /** Resolves with the release of a read hold. */
  read(): Promise<() => void> {
    return this.#enter(false);
  }

  /** Resolves with the release of the write hold, when every earlier reader is done. */
  write(): Promise<() => void> {
    return this.#enter(true);
  }

  #enter(write: boolean): Promise<() => void> {
    return new Promise((resolve) => {
      this.#waiting.push({
        write,
        start: () => {
          let held = true;
          resolve(() => {
            if (!held) return;
            held = false;
            if (write) this.#writing = false;
            else this.#readers--;
            this.#advance();
          });
        },
      });
      this.#advance();
    });
  }

  #advance(): void {
    for (
      let next = this.#waiting[0];
      next && !this.#writing && (!next.write || this.#readers === 0);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      if (next.write) this.#writing = true;
      else this.#readers++;
      next.start();
    }
  }
}
