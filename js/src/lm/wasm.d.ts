declare module "*.wasm" {
  /** The module's bytes, which the bundler puts into the script. */
  const bytes: Uint8Array;
  export default bytes;
}
