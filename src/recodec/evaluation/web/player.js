"use strict";
// Several versions of one recording that play in step: switching changes only what is heard, never where.

const shared = { context: null, playing: null };

function audioContext() {
  shared.context ??= new AudioContext();
  return shared.context;
}

async function decodeUri(uri) {
  const bytes = Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), (c) => c.charCodeAt(0));
  return audioContext().decodeAudioData(bytes.buffer);
}

class SyncedPlayer {
  // uris: data URIs of versions of equal length. onchange(player) is called at each change and, while
  // it plays, at each frame of the screen.
  constructor(uris, onchange) {
    this.uris = uris;
    this.onchange = onchange;
    this.buffers = null;
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
    return this.buffers ? this.buffers[0].duration : 0;
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
    this.loading ??= Promise.all(this.uris.map(decodeUri)).then((buffers) => {
      this.buffers = buffers;
      this.output = audioContext().createGain();
      this.output.connect(audioContext().destination);
    });
    return this.loading;
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
    for (const voice of this.voices) voice.source.stop();
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

  choose(index) {
    this.chosen = index;
    const now = audioContext().currentTime;
    this.voices.forEach((voice, i) => voice.gain.gain.setTargetAtTime(i === index ? 1 : 0, now, 0.005));
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
