/** The button that records, and the link with which a recording is kept. */

import { clock } from "../player/style.js";
import { byId, durationSaid, say } from "./dom.js";
import { Recorder, type RecorderLimits } from "./microphone.js";

const TEXTS = {
  idle: "Record",
  opening: "Opening the microphone",
  recording: "Stop recording",
  reading: "Reading the recording",
};

/** Takes a recording, with something to say about it, and reads it. It does not fail. */
export type TakeRecording = (recording: Blob, remark: string) => Promise<void>;

/** The button. A click does something where nothing is on its way: it begins a recording, or ends it. */
export class RecordButton {
  readonly #button = byId("record");
  readonly #recorder: Recorder;
  readonly #take: TakeRecording;
  #link = "";
  #reading = false;

  /**
   * @param limits - of a recording.
   * @param take - is called with each recording when it is over.
   */
  constructor(limits: RecorderLimits, take: TakeRecording) {
    this.#take = take;
    this.#recorder = new Recorder(limits);
    this.#recorder.onTime = (seconds) => say(`Recording, ${clock(seconds)}`);
    this.#recorder.onOver = (why, seconds) => void this.#finish(remarkOf(why, seconds));
    this.#button.onclick = (event) => {
      if (event.detail > 1) return; // the second click of a double click is not meant
      if (this.#state === "idle") void this.#begin();
      else if (this.#state === "recording") void this.#finish("");
    };
  }

  /** Stop, because something else is opened. What was recorded is kept. */
  leave(): void {
    if (this.#recorder.state !== "idle") this.#stop();
  }

  async #begin(): Promise<void> {
    const started = this.#recorder.start();
    this.#show();
    say("The page is opening the microphone.");
    try {
      await started;
    } catch (error) {
      say((error as Error).message, true);
    }
    this.#show();
  }

  async #finish(about: string): Promise<void> {
    this.#reading = true;
    const recording = this.#stop();
    if (recording !== null) await this.#take(recording, about);
    else say("Nothing was recorded: record a little longer.", true);
    this.#reading = false;
    this.#show();
  }

  #stop(): Blob | null {
    const recording = this.#recorder.stop();
    this.#show();
    if (recording !== null) this.#keep(recording);
    return recording;
  }

  #keep(recording: Blob): void {
    const link = byId<HTMLAnchorElement>("kept");
    URL.revokeObjectURL(this.#link);
    link.href = this.#link = URL.createObjectURL(recording);
    link.hidden = false;
  }

  get #state(): keyof typeof TEXTS {
    return this.#reading ? "reading" : this.#recorder.state;
  }

  #show(): void {
    const state = this.#state;
    this.#button.textContent = TEXTS[state];
    this.#button.classList.toggle("recording", state === "recording");
  }
}

function remarkOf(why: "full" | "gone", seconds: number): string {
  const said = durationSaid(seconds);
  return why === "full"
    ? `The recording has stopped by itself after ${said}, the longest that this page takes. It is kept.`
    : `The microphone was taken away after ${said}. What was recorded until then is kept.`;
}
