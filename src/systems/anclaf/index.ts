/** ANCLaF for programs: its networks, how they are trained, and trained ones on faces and windows. */

export { type Combined, combiner, combinerParameters } from "./combiner.ts";
export { type EncodedImage, type EncoderOptions, type ImageEncoder, openEncoder } from "./latents.ts";
export {
  discriminator,
  discriminatorParameters,
  type Generated,
  generator,
  generatorParameters,
  type Judged,
  zq,
} from "./networks.ts";
export { type FacePredictions, openPredictor, type Predictor, type PredictorOptions } from "./predict.ts";
export {
  ANCLAF_PRESETS,
  type AnclafPreset,
  type AnclafSizes,
  presets,
  stage1Presets,
  ZQ_FORMS,
  type ZqForm,
  zqShape,
} from "./presets.ts";
export { quadrantOf } from "./quadrants.ts";
export {
  type SequenceCombined,
  type SequenceOptions,
  sequenceCombiner,
  sequenceHead,
  sequenceHeadParameters,
  sequenceParameters,
  withFreshAttention,
} from "./sequence.ts";
export { type Stage1, type Stage1Options, stage1 } from "./stage1.ts";
export { type Stage2, type Stage2Options, stage2, stage2Presets } from "./stage2.ts";
export { type TrainOptions, trainStage1 } from "./train.ts";
