/** Versions of one recording, heard in step: the page's side of `tracks.worklet.js`. */

import type { Recording } from "./wav.js";

const MODULE = "/tracks.worklet.js";

/** Plays one of several tracks; all have the same rate and length. */
export class Tracks {
  /** The next sample that will be heard. */
  position = 0;
  playing = false;
  /** Called a few times a second while it plays, and at the end. */
  onChange: () => void = () => undefined;
  #length = 0;

  private constructor(
    readonly context: BaseAudioContext,
    readonly node: AudioWorkletNode,
  ) {
    node.port.onmessage = ({ data }: MessageEvent<{ position: number; over: boolean }>) => {
      if (!this.playing) return; // it was said before a pause or a seek
      this.position = data.over ? 0 : data.position;
      if (data.over) this.playing = false;
      this.onChange();
    };
  }

  /**
   * Start the audio thread's part.
   *
   * @param context - of the tracks' rate.
   * @param channels - of the tracks.
   */
  static async create(context: BaseAudioContext, channels: number, module = MODULE): Promise<Tracks> {
    await context.audioWorklet.addModule(module);
    const options = { numberOfInputs: 0, outputChannelCount: [channels] };
    const node = new AudioWorkletNode(context, "recodec-tracks", options);
    node.connect(context.destination);
    return new Tracks(context, node);
  }

  /** Forget all tracks. */
  clear(): void {
    [this.position, this.playing, this.#length] = [0, false, 0];
    this.node.port.postMessage({ clear: true });
  }

  /** Add a track, or replace the one of that name. */
  add(name: string, { channels }: Recording): void {
    this.#length = channels[0].length;
    this.node.port.postMessage({ add: name, channels });
  }

  /** Hear another track, from the same sample on. An unknown one changes nothing. */
  choose(name: string): void {
    this.node.port.postMessage({ track: name });
  }

  /** Go to a sample. */
  seek(position: number): void {
    this.position = position;
    this.node.port.postMessage({ seek: position });
  }

  /** Play on; at the end, from the beginning. */
  play(): void {
    if (this.position >= this.#length) this.position = 0;
    this.playing = true;
    this.node.port.postMessage({ seek: this.position, playing: true });
  }

  pause(): void {
    this.playing = false;
    this.node.port.postMessage({ playing: false });
  }
}
