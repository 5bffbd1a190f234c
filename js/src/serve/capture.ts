/** The microphone, in pieces of samples. */

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
   * @throws Error with a sentence that says why there is none.
   */
  static async open(options: CaptureOptions): Promise<Capture> {
    const { call, rate, samples } = options;
    const stream = await microphone({ echoCancellation: call, noiseSuppression: call, autoGainControl: call });
    const context = new AudioContext(rate === undefined ? {} : { sampleRate: rate });
    try {
      await context.audioWorklet.addModule(MODULE);
      const node = new AudioWorkletNode(context, "recodec-capture", {
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: "explicit",
        processorOptions: { samples },
      });
      node.port.onmessage = ({ data }: MessageEvent<Float32Array<ArrayBuffer>>) => options.onPiece(data);
      context.createMediaStreamSource(stream).connect(node);
      await context.resume();
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
      throw new Error(`this browser does not give the microphone's samples at ${rate} Hz: ${(error as Error).message}`);
    }
    return new Capture(context, stream);
  }

  /** Whether the microphone gives silence. */
  mute(muted: boolean): void {
    this.stream.getAudioTracks().forEach((track) => (track.enabled = !muted));
  }

  /** Let go of the microphone. */
  async close(): Promise<void> {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.close();
  }
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
