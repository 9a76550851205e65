// Made by `npm run generate` from the files beside it.
import batch from "./batch.ts";
import cacheLatents from "./cache-latents.ts";
import cropBodies from "./crop-bodies.ts";
import cropFaces from "./crop-faces.ts";
import encodeFeatures from "./encode-features.ts";
import encodeLatents from "./encode-latents.ts";
import evaluateAnclaf from "./evaluate-anclaf.ts";
import evaluateSeq from "./evaluate-seq.ts";
import extractFrames from "./extract-frames.ts";
import labelFaces from "./label-faces.ts";
import predictAffect from "./predict-affect.ts";
import readFaces from "./read-faces.ts";
import readLatents from "./read-latents.ts";
import reportSeq from "./report-seq.ts";
import splitFaces from "./split-faces.ts";
import trainAnclaf from "./train-anclaf.ts";
import trainSeq from "./train-seq.ts";
import windowSequences from "./window-sequences.ts";
import writeRows from "./write-rows.ts";
import writeScores from "./write-scores.ts";

/** Every stage by name. */
export const stages = {
  batch: batch,
  "cache-latents": cacheLatents,
  "crop-bodies": cropBodies,
  "crop-faces": cropFaces,
  "encode-features": encodeFeatures,
  "encode-latents": encodeLatents,
  "evaluate-anclaf": evaluateAnclaf,
  "evaluate-seq": evaluateSeq,
  "extract-frames": extractFrames,
  "label-faces": labelFaces,
  "predict-affect": predictAffect,
  "read-faces": readFaces,
  "read-latents": readLatents,
  "report-seq": reportSeq,
  "split-faces": splitFaces,
  "train-anclaf": trainAnclaf,
  "train-seq": trainSeq,
  "window-sequences": windowSequences,
  "write-rows": writeRows,
  "write-scores": writeScores,
};
