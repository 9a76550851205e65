import { DIMENSIONS } from "./affect-model.ts";
import { readFacesTruth, tracksOf } from "./faces-truth.ts";
import { predictTrack, type Windows } from "./oracle-scores.ts";

/** Valence and arousal, −1..1, that the best predictor says of a frame of a clip; undefined where the data has no such frame. */
export type FaceOracle = (clip: string, frame: number) => Record<"valence" | "arousal", number> | undefined;

/**
 * The best possible predictors from windows of `n` frames, one after the other unless said otherwise, for drawn faces (see
 * `predictTrack`).
 * Frames are numbered from 0, as in AFEW-VA's layout.
 *
 * @param folder that `synthFaces` made
 * @throws PipeError when the truth of the drawn data cannot be read
 */
export async function faceOracles(folder: string): Promise<(n: number, windows?: Windows) => FaceOracle> {
  const clips = new Map((await readFacesTruth(folder)).map((truth) => [truth.clip, truth]));
  return (n, windows = "chunks") => {
    const known = new Map<string, Record<"valence" | "arousal", Float64Array>>();
    return (clip, frame) => {
      const truth = clips.get(clip);
      if (truth === undefined) return undefined;
      let said = known.get(clip);
      if (said === undefined) {
        const tracks = tracksOf(truth);
        const of = (dimension: (typeof DIMENSIONS)[number]) =>
          predictTrack(tracks[dimension], dimension, n, truth.rate, windows);
        said = { valence: of(DIMENSIONS[0]), arousal: of(DIMENSIONS[1]) };
        known.set(clip, said);
      }
      const [valence, arousal] = [said.valence[frame], said.arousal[frame]];
      return valence === undefined || arousal === undefined ? undefined : { valence, arousal };
    };
  };
}
