/** Samples to the loudspeaker through an AudioWorklet, sample by sample. */

import worklet from "./queue.worklet.js";

/** What the audio thread says. */
interface Report {
  readonly run: number;
  readonly position: number;
  readonly over: boolean;
  readonly starved: boolean;
}

/** A queue of samples in the audio thread. */
export class AudioOutput {
  /** The next sample that will be heard, counted from the start of the recording. */
  position = 0;
  /** Called when the last sample has been heard. */
  onOver: () => void = () => undefined;
  /** Called a few times a second while it plays. */
  onReport: () => void = () => undefined;
  /** Called when samples were wanted that had not come. */
  onStarved: () => void = () => undefined;
  #run = 0;

  private constructor(
    readonly context: BaseAudioContext,
    readonly node: AudioWorkletNode,
  ) {
    node.port.onmessage = ({ data }: MessageEvent<Report>) => {
      if (data.run !== this.#run) return;
      this.position = data.position;
      this.onReport();
      if (data.starved) this.onStarved();
      if (data.over) this.onOver();
    };
  }

  /**
   * Start the audio thread's part.
   *
   * @param context - of the recording's rate.
   * @param channels - of the recording.
   * @param module - URL of `queue.worklet.js`, for pages that may not run scripts of blobs; by default it is in here.
   */
  static async create(context: BaseAudioContext, channels: number, module?: string): Promise<AudioOutput> {
    const url = module ?? URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
    try {
      await context.audioWorklet.addModule(url);
    } finally {
      if (module === undefined) URL.revokeObjectURL(url);
    }
    const options = { numberOfInputs: 0, outputChannelCount: [channels] };
    const node = new AudioWorkletNode(context, "recodec-queue", options);
    node.connect(context.destination);
    return new AudioOutput(context, node);
  }

  /** Drop what is queued; the next samples begin at a position. */
  flush(position: number): void {
    this.position = position;
    this.node.port.postMessage({ flush: (this.#run += 1), position });
  }

  /** Queue samples (C * T,), channel after channel. */
  push(samples: Float32Array, channels: number): void {
    const length = samples.length / channels;
    if (length === 0) return;
    const parts = Array.from({ length: channels }, (_, c) => samples.slice(c * length, (c + 1) * length));
    this.node.port.postMessage(
      { run: this.#run, channels: parts },
      parts.map((part) => part.buffer),
    );
  }

  /** Nothing follows what is queued. */
  end(): void {
    this.node.port.postMessage({ run: this.#run, end: true });
  }
}
