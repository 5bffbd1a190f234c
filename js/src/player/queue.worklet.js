// Plays samples that the page sends, one after the other, and says which one comes next. Runs in the audio thread; the
// context has the samples' rate, so that a sample in is a sample out.
const REPORT_BLOCKS = 8;

class RecodecQueue extends AudioWorkletProcessor {
  constructor() {
    super();
    this.reset(0, 0);
    this.blocks = 0;
    this.port.onmessage = ({ data }) => {
      if (data.flush !== undefined) this.reset(data.flush, data.position);
      else if (data.run !== this.run)
        return; // of a run before the last seek
      else if (data.end) this.complete = true;
      else this.pieces.push(data.channels);
    };
  }

  reset(run, position) {
    [this.run, this.position, this.pieces, this.at, this.complete] = [run, position, [], 0, false];
  }

  process(_inputs, outputs) {
    const output = outputs[0];
    const size = output[0].length;
    let filled = 0;
    while (filled < size && this.pieces.length) {
      const piece = this.pieces[0];
      const count = Math.min(size - filled, piece[0].length - this.at);
      output.forEach((channel, i) => {
        channel.set(piece[Math.min(i, piece.length - 1)].subarray(this.at, this.at + count), filled);
      });
      filled += count;
      this.at += count;
      if (this.at === piece[0].length) [this.at] = [0, this.pieces.shift()];
    }
    this.position += filled;
    const over = this.complete && this.pieces.length === 0;
    if (++this.blocks % REPORT_BLOCKS === 0 || over) {
      this.port.postMessage({ run: this.run, position: this.position, over, starved: filled < size && !over });
    }
    return true;
  }
}

registerProcessor("recodec-queue", RecodecQueue);
