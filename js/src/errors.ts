/** Every error that the package raises on purpose: the names of Python's `recodec.errors`. */

/** Root of all errors of this package. */
export class RecodecError extends Error {
  override readonly name: string = "RecodecError";
}

/** A setting that the model or the format does not have. */
export class ConfigError extends RecodecError {
  override readonly name: string = "ConfigError";
}

/** Audio that a model cannot take: another shape, samples that are not finite, none at all. */
export class AudioError extends RecodecError {
  override readonly name: string = "AudioError";
}

/** A model that is missing, misshapen or damaged. */
export class CheckpointError extends RecodecError {
  override readonly name: string = "CheckpointError";
}

/** Bytes that are not a stream of ours. Its subclasses say in which way. */
export class BitstreamError extends RecodecError {
  override readonly name: string = "BitstreamError";
}

/** The stream ends before its content does. */
export class TruncatedError extends BitstreamError {
  override readonly name: string = "TruncatedError";
}

/** The stream contradicts itself. */
export class CorruptError extends BitstreamError {
  override readonly name: string = "CorruptError";
}

/** A stream of a version or kind that this reader does not know. */
export class UnsupportedError extends BitstreamError {
  override readonly name: string = "UnsupportedError";
}

/** The stream was written with another model than the one in use. */
export class ModelMismatchError extends BitstreamError {
  override readonly name: string = "ModelMismatchError";
}

const CLASSES = [
  RecodecError,
  ConfigError,
  AudioError,
  CheckpointError,
  BitstreamError,
  TruncatedError,
  CorruptError,
  UnsupportedError,
  ModelMismatchError,
];

/**
 * An error that came from a worker, as the class of its name.
 *
 * @param name - of the class; an unknown one gives an `Error`.
 * @param message - its text.
 */
export function errorNamed(name: string, message: string): Error {
  const known = CLASSES.find((one) => new one().name === name);
  return known === undefined ? new Error(message) : new known(message);
}
