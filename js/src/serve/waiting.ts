/** Waits that end. */

/**
 * Wait for a promise, but not for ever.
 *
 * @param ms - the limit.
 * @throws Error with the message when the time is over; what the promise throws.
 */
export async function within<T>(ms: number, work: Promise<T>, message: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), ms);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Wait some seconds. @throws the signal's reason as soon as it is aborted. */
export async function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}

const SOUND_MS = 10_000;

/**
 * Let an audio context run. Without a loudspeaker, Firefox would wait for one for ever.
 *
 * @throws Error if it does not run after ten seconds.
 */
export function startSound(context: AudioContext): Promise<void> {
  const message = "the browser does not start its sound: is a loudspeaker or a headphone connected?";
  return within(SOUND_MS, context.resume(), message);
}

/** Let go of an audio context. Nobody waits for that: Firefox never closes one whose sound has not started. */
export function endSound(context: AudioContext): void {
  context.close().catch(() => undefined);
}
