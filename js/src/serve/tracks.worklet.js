// Plays one of several tracks of the same recording. A switch goes on at the same sample of the other track, with a
// short crossfade so that nothing clicks. Runs in the audio thread; the context has the tracks' rate.
const REPORT_BLOCKS = 8;
const FADE = 240; // samples

class RecodecTracks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.clear();
    this.blocks = 0;
    this.port.onmessage = ({ data }) => {
      if (data.clear) this.clear();
      if (data.add !== undefined) this.tracks.set(data.add, data.channels);
      if (data.track !== undefined) this.change(this.tracks.get(data.track) ?? this.current);
      if (data.seek !== undefined) this.position = data.seek;
      if (data.playing !== undefined) this.playing = data.playing;
    };
  }

  clear() {
    [this.tracks, this.current, this.before, this.left] = [new Map(), null, null, 0];
    [this.position, this.playing] = [0, false];
  }

  change(track) {
    if (track === this.current) return;
    [this.before, this.current] = [this.current, track];
    this.left = this.before === null || !this.playing ? 0 : FADE;
  }

  process(_inputs, outputs) {
    const output = outputs[0];
    const length = this.current === null ? 0 : this.current[0].length;
    if (!this.playing || length === 0) return true;
    const count = Math.min(output[0].length, length - this.position);
    output.forEach((channel, c) => {
      const now = this.current[Math.min(c, this.current.length - 1)];
      const then = this.before?.[Math.min(c, this.before.length - 1)];
      for (let i = 0; i < count; i++) {
        const old = Math.max(0, this.left - i) / FADE;
        const at = this.position + i;
        channel[i] = old > 0 ? now[at] + old * ((then[at] ?? 0) - now[at]) : now[at];
      }
    });
    this.left = Math.max(0, this.left - count);
    this.position += count;
    const over = this.position >= length;
    if (over) this.playing = false;
    if (++this.blocks % REPORT_BLOCKS === 0 || over) this.port.postMessage({ position: this.position, over });
    return true;
  }
}

registerProcessor("recodec-tracks", RecodecTracks);
