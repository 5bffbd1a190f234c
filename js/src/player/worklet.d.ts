declare module "*.worklet.js" {
  /** The script's text, which the bundler puts into the bundle. */
  const text: string;
  export default text;
}
