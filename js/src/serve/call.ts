/** The page of live calls. Bundled as `call.js`. */

import { loadInWorker, type RemoteCodec } from "../worker/client.js";
import { fetchModel, get, type ServerModel } from "./api.js";
import { CallSession, type CallOptions } from "./call_session.js";
import { byId, DECODER_NAMES, DECODERS_SAID, make, remark, say } from "./dom.js";
import { Room, type RoomState } from "./room.js";

const RUNTIME = "/runtime/ort-wasm-simd-threaded.wasm";
const FRAMES = Array.from({ length: 15 }, (_, i) => i + 1);
const USUAL_FRAMES = 6;
const SHOW_MS = 500;
const MOST_FRAMES = FRAMES.length;
const SLOW_MS = 4000; // after the last packet that was left out
const STATES: Record<RoomState, string> = {
  alone: "You are in the room. Waiting for the other page.",
  loading: "The other page is in the room, and is getting ready.",
  together: "Two are in the room: speak.",
  left: "The other page has left. Waiting for another.",
};

class CallPage {
  readonly #model: ServerModel;
  #codec: RemoteCodec | null = null;
  #session: CallSession | null = null;
  #timer = 0;
  #leftOut = 0;
  #slowUntil = 0;

  constructor(model: ServerModel) {
    this.#model = model;
    byId("model").textContent = `${model.name}, ${model.sampling_rate / 1000} kHz`;
    this.#makeChoices();
    byId("join").onsubmit = (event) => {
      event.preventDefault();
      if (this.#session === null) void this.#enter();
      else this.#session.leave();
    };
    byId("mute").onclick = () => this.#mute();
    byId("loss").oninput = () => this.#setLoss();
    if (!model.streamable) {
      byId<HTMLButtonElement>("enter").disabled = true;
      say(
        `${model.name} codes whole segments of a recording, so that a call would lag behind. Start the server with ` +
          "a model that codes frame by frame.",
        true,
      );
    }
  }

  #makeChoices(): void {
    const { bandwidths, decoders, hop, sampling_rate: rate, default_bandwidth: usual } = this.#model;
    const fill = (id: string, values: [string, string][], chosen: string): void => {
      byId(id).replaceChildren(...values.map(([value, text]) => make("option", text, { value })));
      byId<HTMLSelectElement>(id).value = chosen;
    };
    fill(
      "bandwidth",
      bandwidths.map((kbps) => [String(kbps), `${kbps} kbps`]),
      String(usual),
    );
    const ms = (frames: number): string => `${Math.round((1000 * frames * hop) / rate)} ms`;
    fill(
      "frames",
      FRAMES.map((n) => [String(n), `${n} (${ms(n)})`]),
      String(USUAL_FRAMES),
    );
    fill(
      "decoder",
      decoders.map((one) => [one, DECODER_NAMES[one]]),
      "encodec",
    );
    const named = decodeURIComponent(location.hash.slice(1));
    byId<HTMLInputElement>("room").value = /^[A-Za-z0-9_-]{1,64}$/.test(named) ? named : "";
  }

  // ---- in and out --------------------------------------------------------------------------

  async #enter(): Promise<void> {
    const value = (id: string): string => byId<HTMLInputElement | HTMLSelectElement>(id).value;
    const options = {
      bandwidth: Number(value("bandwidth")),
      frames: Number(value("frames")),
      decoder: value("decoder") as "spectral" | "encodec",
      lm: byId<HTMLInputElement>("lm").checked,
    };
    this.#lock(true);
    say("The page is joining the room.");
    let room: Room | null = null;
    try {
      room = await Room.join(value("room"));
      this.#begin(await this.#open(options, room), value("room"));
    } catch (error) {
      room?.leave();
      say((error as Error).message, true);
      this.#lock(false);
    }
  }

  async #open(options: CallOptions, room: Room): Promise<CallSession> {
    const codec = await this.#load();
    say("The page is preparing the codec.");
    await codec.prepare("encode", { bandwidth: options.bandwidth, lm: options.lm });
    await codec.prepare("decode", { decoder: options.decoder, lm: options.lm });
    say("The page is opening the microphone.");
    return CallSession.open(codec, options, room);
  }

  async #load(): Promise<RemoteCodec> {
    if (this.#codec !== null) return this.#codec;
    say("The page is loading the runtime (14 MB). The first time, the server has to fetch it.");
    await get(RUNTIME); // so the browser keeps it, and the worker finds it there
    const onProgress = ({ file }: { file: string }): void => say(`The page is loading the model: ${file}`);
    this.#codec = await loadInWorker("/model", { worker: "/worker.js", runtime: "/runtime/", onProgress });
    return this.#codec;
  }

  #begin(session: CallSession, room: string): void {
    [this.#session, this.#leftOut, this.#slowUntil] = [session, 0, 0];
    history.replaceState(null, "", `#${room}`); // so that the address can be given to the other
    session.onState = (state) => say(STATES[state]);
    session.onEnd = (reason) => this.#end(reason);
    const enter = byId<HTMLButtonElement>("enter");
    enter.textContent = "Leave";
    enter.disabled = byId<HTMLButtonElement>("mute").disabled = false;
    byId("numbers").hidden = false;
    this.#setLoss();
    session.begin();
    this.#timer = window.setInterval(() => this.#show(), SHOW_MS);
  }

  #end(reason: string | null): void {
    clearInterval(this.#timer);
    this.#session = null;
    byId("enter").textContent = "Join";
    byId("mute").setAttribute("aria-pressed", "false");
    byId("mute").textContent = "Mute";
    this.#lock(false);
    byId<HTMLButtonElement>("mute").disabled = true;
    remark("");
    say(reason ?? "You have left the room.", reason !== null);
  }

  /** Settings stay as they are during a call. */
  #lock(locked: boolean): void {
    for (const id of ["room", "bandwidth", "frames", "decoder", "lm", "enter"]) {
      byId<HTMLInputElement>(id).disabled = locked;
    }
  }

  // ---- during a call -----------------------------------------------------------------------

  #mute(): void {
    const button = byId("mute");
    const muted = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(muted));
    button.textContent = muted ? "Muted" : "Mute";
    this.#session?.mute(muted);
  }

  #setLoss(): void {
    const percent = Number(byId<HTMLInputElement>("loss").value);
    byId("loss-value").textContent = `${percent} %`;
    if (this.#session !== null) this.#session.loss = percent / 100;
  }

  /** Say that the machine is too slow for as long as it is, beside who is there. */
  #showSlow({ stats, options }: CallSession): void {
    const now = performance.now();
    if (stats.leftOut > this.#leftOut) {
      remark(`This machine is too slow for these settings, and leaves packets out. ${adviceFor(options)}`);
      this.#slowUntil = now + SLOW_MS;
    } else if (this.#slowUntil > 0 && now > this.#slowUntil) {
      remark("");
      this.#slowUntil = 0;
    }
    this.#leftOut = stats.leftOut;
  }

  #show(): void {
    if (this.#session === null) return;
    this.#showSlow(this.#session);
    const { stats } = this.#session;
    const set = (id: string, text: string): void => void (byId(id).textContent = text);
    const work = (ms: number | null, load: number | null): string =>
      ms === null || load === null ? "–" : `${ms.toFixed(0)} ms, ${(100 * load).toFixed(0)}\u00a0% of real time`;
    const { delayMs, encodeMs, encodeLoad, decodeMs, decodeLoad } = stats;
    set("delay", delayMs.value === null ? "–" : `${delayMs.value.toFixed(0)} ms`);
    set("sent", `${stats.sent.kbps.toFixed(1)} kbps`);
    set("received", `${stats.got.kbps.toFixed(1)} kbps`);
    const lost = stats.dropped + stats.missing;
    set(
      "lost",
      stats.packets
        ? `${lost} of ${stats.packets + stats.missing} (${(100 * stats.lossShare).toFixed(1)}\u00a0%)`
        : "–",
    );
    set("encoding", work(encodeMs.value, encodeLoad.value));
    set("decoding", work(decodeMs.value, decodeLoad.value));
  }
}

/** What makes a call less work: easier settings, for which one has to join again, if there are any. */
function adviceFor({ frames, decoder, lm }: CallOptions): string {
  const ways = [
    frames < MOST_FRAMES ? "more frames in a packet" : "",
    decoder === "spectral" ? DECODERS_SAID.encodec : "",
    lm ? "no language model" : "",
  ].filter(Boolean);
  if (ways.length === 0) return "They are the easiest settings: close other programs that are at work on this machine.";
  return `Leave the room, choose ${ways.join(" or ")}, and join again.`;
}

fetchModel()
  .then((model) => new CallPage(model))
  .catch((error: Error) => say(error.message, true));
