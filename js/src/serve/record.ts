/** The button that records, and the link with which a recording is kept. */

import { clock } from "../player/style.js";
import { byId, durationSaid, say } from "./dom.js";
import { Recorder, type RecorderLimits } from "./microphone.js";

const TEXTS = { idle: "Record", opening: "Opening the microphone", recording: "Stop recording", stopping: "Stopping" };

/** Takes a recording, with something to say about it. */
export type TakeRecording = (recording: Blob, remark: string) => void;

/** The button. Only in `idle` and in `recording` does a click do something. */
export class RecordButton {
  readonly #button = byId("record");
  readonly #recorder: Recorder;
  readonly #take: TakeRecording;
  #state: keyof typeof TEXTS = "idle";
  #link = "";

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
  async leave(): Promise<void> {
    if (this.#state !== "opening" && this.#state !== "recording") return;
    await this.#stop();
  }

  async #begin(): Promise<void> {
    this.#show("opening");
    say("Opening the microphone");
    try {
      if (await this.#recorder.start()) this.#show("recording");
    } catch (error) {
      this.#show("idle");
      say((error as Error).message, true);
    }
  }

  async #finish(remark: string): Promise<void> {
    const recording = await this.#stop();
    if (recording !== null) this.#take(recording, remark);
    else say("Nothing was recorded: record a little longer.", true);
  }

  async #stop(): Promise<Blob | null> {
    this.#show("stopping");
    const recording = await this.#recorder.stop();
    this.#show("idle");
    if (recording !== null) this.#keep(recording);
    return recording;
  }

  #keep(recording: Blob): void {
    const link = byId<HTMLAnchorElement>("kept");
    URL.revokeObjectURL(this.#link);
    link.href = this.#link = URL.createObjectURL(recording);
    link.hidden = false;
  }

  #show(state: keyof typeof TEXTS): void {
    this.#state = state;
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
