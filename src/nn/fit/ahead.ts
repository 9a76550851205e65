/**
 * Makes things ahead of their use: up to `ahead` are under way or ready beyond the one that was taken last. They are
 * handed out in the order of `orders`. A failure is thrown where its thing is taken.
 */
export class Ahead<Order, Thing> {
  readonly #orders: Iterator<Order>;
  readonly #make: (order: Order) => Promise<Thing>;
  readonly #ahead: number;
  readonly #ready: Promise<Thing>[] = [];
  readonly #underWay = new Set<Promise<Thing>>();
  #ended = false;

  constructor(orders: Iterable<Order>, make: (order: Order) => Promise<Thing>, ahead: number) {
    this.#orders = orders[Symbol.iterator]();
    this.#make = make;
    this.#ahead = ahead;
  }

  /** The next thing; those after it are begun soon, once the caller has put this one to use. */
  take(): Promise<Thing> {
    this.#fill(1);
    const next = this.#ready.shift();
    if (next === undefined) throw new Error("More was taken than was ordered.");
    // Not at once: making may begin with work on this thread, and the caller is to start its step before that.
    setImmediate(() => {
      if (!this.#ended) this.#fill(this.#ahead);
    });
    return next;
  }

  /** Begins no more, and waits until nothing is under way. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.allSettled(this.#underWay);
  }

  #fill(count: number): void {
    while (this.#ready.length < count) {
      const { done, value } = this.#orders.next();
      if (done) return;
      // An async function, so that a synchronous throw becomes a rejection, too.
      const thing = (async () => this.#make(value))();
      this.#underWay.add(thing);
      const settled = () => void this.#underWay.delete(thing);
      // A failure is thrown where its thing is taken; until then it must not count as unhandled.
      thing.then(settled, settled);
      this.#ready.push(thing);
    }
  }
}
