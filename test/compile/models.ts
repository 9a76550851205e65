import { fileURLToPath } from "node:url";

/** A GraphModel inside @vladmandic/human, by name. */
export const graphModel = (name: string): string =>
  fileURLToPath(new URL(`../../node_modules/@vladmandic/human/models/${name}.json`, import.meta.url));

/** Smooth numbers in 0..1, the same every time. */
export const waves = (length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.5 + 0.4 * Math.sin(i * 0.013) + 0.1 * Math.sin(i * 1.7));
