// A postings list that grows: references mostly come in ascending order; those of reused places do not, and are merged in when
// somebody reads.

/** A growing list of series references. */
export class PostingsList {
  #refs: Uint32Array<ArrayBuffer>;
  #sorted = 0; // length of the ascending front
  /** Number of references. */
  count = 0;

  constructor(capacity = 4) {
    this.#refs = new Uint32Array(capacity);
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.#refs.byteLength;
  }

  /** Adds a reference that is not there yet. */
  add(ref: number): void {
    if (this.count === this.#refs.length) {
      const larger = new Uint32Array(this.count * 2);
      larger.set(this.#refs);
      this.#refs = larger;
    }
    const ascends = this.#sorted === this.count && (this.count === 0 || this.#refs[this.count - 1]! < ref);
    this.#refs[this.count++] = ref;
    if (ascends) this.#sorted = this.count;
  }

  /** The references, ascending; borrowed until the list is added to or removed from. O(1) unless places were reused. */
  view(): Uint32Array {
    if (this.#sorted < this.count) this.#mergeTail();
    return this.#refs.subarray(0, this.count);
  }

  /** Removes the references whose entry in `removed` is 1. */
  remove(removed: Uint8Array): void {
    const refs = this.view();
    let kept = 0;
    for (let i = 0; i < refs.length; i++) if (removed[refs[i]!] !== 1) refs[kept++] = refs[i]!;
    this.count = kept;
    this.#sorted = kept;
    if (kept * 4 < this.#refs.length && this.#refs.length > 64)
      this.#refs = this.#refs.slice(0, kept * 2 || 4);
  }

  #mergeTail(): void {
    const refs = this.#refs;
    const tail = refs.slice(this.#sorted, this.count).sort();
    let write = this.count - 1;
    let i = this.#sorted - 1;
    for (let j = tail.length - 1; j >= 0; write--) {
      if (i >= 0 && refs[i]! > tail[j]!) refs[write] = refs[i--]!;
      else refs[write] = tail[j--]!;
    }
    this.#sorted = this.count;
  }
}
