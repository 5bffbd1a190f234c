/** Encoders and decoders as Web Streams. */

/** What takes pieces and gives pieces, as the encoders and decoders of this package do. */
export interface Pushed<I, O> {
  push(chunk: I): Promise<O>;
  finish(): Promise<O>;
}

/** An encoder or a decoder as a Web Stream. Pieces of nothing are left out. */
export function transform<I, O extends { readonly length: number }>(
  worker: Pushed<I, O> | Promise<Pushed<I, O>>,
): TransformStream<I, O> {
  const send = (chunk: O, controller: TransformStreamDefaultController<O>): void => {
    if (chunk.length) controller.enqueue(chunk);
  };
  return new TransformStream<I, O>({
    async start() {
      await worker; // where it cannot begin, the stream has that error before anything is written
    },
    async transform(chunk, controller) {
      send(await (await worker).push(chunk), controller);
    },
    async flush(controller) {
      send(await (await worker).finish(), controller);
    },
  });
}
