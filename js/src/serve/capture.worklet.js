// Sends what the microphone hears to the page, the first channel, in pieces of one length.
class RecodecCapture extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.piece = new Float32Array(processorOptions.samples);
    this.filled = 0;
  }

  process([input]) {
    const samples = input[0] ?? new Float32Array(128); // nothing is connected: silence keeps the time
    for (let at = 0; at < samples.length;) {
      const count = Math.min(samples.length - at, this.piece.length - this.filled);
      this.piece.set(samples.subarray(at, at + count), this.filled);
      at += count;
      this.filled += count;
      if (this.filled < this.piece.length) break;
      this.port.postMessage(this.piece.slice());
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("recodec-capture", RecodecCapture);
