"use strict";
// Several versions of one recording that play in step: switching changes only what is heard, never where.

const shared = { context: null, playing: null };

function audioContext() {
  shared.context ??= new AudioContext();
  return shared.context;
}

function bytesOf(uri) {
  return Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), (c) => c.charCodeAt(0));
}

// The npm package recodec with its model, from the folder that the page names. It is loaded when it is first needed.
function liveCodec() {
  shared.codec ??= loadLiveCodec().catch((error) => {
    shared.codec = null; // so that one may try again
    throw error;
  });
  return shared.codec;
}

async function loadLiveCodec() {
  const folder = new URL(document.body.dataset.live.replace(/\/*$/, "/"), document.baseURI);
  const { RemoteCodec } = await import(new URL("player.js", folder).href).catch(() => {
    throw new Error(`${folder.href}player.js cannot be loaded: open this page from a server that also has that folder`);
  });
  return RemoteCodec.load(new URL("model/", folder));
}

// A version is a data URI of FLAC, or an .ecdc file of the default model and the decoder that plays it.
async function decodeVersion(version) {
  if (typeof version === "string") return audioContext().decodeAudioData(bytesOf(version).buffer);
  const codec = await liveCodec();
  const samples = await codec.decode(bytesOf(version.ecdc), { decoder: version.decoder });
  const { channels, sampling_rate } = codec.model.config;
  const length = samples.length / channels;
  const buffer = audioContext().createBuffer(channels, length, sampling_rate);
  for (let c = 0; c < channels; c++) buffer.copyToChannel(samples.subarray(c * length, (c + 1) * length), c);
  return buffer;
}

class SyncedPlayer {
  // versions: what `decodeVersion` takes, of equal length. onchange(player) is called at each change and, while
  // it plays, at each frame of the screen. With mayMiss, versions that cannot be decoded are left out as long as there
  // is one that can: `buffers` has null for them, and `problems` says why.
  constructor(versions, onchange, { mayMiss = false } = {}) {
    this.versions = versions;
    this.onchange = onchange;
    this.mayMiss = mayMiss;
    this.buffers = null;
    this.problems = versions.map(() => null);
    this.chosen = 0;
    this.looping = true;
    this.from = 0;
    this.to = null;
    this.offset = 0;
    this.startedAt = null;
    this.voices = [];
  }

  get playing() {
    return this.startedAt !== null;
  }

  get duration() {
    return this.buffers ? this.buffers.find(Boolean).duration : 0;
  }

  get end() {
    return this.to ?? this.duration;
  }

  get position() {
    if (!this.playing) return this.offset;
    const raw = this.offset + Math.max(0, audioContext().currentTime - this.startedAt);
    if (raw < this.end) return raw;
    return this.looping ? this.from + ((raw - this.from) % (this.end - this.from)) : this.end;
  }

  async load() {
    this.loading ??= this.decodeAll().catch((error) => {
      this.loading = null; // so that one may try again
      throw error;
    });
    return this.loading;
  }

  async decodeAll() {
    const found = await Promise.allSettled(this.versions.map(decodeVersion));
    const failed = found.filter((one) => one.status === "rejected");
    if (failed.length === found.length || (failed.length && !this.mayMiss)) throw failed[0].reason;
    this.buffers = found.map((one) => one.value ?? null);
    this.problems = found.map((one) => one.reason?.message ?? null);
    if (!this.has(this.chosen)) this.chosen = this.buffers.findIndex(Boolean);
    this.output = audioContext().createGain();
    this.output.connect(audioContext().destination);
    this.onchange(this);
  }

  // Whether a version can be heard, as far as is known.
  has(index) {
    return this.problems[index] === null;
  }

  async play() {
    await this.load();
    await audioContext().resume();
    if (this.playing) return;
    if (shared.playing && shared.playing !== this) shared.playing.pause();
    shared.playing = this;
    if (this.offset < this.from || this.offset >= this.end - 0.01) this.offset = this.from;
    this.start();
    this.tick();
  }

  start() {
    const context = audioContext();
    const when = context.currentTime + 0.02;
    this.voices = this.buffers.map((buffer, index) => {
      if (buffer === null) return null;
      const source = context.createBufferSource();
      const gain = context.createGain();
      source.buffer = buffer;
      source.loop = this.looping;
      source.loopStart = this.from;
      source.loopEnd = this.end;
      gain.gain.value = index === this.chosen ? 1 : 0;
      source.connect(gain).connect(this.output);
      if (this.looping) source.start(when, this.offset);
      else source.start(when, this.offset, Math.max(0, this.end - this.offset));
      return { source, gain };
    });
    this.startedAt = when;
  }

  stop() {
    this.offset = this.position;
    this.startedAt = null;
    for (const voice of this.voices) voice?.source.stop();
    this.voices = [];
  }

  pause() {
    if (this.playing) this.stop();
    this.onchange(this);
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  // What changes the course of time restarts all voices together.
  change(apply) {
    const running = this.playing;
    if (running) this.stop();
    apply();
    if (running) this.start();
    this.onchange(this);
  }

  seek(seconds) {
    this.change(() => {
      this.offset = Math.min(Math.max(seconds, 0), this.duration);
    });
  }

  setLoop(looping, from = 0, to = null) {
    this.change(() => {
      this.looping = looping;
      this.from = from;
      this.to = to;
      if (this.offset < from || (to !== null && this.offset >= to)) this.offset = from;
    });
  }

  // A version that cannot be heard changes nothing.
  choose(index) {
    if (!this.has(index)) return;
    this.chosen = index;
    const now = audioContext().currentTime;
    this.voices.forEach((voice, i) => voice?.gain.gain.setTargetAtTime(i === index ? 1 : 0, now, 0.005));
    this.onchange(this);
  }

  tick() {
    if (!this.playing) return;
    if (!this.looping && this.position >= this.end) {
      this.stop();
      this.offset = this.from;
    }
    this.onchange(this);
    requestAnimationFrame(() => this.tick());
  }
}
