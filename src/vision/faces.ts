import { PipeError } from "../errors.ts";
import type { Detector } from "./detector.ts";
import { bundledDigest, type RunOptions } from "./models.ts";

export interface FaceDetectorOptions extends RunOptions {
  /** Path of an `.onnx` detector; the bundled BlazeFace where absent. */
  readonly detector?: string | undefined;
  /** Lowest score that is given, 0..1. */
  readonly floor: number;
}

/** The face detector that the options name. Throws a PipeError when the file is not there or its layout is unknown. */
export async function openFaceDetector({ detector, ...options }: FaceDetectorOptions): Promise<Detector> {
  if (detector === undefined) return (await import("./blazeface.ts")).openBlazeFace(options);
  const { openYuNet } = await import("./yunet.ts");
  return openYuNet(detector, options);
}

/** sha256 of that detector's weights, without opening it. Throws a PipeError when the file cannot be read. */
export async function faceDetectorDigest(detector: string | undefined): Promise<string> {
  if (detector === undefined) return bundledDigest("blazeface");
  try {
    const { readOnnx } = await import("../compile/onnx-file.ts");
    return (await readOnnx(detector)).digest;
  } catch (cause) {
    if (!(cause instanceof PipeError)) throw cause;
    throw new PipeError(`The detector cannot be used: ${cause.message}`, {
      hint: `${cause.hint ?? "Give the path of an .onnx file."} Leave the option out for BlazeFace.`,
      cause,
    });
  }
}
