/**
 * The public door. Stages compose with `toStream` and Node's `stream.pipeline`; whole pipelines run with `load`, `bind`
 * and `run`; models are compiled with `compile`.
 */

export { type Entry, openEntry } from "./cache/entry.ts";
export { verifyFolder } from "./cache/verify.ts";
export { LatentWriter } from "./cache/writer.ts";
export * from "./compile/index.ts";
export { PipeError } from "./errors.ts";
export { type Counts, Ledger } from "./ledger.ts";
export { decode, probe } from "./media/index.ts";
export * from "./media/types.ts";
export * from "./pipelines/index.ts";
export * from "./records.ts";
export { looseContext } from "./stages/context.ts";
export { type BoundStage, type Context, defineStage, type Stage, type StageDefinition } from "./stages/define.ts";
export { stages } from "./stages/index.ts";
export { toStream } from "./stages/stream.ts";
export { networks } from "./systems/index.ts";
export { type Detection, type Detector, detect } from "./vision/detector.ts";
export { openFaceDetector } from "./vision/faces.ts";
