/** The microphone, in pieces of samples. */

import { whyNoAnswer } from "./api.js";
import { endSound, startSound } from "./waiting.js";

const MODULE = "/capture.worklet.js";

/** How the microphone is opened. */
export interface CaptureOptions {
  /** Of a piece. */
  readonly samples: number;
  /** In Hz; the browser's own by default. */
  readonly rate?: number;
  /** Whether the browser takes out the echo of the loudspeaker and noise; a recording is left as it is. */
  readonly call: boolean;
  /** Takes each piece. */
  readonly onPiece: (piece: Float32Array<ArrayBuffer>) => void;
  /** Called when the microphone is taken away, for example unplugged. */
  readonly onGone?: () => void;
  /** Nobody wants it any more: the microphone is off at once, also where it has only begun to open. */
  readonly signal?: AbortSignal;
}

/** An open microphone. */
export class Capture {
  private constructor(
    readonly context: AudioContext,
    readonly stream: MediaStream,
  ) {}

  /**
   * Ask for the microphone, and begin.
   *
   * @throws Error with a sentence that says why there is none; the signal's reason if it is aborted.
   */
  static async open(options: CaptureOptions): Promise<Capture> {
    const { call, rate, signal, onGone } = options;
    const stream = await microphone({ echoCancellation: call, noiseSuppression: call, autoGainControl: call });
    signal?.addEventListener("abort", () => letGo(stream));
    let context: AudioContext | null = null;
    try {
      signal?.throwIfAborted();
      context = new AudioContext(rate === undefined ? {} : { sampleRate: rate });
      await listen(context, stream, options);
      signal?.throwIfAborted();
    } catch (error) {
      letGo(stream);
      if (context !== null) endSound(context);
      if (signal?.aborted) throw error;
      const wanted = rate === undefined ? "" : ` at ${rate} Hz`;
      // A module of the page does not come either if the server has gone.
      throw await whyNoAnswer(
        `this browser does not give the microphone's samples${wanted}: ${(error as Error).message}`,
      );
    }
    for (const track of stream.getAudioTracks()) track.onended = () => onGone?.();
    return new Capture(context, stream);
  }

  /** Whether the microphone gives silence. */
  mute(muted: boolean): void {
    this.stream.getAudioTracks().forEach((track) => (track.enabled = !muted));
  }

  /** Let go of the microphone. */
  close(): void {
    letGo(this.stream);
    endSound(this.context);
  }
}

function letGo(stream: MediaStream): void {
  stream.getTracks().forEach((track) => track.stop());
}

async function listen(context: AudioContext, stream: MediaStream, options: CaptureOptions): Promise<void> {
  await context.audioWorklet.addModule(MODULE);
  const node = new AudioWorkletNode(context, "recodec-capture", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
    processorOptions: { samples: options.samples },
  });
  node.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => options.onPiece(data);
  context.createMediaStreamSource(stream).connect(node);
  await startSound(context);
}

async function microphone(audio: MediaTrackConstraints): Promise<MediaStream> {
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new Error("browsers give the microphone to pages of this machine (127.0.0.1) or of HTTPS only");
  }
  try {
    return await devices.getUserMedia({ audio });
  } catch (error) {
    const { name, message } = error as DOMException;
    if (name === "NotAllowedError") throw new Error("the browser does not allow this page to use the microphone");
    if (name === "NotFoundError") throw new Error("the browser finds no microphone");
    throw new Error(`the microphone cannot be opened: ${message}`);
  }
}
