/**
 * The public door. Stages compose with `toStream` and Node's `stream.pipeline`; whole pipelines run with `load`, `bind`
 * and `run`; models are compiled with `compile`, trained with `fit`, and measured with `affectMetrics`. Networks are
 * functions of parameters and tensors: the layers below, and the systems' own under their names (`anclaf`).
 */

export { type Entry, openEntry } from "./cache/entry.ts";
export { verifyFolder } from "./cache/verify.ts";
export { LatentWriter } from "./cache/writer.ts";
export * from "./compile/index.ts";
export { type AfewVaOptions, readAfewVa } from "./datasets/afew-va.ts";
export {
  type FaceStore,
  openFaceStore,
  type Packed,
  type PackOptions,
  packFaces,
  rowsOf,
} from "./datasets/face-store.ts";
export { type FoldFile, foldsOf, matchFolds, readFolds, writeFolds } from "./datasets/fold-file.ts";
export { type Fold as DatasetFold, type FoldsOptions, makeFolds, type Split, splitOf } from "./datasets/folds.ts";
export { type ReadOptions, readDataset } from "./datasets/read.ts";
export { readSewa, type SewaOptions } from "./datasets/sewa.ts";
export {
  type FacesOptions as SynthFacesOptions,
  type SynthesisedFaces,
  synthFaces,
} from "./datasets/synth/faces.ts";
export type { Dataset, LabelledClip, LabelledFrame, LabelRange, Skip } from "./datasets/types.ts";
export { PipeError } from "./errors.ts";
export { type Counts, Ledger } from "./ledger.ts";
export { decode, probe } from "./media/index.ts";
export * from "./media/types.ts";
export { type AffectLosses, affectLosses } from "./nn/affect-loss.ts";
export { type AttentiveLstmOptions, type AttentiveLstmOutput, attentiveLstm } from "./nn/attentive-lstm.ts";
export {
  batchNorm,
  batchNormParameters,
  batchNormStatistics,
  type StatisticName,
  type TrainingBatchNormOptions,
  trainingBatchNorm,
} from "./nn/batch-norm.ts";
export { type Checkpoint, readCheckpoint, writeCheckpoint } from "./nn/checkpoint.ts";
export { detach } from "./nn/detach.ts";
export {
  type About,
  type Batch,
  type Best,
  exportWeights,
  type FitEvent,
  type FitOptions,
  type FitResult,
  type FitStanding,
  fit,
  type LiveModel,
  type Phase,
  type Remember,
  type Validation,
  weightsOf,
} from "./nn/fit.ts";
export { withGradient } from "./nn/gradient.ts";
export { convWeight, initialise } from "./nn/init.ts";
export { type Activation, type ConvOptions, conv2d, doublingConv, instanceNorm, leakyRelu } from "./nn/layers.ts";
export {
  type LstmOptions,
  type LstmOutput,
  type LstmState,
  type LstmWeights,
  lstm,
  lstmParameters,
} from "./nn/lstm.ts";
export { type LuongWeights, luongLstm, luongParameters } from "./nn/luong-lstm.ts";
export {
  type AffectScores,
  type AffectSeries,
  affectMetrics,
  METRICS,
  type Metric,
  metricsOf,
  type Scores,
} from "./nn/metrics.ts";
export {
  type MultiHeadAttentionOptions,
  type MultiHeadAttentionOutput,
  multiHeadAttention,
  multiHeadAttentionParameters,
} from "./nn/multi-head-attention.ts";
export { groupNorm, layerNorm, normParameters } from "./nn/norms.ts";
export {
  type AdamOptions,
  adam,
  adamW,
  type Optimiser,
  type OptimiserOptions,
  type RmspropOptions,
  rmsprop,
} from "./nn/optimisers.ts";
export { disposeParameters, type Parameters, scope, toParameters } from "./nn/parameters.ts";
export { constant, cosine, exponential, type Schedule, stepped } from "./nn/schedules.ts";
export { conform, count, type ParameterSpec, type Start, type Weight, type Weights } from "./nn/weights.ts";
export * from "./pipelines/index.ts";
export * from "./records.ts";
export { looseContext } from "./stages/context.ts";
export { type BoundStage, type Context, defineStage, type Stage, type StageDefinition } from "./stages/define.ts";
export { stages } from "./stages/index.ts";
export { toStream } from "./stages/stream.ts";
export * as anclaf from "./systems/anclaf/index.ts";
export { networks } from "./systems/index.ts";
export { type Detection, type Detector, detect } from "./vision/detector.ts";
export { openFaceDetector } from "./vision/faces.ts";
